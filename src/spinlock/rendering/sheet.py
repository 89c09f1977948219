"""A figure laid out in pixels, so that each cell of a field is a square of whole pixels."""

import textwrap
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from spinlock.plots import style
from spinlock.rendering.scene import Panel, Scale, Scene

GAP = 8  # pixels between two of them
MARGIN = 24
WIDTH = 900  # at least
TOP = 54  # height of the title, with its surroundings
LINE = 18  # height of a line of θ
LETTER = 7.0  # mean width of a letter of it
BAR = 84  # width of a color bar with its numbers
CHARTS = 210  # height of the curves
FOOT = 56  # below them
TITLE = 22  # above an image
CENTERED: dict = {"ha": "center", "va": "center", "fontsize": 6.5, "color": style.GRAY}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure with places in pixels from its upper left corner."""

    figure: Figure
    width: int
    height: int
    top: int  # below the words that say what it shows

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at a place."""
        place = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(place)

    def write(self, left: float, top: float, text: str, **looks: object) -> Text:
        """Text whose upper left corner is at a place."""
        known: dict = {"ha": "left", "va": "top", "color": style.INK, "fontsize": 8, **looks}
        return self.figure.text(left / self.width, 1 - top / self.height, text, **known)


def sheet(scene: Scene, width: int, height: int) -> Sheet:
    """A sheet with the words that say what it shows, and room of a height below them.

    Sizes are made even, as films need them.
    """
    width = max(WIDTH, width + width % 2)
    words = f"{scene.parameters} · {scene.fate} · {scene.key}"
    lines = textwrap.wrap(words, int((width - 2 * MARGIN) / LETTER))
    top = TOP + LINE * len(lines)
    height = top + height + (top + height) % 2
    size = (width / style.DPI, height / style.DPI)
    figure = Figure(figsize=size, dpi=style.DPI, facecolor="white")
    page = Sheet(figure, width, height, top)
    page.write(MARGIN, 14, scene.title, fontsize=11, fontweight="bold")
    page.write(MARGIN, 46, "\n".join(lines), fontsize=6.2, color="#555555", linespacing=1.35)
    return page


def tile(panel: Panel, wanted: int) -> int:
    """About the wanted width in pixels of an image, so that a cell is whole pixels."""
    cells = panel.images.shape[2]
    return cells * max(1, round(wanted / cells))


def image(
    axes: Axes, panel: Panel, step: int, extent: tuple[float, float, float, float]
) -> AxesImage:
    """Draw one image of a panel; pale where there is none."""
    return axes.imshow(pixels(panel, step), extent=extent, interpolation="nearest", **_map(panel))


def pixels(panel: Panel, step: int) -> Float[np.ndarray, "H W 4"] | np.ma.MaskedArray:
    """What to give to an image of a panel."""
    values = panel.images[step]
    if panel.scale is not None:
        return np.ma.masked_invalid(values)
    there = np.isfinite(values).all(-1, keepdims=True)
    return np.concatenate([np.nan_to_num(values), there], axis=-1)


def nothing(panel: Panel) -> str:
    """What to say where a panel has no image."""
    return "none" if panel.name.startswith("variance") else "diverged"


def _map(panel: Panel) -> dict:
    if panel.scale is None:
        return {}
    return {"cmap": panel.scale.colors, "vmin": panel.scale.low, "vmax": panel.scale.high}


def bare(axes: Axes, width: float, height: float) -> None:
    """Axes for images only, in pixels, pale where there are none."""
    axes.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def bar(page: Sheet, scale: Scale, left: float, top: float, height: float) -> None:
    """A color bar at a place."""
    axes = page.axes(left, top, 10, height)
    values = ScalarMappable(Normalize(scale.low, scale.high), scale.colors)
    drawn = page.figure.colorbar(values, cax=axes, ticks=MaxNLocator(4), extend=scale.extend)
    drawn.outline.set_visible(False)
    axes.tick_params(labelsize=6, length=2, pad=2)
    axes.set_ylabel(scale.label, fontsize=6, labelpad=3)
