"""`data/features.h5`: the features of all operators, by family, with names, units and masks."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from spinlock import artifacts
from spinlock.artifacts import Sink
from spinlock.features import extract, names
from spinlock.features.architecture import architecture
from spinlock.features.config import Config
from spinlock.features.shards import Described
from spinlock.rollout.index import Index
from spinlock.sampling import table
from spinlock.sampling.table import Operators

KIND = "features"


def aggregated(described: Described) -> dict[str, np.ndarray]:
    """The aggregated view: INITIAL, SUMMARY to mean, std and cv, TEMPORAL to means, float32."""
    summary = extract.aggregate(torch.from_numpy(described.summary))
    temporal = torch.from_numpy(described.temporal).mean(1)
    return {
        "initial": described.initial,
        "summary": summary.numpy(),
        "temporal": temporal.numpy(),
    }


def write(path: Path, operators: Operators, described: Described, index: Index, config: Config):
    """Write `data/features.h5`.

    Args:
        path: where it will stand.
        operators: the whole table, in the order of `described`.
        described: one trajectory at a time.
        index: of the rollouts, for what made them.
        config: which groups.
    """
    whole = aggregated(described)
    made_by = {
        "extract": asdict(config),
        "steps": index.steps,
        "realizations": index.realizations,
        "bound": index.bound,
    }
    groups = {"summary": config.summary_groups, "temporal": config.temporal_groups}
    columns = {family: names.names(family, chosen) for family, chosen in groups.items()}
    units = {family: names.units(family, chosen) for family, chosen in groups.items()}
    with artifacts.writing(path, KIND, made_by) as sink:
        many = {
            "columns": names.aggregated(columns["summary"]),
            "units": names.aggregated_units(units["summary"]),
        }
        _put(sink, "summary/aggregated", whole["summary"], "N D", **many)
        for family, place, values, axes in (
            ("summary", "summary/per_trajectory", described.summary, "N R D"),
            ("temporal", "temporal", whole["temporal"], "N T D"),
            ("temporal", "temporal/per_trajectory", described.temporal, "N R T D"),
        ):
            _put(sink, place, values, axes, columns=columns[family], units=units[family])
        of_u0 = {"columns": names.names("initial"), "units": names.units("initial")}
        _put(sink, "initial/aggregated", whole["initial"], "N D", **of_u0)
        values, made_of, sizes = architecture(operators)
        _put(sink, "architecture/aggregated", values, "N D", columns=made_of, units=sizes)
        sink.put("inputs/fields", described.fields, "N C H W", units=["1"])
        _parameters(sink, operators)
        _metadata(sink, operators, described)


def _put(
    sink: Sink,
    place: str,
    values: np.ndarray,
    axes: str,
    *,
    columns: tuple[str, ...],
    units: tuple[str, ...],
) -> None:
    mask = ~np.isnan(values)
    sink.put(f"features/{place}/features", values, axes, columns=columns, units=units, mask=mask)


def _parameters(sink: Sink, operators: Operators) -> None:
    values, columns, _ = table.theta_features(operators)
    sink.put("parameters/params", values, "N P", columns=columns, units=["1"])


def _metadata(sink: Sink, operators: Operators, described: Described) -> None:
    policies = [theta.update_policy for theta in operators.theta]
    grids = np.full(len(operators), operators.grid_size)
    sink.put("metadata/operator_id", operators.ids, "N")
    sink.put("metadata/ic_types", operators.ic_types, "N")
    sink.put("metadata/evolution_policies", policies, "N")
    sink.put("metadata/grid_sizes", grids, "N", units=["cells"])
    sink.put("metadata/noise_regimes", table.noise_regimes(operators), "N")
    sink.put("metadata/split", operators.split, "N")
    sink.put("metadata/held_out", operators.held_out, "N G", columns=operators.held_out_groups)
    sink.put("metadata/valid", described.valid, "N")
