"""Tables of columns, one line each."""

from collections.abc import Iterable

from spinlock.features.column import Column

Line = tuple[str, str, str, str]  # statistic, formula, unit, source


def columns(
    group: str, lines: Iterable[Line], rough: frozenset[str] = frozenset()
) -> tuple[Column, ...]:
    """The columns of a group.

    Args:
        group: `family.group`.
        lines: what is known about each.
        rough: statistics without a gradient (counts).
    """
    return tuple(
        Column(
            name=f"{group}.{statistic}",
            formula=formula,
            unit=unit,
            source=source,
            differentiable=statistic not in rough,
        )
        for statistic, formula, unit, source in lines
    )


def statistic(column: Column) -> str:
    """The last part of a column's name."""
    return column.name.rpartition(".")[2]
