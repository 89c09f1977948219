"""The data before any learning: how θ is covered, what the initial conditions look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from spinlock.plots import style

PITCH = 1.08  # from one unit square to the next

SPLITS = {
    "train": "#9CC3DC",
    "validation": style.ORANGE,
    "test": style.VERMILION,
    "held_out": style.PURPLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """One variant of initial conditions."""

    variant: str
    field: Float[np.ndarray, "H W"]  # one draw
    spectrum: Float[np.ndarray, "S"]  # power at 1 … S cycles per domain, mean over the draws
    variance: float  # measured, mean over the draws
    count: int  # draws


@style.styled
def theta_coverage(
    unit: Float[np.ndarray, "N Q"], names: Sequence[str], split: Sequence[str]
) -> Figure:
    """Scatter every pair of design dimensions on the unit square, colored by split.

    One panel holds all squares, side by side: a grid of panels takes ten times as long.
    """
    size = len(names)
    side = max(6.0, 1.15 * size + 1.5)
    figure = style.figure(side, side, f"θ coverage: {len(unit)} operators, {size} dimensions")
    axes = figure.subplots()
    for index in range(size):
        _marginal(axes, unit[:, index], index)
    labels = np.asarray(split)
    rows, columns = np.tril_indices(size, -1)
    for row, column in zip(rows, columns, strict=True):
        corner = (PITCH * column, -PITCH * row)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=style.GRAY, linewidth=0.6))
    for name, color in SPLITS.items():
        chosen = unit[labels == name]
        x, y = chosen[:, columns] + PITCH * columns, chosen[:, rows] - PITCH * rows
        axes.plot(x.ravel(), y.ravel(), ".", color=color, markersize=1.8)
    _name_dimensions(axes, names)
    _name_splits(axes, labels)
    return figure


def _marginal(axes: Axes, values: Float[np.ndarray, "N"], index: int) -> None:
    """Draw the histogram of one dimension in its square on the diagonal."""
    counts, edges = np.histogram(values, bins=16, range=(0, 1))
    axes.bar(
        edges[:-1] + PITCH * index,
        counts / max(1, counts.max()),
        np.diff(edges),
        bottom=-PITCH * index,
        align="edge",
        color=style.PALE,
    )


def _name_dimensions(axes: Axes, names: Sequence[str]) -> None:
    places = PITCH * np.arange(len(names)) + 0.5
    axes.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(1 - places, names)
    axes.set(aspect="equal", xlim=(-0.03, PITCH * len(names)), ylim=(1 - PITCH * len(names), 1.03))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _name_splits(axes: Axes, labels: np.ndarray) -> None:
    for index, (name, color) in enumerate(SPLITS.items()):
        axes.annotate(
            f"{name.replace('_', ' ')}: {np.count_nonzero(labels == name)}",
            (0.98, 0.98),
            (0, -18 * index),
            xycoords="axes fraction",
            textcoords="offset points",
            color=color if name != "train" else style.BLUE,
            fontweight="bold",
            fontsize=11,
            ha="right",
            va="top",
        )


@style.styled
def initial_conditions(
    gallery: Sequence[Gallery], bands: Mapping[str, tuple[float, float]]
) -> Figure:
    """Show one field of each variant above the radial spectrum of all its draws.

    Args:
        gallery: one entry for each variant, in the order of the picture.
        bands: variant → edges of its band in cycles per domain, shaded in its spectrum.
    """
    columns = min(5, len(gallery))
    blocks = -(-len(gallery) // columns)
    figure = style.figure(3.1 * columns, 4.6 * blocks + 0.4, "Initial conditions: one draw of each")
    panels = figure.subplots(2 * blocks, columns, squeeze=False, height_ratios=(2.4, 1) * blocks)
    for axes in panels.flat[:]:
        axes.set_axis_off()
    for index, item in enumerate(gallery):
        row, column = 2 * (index // columns), index % columns
        _field(panels[row, column], item)
        _spectrum(panels[row + 1, column], item, bands)
    return figure


def _field(axes: Axes, item: Gallery) -> None:
    reach = float(np.abs(item.field).max())
    axes.imshow(item.field, cmap=style.DIVERGING, vmin=-reach, vmax=reach)
    axes.set_title(item.variant.replace("_", " "))
    axes.text(
        0.0,
        -0.03,
        f"±{style.number(reach)} · mean variance {style.number(item.variance)}, {item.count} draws",
        transform=axes.transAxes,
        fontsize=7,
        va="top",
        color=style.GRAY,
    )


def _spectrum(axes: Axes, item: Gallery, bands: Mapping[str, tuple[float, float]]) -> None:
    axes.set_axis_on()
    waves = np.arange(1, len(item.spectrum) + 1)
    axes.bar(waves, item.spectrum, 0.8, color=style.BLUE)
    if item.variant in bands:
        axes.axvspan(*bands[item.variant], color=style.ORANGE, alpha=0.2, linewidth=0)
    axes.set_xlabel("cycles per domain")
    axes.set_ylabel("power")
    axes.locator_params(axis="y", nbins=3)
    axes.locator_params(axis="x", integer=True)
