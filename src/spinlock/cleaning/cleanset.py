"""Cleaned features of all operators, as `data/clean.h5` holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from spinlock import artifacts
from spinlock.cleaning import metadata
from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.raw import Features
from spinlock.cleaning.sets import Cleaned
from spinlock.refusals import Refusal

GROUPS = {  # of the file, each with values and mask
    "initial": "N D",
    "summary/aggregated": "N D",
    "summary/single": "N R D",
    "temporal/aggregated": "N T D",
    "temporal/single": "N R T D",
}
AGGREGATED = -1  # the "realization" that stands for the aggregated view


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CleanSet:
    """Both views of N operators; all masks of an invalid operator are False.

    INITIAL and the fields are the same in both views.
    """

    aggregated: Cleaned
    summary: Float[Tensor, "N R K1"]  # the single view of every realization
    temporal: Float[Tensor, "N R T K2"]
    summary_mask: Bool[Tensor, "N R K1"]
    temporal_mask: Bool[Tensor, "N R T K2"]
    columns: dict[str, tuple[str, ...]]  # cleaned columns by family
    metadata: Metadata

    @property
    def realizations(self) -> int:
        """R, realizations per operator."""
        return self.summary.shape[1]

    def rows(self, name: str) -> np.ndarray:
        """Positions of the valid operators of a split or of a held-out group."""
        return self.metadata.rows(name)

    def single(self, realization: int) -> Cleaned:
        """The single view of one realization of every operator."""
        return self.drawn(range(len(self.aggregated)), [realization] * len(self.aggregated))

    def drawn(
        self, rows: Int64[Tensor, "n"] | Sequence[int], views: Int64[Tensor, "n"] | Sequence[int]
    ) -> Cleaned:
        """Some rows, each in its own view: a realization's index, or `AGGREGATED`."""
        row, view = (torch.as_tensor(index, dtype=torch.long) for index in (rows, views))
        whole, chosen = self.aggregated.take(row), view.clamp(min=0)

        def pick(name: str) -> Tensor:
            of_all, of_one = getattr(whole, name), getattr(self, name)[row, chosen]
            return of_all.where((view < 0).view(-1, *[1] * (of_all.ndim - 1)), of_one)

        return Cleaned(
            initial=whole.initial,
            initial_mask=whole.initial_mask,
            fields=whole.fields,
            summary=pick("summary"),
            temporal=pick("temporal"),
            summary_mask=pick("summary_mask"),
            temporal_mask=pick("temporal_mask"),
        )


def clean(features: Features, cleaner: Cleaner) -> CleanSet:
    """Clean both views of all operators, with the hard clip.

    Raises:
        Refusal: the columns are not those the cleaner was fitted on.
    """
    cleaner.check(features.names, "features")
    views = [
        cleaner.apply(features.single(realization), smooth=False)
        for realization in range(features.realizations)
    ]
    single = {
        name: torch.stack([getattr(view, name) for view in views], 1)
        for name in ("summary", "temporal", "summary_mask", "temporal_mask")
    }
    return CleanSet(
        aggregated=cleaner.apply(features.aggregated, smooth=False),
        columns=cleaner.kept,
        metadata=features.metadata,
        **single,
    )


def write(path: Path, cleaned: CleanSet, provenance: object) -> None:
    """Write `data/clean.h5`."""
    whole, columns = cleaned.aggregated, cleaned.columns
    parts = {
        "initial": (whole.initial, whole.initial_mask),
        "summary/aggregated": (whole.summary, whole.summary_mask),
        "summary/single": (cleaned.summary, cleaned.summary_mask),
        "temporal/aggregated": (whole.temporal, whole.temporal_mask),
        "temporal/single": (cleaned.temporal, cleaned.temporal_mask),
    }
    with artifacts.writing(path, "clean", provenance) as sink:
        for group, (values, mask) in parts.items():
            sink.put(
                f"{group}/features",
                values.numpy(),
                GROUPS[group],
                columns=columns[group.split("/")[0]],
                units=["standard deviation"],
                mask=mask.numpy(),
            )
        sink.put("fields", whole.fields.numpy(), "N C H W")
        metadata.write(sink, cleaned.metadata)


def read(path: Path) -> CleanSet:
    """Read `data/clean.h5`.

    Raises:
        Refusal: the file is missing, damaged, of another kind, holds a NaN, or names its columns
            wrongly.
    """
    with artifacts.reading(path, "clean") as source:
        values, masks = {}, {}
        for group, axes in GROUPS.items():
            values[group] = torch.from_numpy(source.get(f"{group}/features", axes, all_finite=True))
            masks[group] = torch.from_numpy(source.mask(f"{group}/features", axes))
        whole = {"initial": "initial"} | {f: f"{f}/aggregated" for f in ("summary", "temporal")}
        return CleanSet(
            aggregated=Cleaned(
                fields=torch.from_numpy(source.get("fields", "N C H W")),
                **{family: values[group] for family, group in whole.items()},
                **{f"{family}_mask": masks[group] for family, group in whole.items()},
            ),
            summary=values["summary/single"],
            temporal=values["temporal/single"],
            summary_mask=masks["summary/single"],
            temporal_mask=masks["temporal/single"],
            columns={f: _columns(source, f, f"{group}/features") for f, group in whole.items()},
            metadata=metadata.read(source),
        )


def _columns(source: artifacts.Source, family: str, name: str) -> tuple[str, ...]:
    """Names of a dataset's columns: one each, all different, all of the family."""
    found, count = source.columns(name), source.layout(name)[0][-1]
    ours = {column for column in found if column.startswith(f"{family}.")}
    if not len(found) == len(ours) == count:
        raise Refusal(
            f"{source.path}: {name}: expected {count} different names of {family} columns"
        )
    return found
