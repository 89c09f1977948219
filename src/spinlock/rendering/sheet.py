"""What pictures and films have in common: words above, images of panels, color bars."""

import textwrap
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from spinlock.plots import pixels, style
from spinlock.plots.pixels import Pixels
from spinlock.rendering.scene import Panel, Scale, Scene

GAP = 8  # pixels between two of them
MARGIN = 24
WIDTH = 900  # at least
TOP = 54  # height of the title, with its surroundings
LINE = 18  # height of a line of θ
FINE = "#555555"  # color of the words of θ
LETTER = 7.0  # mean width of a letter of it
BAR = 84  # width of a color bar with its numbers
CHARTS = 210  # height of the curves
FOOT = 56  # below them
TITLE = 22  # above an image
CENTERED: dict = {"ha": "center", "va": "center", "fontsize": 6.5, "color": style.GRAY}


@dataclass(frozen=True, slots=True)
class Sheet(Pixels):
    """A figure with places in pixels, and words that say what it shows."""

    top: int  # below the words


def sheet(scene: Scene, width: int, height: int) -> Sheet:
    """A sheet with the words that say what it shows, and room of a height below them.

    Sizes are made even, as films need them.
    """
    width = max(WIDTH, width + width % 2)
    words = f"{scene.parameters} · {scene.fate} · {scene.key}"
    lines = textwrap.wrap(words, int((width - 2 * MARGIN) / LETTER))
    top = TOP + LINE * len(lines)
    height = top + height + (top + height) % 2
    page = Sheet(pixels.blank(width, height), width, height, top)
    page.write(MARGIN, 14, scene.title, fontsize=9, fontweight="bold")
    page.write(MARGIN, 46, "\n".join(lines), fontsize=6.2, color=FINE, linespacing=1.35)
    return page


def tile(panel: Panel, wanted: int) -> int:
    """About the wanted width in pixels of an image of a panel."""
    return pixels.whole(panel.images.shape[2], wanted)


def image(
    axes: Axes, panel: Panel, step: int, extent: tuple[float, float, float, float]
) -> AxesImage:
    """Draw one image of a panel; pale where there is none."""
    return axes.imshow(values(panel, step), extent=extent, interpolation="nearest", **_map(panel))


def values(panel: Panel, step: int) -> Float[np.ndarray, "H W 4"] | np.ma.MaskedArray:
    """What to give to an image of a panel."""
    shown = panel.images[step]
    if panel.scale is not None:
        return np.ma.masked_invalid(shown)
    there = np.isfinite(shown).all(-1, keepdims=True)
    return np.concatenate([np.nan_to_num(shown), there], axis=-1)


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
    """A color bar beside an image of a height."""
    axes = page.axes(left, top + 6, 10, height - 12)
    colors = ScalarMappable(Normalize(scale.low, scale.high), scale.colors)
    drawn = page.figure.colorbar(colors, cax=axes, ticks=MaxNLocator(4), extend=scale.extend)
    drawn.outline.set_visible(False)
    axes.tick_params(labelsize=6, length=2, pad=2)
    axes.set_ylabel(scale.label, fontsize=6, labelpad=3)
