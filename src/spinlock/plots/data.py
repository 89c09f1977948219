"""The data before any learning: how θ is covered, what the initial conditions look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinlock.plots import style

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
    """Scatter every pair of design dimensions on the unit cube, colored by split."""
    size = len(names)
    side = max(6.0, 1.25 * size)
    figure = style.figure(side, side, f"θ coverage: {len(unit)} operators, {size} dimensions")
    labels = np.asarray(split)
    panels = figure.subplots(size, size, squeeze=False, sharex=True)
    for row in range(size):
        for column in range(size):
            _pair(panels[row, column], unit[:, column], unit[:, row], labels, row - column)
    for index, name in enumerate(names):
        panels[-1, index].set_xlabel(name, rotation=30, ha="right", fontsize=8)
        panels[index, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    _name_splits(figure, labels)
    return figure


def _pair(axes: Axes, x: np.ndarray, y: np.ndarray, labels: np.ndarray, below: int) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlim(0, 1)
    if below < 0:
        axes.set_axis_off()
    elif below == 0:
        axes.hist(x, bins=np.linspace(0, 1, 17), color=style.PALE)
        axes.spines["left"].set_visible(False)
    else:
        axes.set_ylim(0, 1)
        axes.spines[:].set_visible(True)
        for name, color in SPLITS.items():
            axes.plot(x[labels == name], y[labels == name], ".", color=color, markersize=1.8)


def _name_splits(figure: Figure, labels: np.ndarray) -> None:
    for index, (name, color) in enumerate(SPLITS.items()):
        figure.text(
            0.97,
            0.90 - 0.032 * index,
            f"{name.replace('_', ' ')}: {np.count_nonzero(labels == name)}",
            color=color if name != "train" else style.BLUE,
            fontweight="bold",
            fontsize=11,
            ha="right",
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
