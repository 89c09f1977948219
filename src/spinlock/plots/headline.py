"""A table of the numbers that matter, each beside its floor and its ceiling."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from spinlock.evaluation.scorecard import Row
from spinlock.plots import style

_PLACES = (0.0, 0.60, 0.80, 1.0)  # left edge of the names, right edges of the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One measured number; None where a part does not exist."""

    name: str  # in words, with its unit
    value: float | None
    low: float | None  # interval, 95 %
    high: float | None
    floor: float | None  # what no skill gives
    ceiling: float | None  # what is possible


def of(scorecard: Sequence[Row], half: str) -> tuple[Headline, ...]:
    """The rows of the scorecard that speak of one half, each value once."""
    rows: dict[str, Row] = {}
    for row in scorecard:
        if row.metric.startswith(f"{half}/") and row.source != "baseline":
            rows.setdefault(row.metric, row)
    return tuple(
        Headline(
            name=metric.removeprefix(f"{half}/").replace("_", " ").replace("/", ": "),
            value=row.value,
            low=row.low,
            high=row.high,
            floor=row.floor,
            ceiling=row.ceiling,
        )
        for metric, row in rows.items()
    )


def draw(axes: Axes, rows: Sequence[Headline], title: str, room: int) -> None:
    """Write the rows as a table, from the top of a panel that has room for so many."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(max(room, len(rows)) + 0.1, -0.6))
    for place, text in zip(_PLACES[1:], ("value", "no skill", "possible"), strict=True):
        axes.text(place, -0.3, text, ha="right", va="bottom", fontsize=8, color=style.GRAY)
    for index, row in enumerate(rows):
        _draw_row(axes, index, row)


def _draw_row(axes: Axes, index: int, row: Headline) -> None:
    axes.axhline(index - 0.18, color=style.PALE, linewidth=0.8)
    middle = index + 0.3
    axes.text(_PLACES[0], middle, row.name, va="center", fontsize=8.5)
    axes.text(
        _PLACES[1],
        middle,
        style.number(row.value),
        ha="right",
        va="center",
        fontsize=10,
        fontweight="bold",
        color=style.BLUE,
    )
    for place, value in zip(_PLACES[2:], (row.floor, row.ceiling), strict=True):
        axes.text(place, middle, style.number(value), ha="right", va="center", fontsize=9)
    if row.low is not None and row.high is not None:
        interval = f"{style.number(row.low)} – {style.number(row.high)}"
        axes.text(
            _PLACES[1],
            index + 0.66,
            interval,
            ha="right",
            va="center",
            fontsize=6.5,
            color=style.GRAY,
        )
