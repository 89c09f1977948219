"""One look for all pictures: colors that color-blind readers can tell apart, quiet axes, words
beside lines instead of legends. No pyplot, no global state that outlives a picture."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

DPI = 150

# Okabe & Ito 2008, "Color universal design"
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, INK, GRAY, PALE = "#56B4E9", "#CC79A7", "#222222", "#8C8C8C", "#E6E6E6"
CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GRAY)
SEQUENTIAL, FIELD, DIVERGING = "cividis", "viridis", "RdBu_r"

Arguments = ParamSpec("Arguments")

_SETTINGS: dict = {
    "backend": "agg",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.dpi": DPI,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "image.interpolation": "nearest",
    "lines.linewidth": 1.6,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def settings() -> AbstractContextManager[None]:
    """This look, and nothing from the user's own matplotlibrc."""
    fresh: dict = {**matplotlib.rcParamsDefault, **_SETTINGS}
    return matplotlib.rc_context(fresh)


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorate a function that draws a figure, so that it draws in this look."""

    @wraps(draw)
    def wrapped(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with settings():
            return draw(*args, **kwargs)

    return wrapped


def figure(width: float, height: float, title: str) -> Figure:
    """Make an empty figure, in inches, with a heading."""
    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    made.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold")
    return made


def heading(part: SubFigure, title: str) -> None:
    """Name a part of a figure, in the size of a panel's title."""
    part.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")


def name_lines(
    axes: Axes,
    ends: Sequence[tuple[float, str, str]],
    gap: float = 0.055,
    x: float | None = None,
) -> None:
    """Write names beside the ends of lines, pushed apart where they collide.

    Args:
        axes: with everything drawn that sets its limits.
        ends: height in data units, name and color of each line; a height that is not finite
            leaves its name out.
        gap: least distance, as a share of the height of the axes.
        x: where all of the lines end, in data units; None: at the right edge.
    """
    shown = [end for end in ends if np.isfinite(end[0])]
    if not shown:
        return
    axes.autoscale_view()  # limits are set lazily; the heights below need them
    points = axes.transData.transform([(0.5 if x is None else x, height) for height, _, _ in shown])
    places = axes.transAxes.inverted().transform(points)
    edge = 1.0 if x is None else places[0, 0]
    heights = spread(places[:, 1].clip(0.0, 1.0), gap)
    for (_, name, color), height in zip(shown, heights, strict=True):
        axes.annotate(
            name,
            (edge + 0.015, height),
            xycoords="axes fraction",
            color=color,
            fontsize=8,
            va="center",
            annotation_clip=False,
            bbox={"facecolor": "white", "alpha": 0.75, "pad": 0.5, "edgecolor": "none"},
        )


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Places in the order of those wanted, at least `gap` apart, centered on them as a whole."""
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    slack = np.maximum.accumulate(wanted[order] - steps)
    pushed = slack + steps
    places = np.empty(len(wanted))
    places[order] = pushed - np.mean(pushed - wanted[order])
    return places


def number(value: float | None) -> str:
    """Three significant digits, or a dash where there is no value."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{value:.3g}"
    return text if "e" not in text or 1e-3 <= abs(value) < 1e5 else f"{value:.1e}"


def heat_map(axes: Axes, values: np.ndarray, limits: tuple[float, float], colors: str) -> AxesImage:
    """Draw a matrix, with missing values in pale gray; return the image for its color bar."""
    axes.set_facecolor(PALE)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    masked = np.ma.masked_invalid(values)
    return axes.imshow(masked, cmap=colors, vmin=limits[0], vmax=limits[1], aspect="auto")


def color_bar(axes: Axes, image: AxesImage, label: str) -> None:
    """Put a slim color bar beside a panel, as tall as it is."""
    beside = axes.inset_axes((1.02, 0.0, 0.02, 1.0))
    bar = axes.figure.colorbar(image, cax=beside)
    bar.set_label(label)
    bar.outline.set_visible(False)


def write_cells(axes: Axes, values: np.ndarray, texts: Sequence[Sequence[str]]) -> None:
    """Write a text into each cell of a sequential heat map from 0 to 1, readable on its color."""
    for (row, column), value in np.ndenumerate(values):
        color = "white" if np.isfinite(value) and value < 0.55 else INK
        axes.text(
            column, row, texts[row][column], ha="center", va="center", fontsize=7, color=color
        )


def write_counts(axes: Axes, shares: np.ndarray, counts: np.ndarray) -> None:
    """Write a count into each cell of a heat map of shares; none where there is no share."""
    texts = [
        [f"{count}" if np.isfinite(share) else "" for count, share in zip(*row, strict=True)]
        for row in zip(counts, shares, strict=True)
    ]
    write_cells(axes, shares, texts)
