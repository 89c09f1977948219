"""The cleaner as an artefact of its own, and what it did as numbers."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from spinlock import artifacts
from spinlock.cleaning.cleaner import Cleaner, Columns
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.sets import FAMILIES, FeatureSet

REASONS = ("missing", "variance", "reliability", "correlation")
SATURATED = 0.1  # share of a column's training cells


def write(path: Path, cleaner: Cleaner, provenance: object) -> None:
    """Write `models/cleaner.h5`: one group per family, one dataset per statistic."""
    with artifacts.writing(path, "cleaner", provenance) as sink:
        for family, columns in cleaner.state().items():
            for name, values in columns.items():
                array = values.numpy() if isinstance(values, torch.Tensor) else values
                sink.put(f"{family}/{name}", array, "D")


def read(path: Path) -> Cleaner:
    """Read `models/cleaner.h5`.

    Raises:
        Refusal: the file is missing, damaged or of another kind.
    """
    with artifacts.reading(path, "cleaner") as source:
        state: dict[str, dict[str, torch.Tensor | list[str]]] = {}
        for family in FAMILIES:
            arrays = {f.name: source.get(f"{family}/{f.name}", "D") for f in fields(Columns)}
            state[family] = {
                name: [str(text) for text in array]
                if array.dtype.kind == "U"
                else torch.from_numpy(array)
                for name, array in arrays.items()
            }
    return Cleaner.from_state(state)


def rows(
    cleaner: Cleaner, reliability: Mapping[str, Float[np.ndarray, " D"]]
) -> list[dict[str, object]]:
    """One row per raw column: what happened to it, and why.

    Args:
        cleaner: the fitted one.
        reliability: of the columns of each family; NaN, an empty cell, where there is none.
    """
    return [
        row | {"reliability": "" if np.isnan(value) else float(value)}
        for family in FAMILIES
        for row, value in zip(
            _rows(family, cleaner.family(family)), reliability[family], strict=True
        )
    ]


def metrics(cleaner: Cleaner, metadata: Metadata, train: FeatureSet) -> dict[str, int]:
    """Counts by family and reason; cells are those of the kept columns of training operators.

    `columns_saturated` are kept columns with more than `SATURATED` of these cells beyond the limit
    of clipping, which then all have one of two values: mostly skewed ones, whose median deviation
    knows their narrow side alone.

    Args:
        cleaner: the fitted one.
        metadata: of all operators.
        train: those it was fitted on.
    """
    found = {
        "clean/operators": len(metadata.valid),
        "clean/operators_invalid": int((~metadata.valid).sum()),
        "clean/operators_fitted": len(train),
    }
    counts = {
        family: _counts(cleaner.family(family), getattr(train, family)[..., 0].numel())
        for family in FAMILIES
    }
    for name in counts["initial"]:
        found[f"clean/{name}"] = sum(of_family[name] for of_family in counts.values())
        found |= {f"clean/{family}/{name}": counts[family][name] for family in FAMILIES}
    return found


def _counts(columns: Columns, num_cells: int) -> dict[str, int]:
    index = columns.kept_index
    dropped = {f"columns_{reason}": columns.reasons.count(reason) for reason in REASONS}
    return {
        "columns_kept": len(index),
        "columns_dropped": len(columns.names) - len(index),
        **dropped,
        "columns_saturated": int((columns.clipped[index] > SATURATED * num_cells).sum()),
        "cells_imputed": int(columns.missing[index].sum()),
        "cells_clipped": int(columns.clipped[index].sum()),
    }


def _rows(family: str, columns: Columns) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "family": family,
            "kept": not reason,
            "reason": reason,
            "partner": partner,
            "missing": int(columns.missing[index]),
            "imputed": int(columns.missing[index]) if reason != "missing" else 0,
            "clipped": int(columns.clipped[index]) if reason != "missing" else 0,
            "median": float(columns.median[index]),
            "scale": float(columns.scale[index]),
        }
        for index, (name, reason, partner) in enumerate(
            zip(columns.names, columns.reasons, columns.partners, strict=True)
        )
    ]
