"""Figures laid out in pixels, so that each cell of a field is a square of whole pixels."""

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from spinlock.plots import style


@dataclass(frozen=True, slots=True)
class Pixels:
    """A figure with places in pixels from its upper left corner."""

    figure: Figure
    width: int
    height: int

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at a place."""
        place = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(place)

    def write(self, left: float, top: float, text: str, **looks: Any) -> Text:
        """Text whose upper left corner is at a place; `looks` as those of matplotlib."""
        looks = {"ha": "left", "va": "top", "fontsize": 8, **looks}
        return self.figure.text(left / self.width, 1 - top / self.height, text, **looks)


def blank(width: int, height: int) -> Figure:
    """An empty figure of a size in pixels."""
    size = (width / style.DPI, height / style.DPI)
    return Figure(figsize=size, dpi=style.DPI, facecolor="white")


def whole(cells: int, wanted: int) -> int:
    """About the wanted width in pixels of a field, so that a cell is whole pixels."""
    return cells * max(1, round(wanted / cells))
