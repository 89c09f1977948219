"""Tables of columns, one line each."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from spinlock.features.column import Column, Rotation, Scaling


class Line(NamedTuple):
    """What is known about one statistic; see `Column`."""

    statistic: str
    formula: str
    unit: str
    source: str
    purpose: str
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """Where the statistics of a group differ from most, by name.

    Most are differentiable, and do not change if the field is scaled, turned by 90° or translated.
    """

    rough: Collection[str] = ()  # without a gradient (counts)
    scaling: Mapping[str, Scaling] = field(default_factory=dict)
    rotation: Mapping[str, Rotation] = field(default_factory=dict)
    anchored: Collection[str] = ()  # not invariant to translation


def columns(group: str, lines: Iterable[Line], laws: Laws) -> tuple[Column, ...]:
    """The columns of a group.

    Args:
        group: `family.group`.
        lines: what is known about each.
        laws: exceptions, by the names of statistics.
    """
    return tuple(
        Column(
            name=f"{group}.{line.statistic}",
            formula=line.formula,
            unit=line.unit,
            source=line.source,
            purpose=line.purpose,
            low=line.low,
            high=line.high,
            differentiable=line.statistic not in laws.rough,
            scaling=laws.scaling.get(line.statistic, "invariant"),
            rotation=laws.rotation.get(line.statistic, "invariant"),
            translation=line.statistic not in laws.anchored,
        )
        for line in lines
    )


def statistic(column: Column) -> str:
    """The last part of a column's name."""
    return column.name.rpartition(".")[2]
