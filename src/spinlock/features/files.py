"""`data/features.h5`, `data/further.h5`: features by family, with names, units and masks."""

from collections.abc import Iterator
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
FURTHER = "further-features"  # of further draws of the training operators


def aggregated(described: Described) -> dict[str, np.ndarray]:
    """The aggregated view: INITIAL, SUMMARY to mean, std and cv, TEMPORAL to means, float32."""
    summary = extract.aggregate(torch.from_numpy(described.summary))
    temporal = torch.from_numpy(described.temporal).mean(1)
    return {
        "initial": described.initial,
        "summary": summary.numpy(),
        "temporal": temporal.numpy(),
    }


def write(
    path: Path,
    operators: Operators,
    described: Described,
    index: Index,
    config: Config,
    kind: str = KIND,
) -> None:
    """Write `data/features.h5` or `data/further.h5`.

    Args:
        path: where it will stand.
        operators: whose rows they are, in the order of `described`.
        described: one trajectory at a time.
        index: of the rollouts, for what made them.
        config: which groups.
        kind: `KIND`, or `FURTHER`.
    """
    size = {"steps": index.steps, "realizations": index.realizations, "bound": index.bound}
    with artifacts.writing(path, kind, {"extract": asdict(config), **size}) as sink:
        for place, axes, values, columns, units in _tables(operators, described, config):
            sink.put(
                f"features/{place}/features",
                values,
                axes,
                columns=columns,
                units=units,
                mask=~np.isnan(values),
            )
        sink.put("inputs/fields", described.fields, "N C H W", units=["1"])
        values, columns, _ = table.theta_features(operators)
        sink.put("parameters/params", values, "N P", columns=columns, units=["1"])
        _metadata(sink, operators, described)


Table = tuple[str, str, np.ndarray, tuple[str, ...], tuple[str, ...]]


def _tables(operators: Operators, described: Described, config: Config) -> Iterator[Table]:
    """Place, axes, values, columns and units of every dataset of features."""
    whole = aggregated(described)
    summary = _texts("summary", config.summary_groups)
    temporal = _texts("temporal", config.temporal_groups)
    blocks = names.aggregated(summary[0]), names.aggregated_units(summary[1])
    yield "summary/aggregated", "N D", whole["summary"], *blocks
    yield "summary/per_trajectory", "N R D", described.summary, *summary
    yield "temporal", "N T D", whole["temporal"], *temporal
    yield "temporal/per_trajectory", "N R T D", described.temporal, *temporal
    yield "initial/aggregated", "N D", whole["initial"], *_texts("initial", None)
    values, columns, units = architecture(operators)
    yield "architecture/aggregated", "N D", values, columns, units


def columns(family: str, config: Config) -> tuple[str, ...]:
    """Names of a family's columns in the aggregated view."""
    if family == "summary":
        return names.aggregated(names.names(family, config.summary_groups))
    return names.names(family, config.temporal_groups if family == "temporal" else None)


def _texts(family: str, groups: tuple[str, ...] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return names.names(family, groups), names.units(family, groups)


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
