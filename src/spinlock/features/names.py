"""The static registry of features: families, their groups, and the names of all columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from spinlock.features import initial
from spinlock.features.column import Column
from spinlock.features.fields import Fields
from spinlock.features.summary import (
    causality,
    drift,
    nonlinear,
    norms,
    sensitivity,
    temporal,
    waves,
)
from spinlock.features.temporal import (
    cross_channel,
    distributional,
    morphological,
    multiscale,
    physics,
    spatial,
    spectral,
    structural,
    topological,
)

AGGREGATES = ("mean", "std", "cv")  # over realizations, in the order of the blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some columns of a family that are computed together."""

    columns: tuple[Column, ...]
    compute: Callable[[Any], Tensor]  # of what the family shares: `Trajectories`, or `Fields`
    of_fields: Callable[[Fields], Tensor] | None = None  # [B, D] a step, that `compute` needs
    needs_step: bool = False  # whether `compute` needs the one-step map


SUMMARY = {
    "temporal": Group(columns=temporal.COLUMNS, compute=temporal.compute),
    "causality": Group(
        columns=causality.COLUMNS, compute=causality.compute, of_fields=waves.of_fields
    ),
    "drift": Group(columns=drift.COLUMNS, compute=drift.compute, of_fields=norms.of_fields),
    "sensitivity": Group(columns=sensitivity.COLUMNS, compute=sensitivity.compute, needs_step=True),
    "nonlinear": Group(columns=nonlinear.COLUMNS, compute=nonlinear.compute),
}
TEMPORAL = {
    "spatial": Group(columns=spatial.COLUMNS, compute=spatial.compute),
    "spectral": Group(columns=spectral.COLUMNS, compute=spectral.compute),
    "cross_channel": Group(columns=cross_channel.COLUMNS, compute=cross_channel.compute),
    "distributional": Group(columns=distributional.COLUMNS, compute=distributional.compute),
    "structural": Group(columns=structural.COLUMNS, compute=structural.compute),
    "physics": Group(columns=physics.COLUMNS, compute=physics.compute),
    "morphological": Group(columns=morphological.COLUMNS, compute=morphological.compute),
    "topological": Group(columns=topological.COLUMNS, compute=topological.compute),
    "multiscale": Group(columns=multiscale.COLUMNS, compute=multiscale.compute),
}
SUMMARY_GROUPS = tuple(SUMMARY)
TEMPORAL_GROUPS = tuple(TEMPORAL)
DEFAULT_SUMMARY = ("temporal", "causality", "drift", "sensitivity")  # the others are optional
DEFAULT_TEMPORAL = ("spatial", "spectral", "cross_channel")
GROUPS = {
    "initial": {"initial": Group(columns=initial.COLUMNS, compute=initial.features)},
    "summary": SUMMARY,
    "temporal": TEMPORAL,
}
COLUMNS: dict[str, tuple[Column, ...]] = {
    family: tuple(column for group in groups.values() for column in group.columns)
    for family, groups in GROUPS.items()
}


def columns(family: str, groups: Sequence[str] | None = None) -> tuple[Column, ...]:
    """The columns of a family per trajectory, or of some of its groups, in order.

    Args:
        family: "initial", "summary" or "temporal".
        groups: names of groups; all if none are given.
    """
    of_family = GROUPS[family]
    chosen = tuple(of_family) if groups is None else groups
    return tuple(column for group in chosen for column in of_family[group].columns)


def names(family: str, groups: Sequence[str] | None = None) -> tuple[str, ...]:
    """The names of a family's columns per trajectory (INITIAL 14, SUMMARY 36, TEMPORAL 51)."""
    return tuple(column.name for column in columns(family, groups))


def aggregated(per_trajectory: Sequence[str]) -> tuple[str, ...]:
    """Names of the aggregated columns: a block of means, one of deviations, one of ratios."""
    return tuple(f"{name}.{aggregate}" for aggregate in AGGREGATES for name in per_trajectory)


def units(family: str, groups: Sequence[str] | None = None) -> tuple[str, ...]:
    """Units of the columns of a family, one each."""
    return tuple(column.unit for column in columns(family, groups))


def aggregated_units(per_trajectory: Sequence[str]) -> tuple[str, ...]:
    """Units of the aggregated columns: those of the columns, twice, and none of the ratios."""
    return (*per_trajectory, *per_trajectory, *("1" for _ in per_trajectory))


def needs_step(summary_groups: Sequence[str]) -> bool:
    """Whether one of some groups of SUMMARY needs the one-step map."""
    return any(SUMMARY[group].needs_step for group in summary_groups)
