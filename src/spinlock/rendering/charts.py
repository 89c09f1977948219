"""Three curves under the images: mean, variance, and the spectrum by wavenumber."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from spinlock.plots import style
from spinlock.rendering.scene import DECADES, Scene
from spinlock.rendering.sheet import CHARTS, MARGIN, Sheet

AXIS = 62  # pixels that the numbers of a vertical axis take
LEGEND = 44  # right of a panel
WORDS = 40  # that a title takes


def charts(page: Sheet, scene: Scene, top: float) -> tuple[Axes, Axes, Axes]:
    """Place the curves of the whole rollout side by side; the spectrum is still without lines."""
    width = (page.width - 2 * MARGIN) / 3
    places = [MARGIN + AXIS + index * width for index in range(3)]
    mean, spread, spectrum = (
        page.axes(left, top + WORDS, width - AXIS - LEGEND, CHARTS - WORDS) for left in places
    )
    _courses(mean, scene.mean, scene.realization, "mean over the domain")
    _courses(spread, scene.spread, scene.realization, "variance over the domain")
    _decades(spread, float(np.nanmax(scene.spread)), float(np.nanmin(scene.spread)))
    _wavenumbers(spectrum, scene.spectrum)
    for axes in (mean, spread, spectrum):
        axes.tick_params(labelsize=6, length=2, pad=2, which="both")
        axes.xaxis.label.set_fontsize(6.5)
    return mean, spread, spectrum


def _courses(axes: Axes, values: Float[np.ndarray, "R S"], chosen: int, title: str) -> None:
    for index, line in enumerate(values):
        color, width = (style.BLUE, 1.4) if index == chosen else (style.GRAY, 0.7)
        axes.plot(line, color=color, linewidth=width, zorder=2 + (index == chosen))
    axes.set_title(title, fontsize=7.5, pad=5)
    axes.set_xlabel(f"step; realization {chosen} in blue" if len(values) > 1 else "step")
    axes.set_xlim(0, values.shape[1] - 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _decades(axes: Axes, high: float, low: float) -> None:
    """A logarithmic axis where values range over more than one power of ten."""
    if not high > 10 * low > 0:
        return
    axes.set_yscale("log")
    steps = (1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _wavenumbers(axes: Axes, spectrum: Float[np.ndarray, "S B"]) -> None:
    highest = float(np.nanmax(spectrum, initial=0.0)) or 1.0
    ticks = [2**octave for octave in range(spectrum.shape[1].bit_length())]
    axes.set(xscale="log", yscale="log", xlim=(1, max(2, spectrum.shape[1])))
    axes.set_ylim(highest * 10**-DECADES, highest * 3)
    axes.set_xticks([], minor=True)
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_title("power by wavenumber", fontsize=7.5, pad=5)
    axes.set_xlabel("cycles per domain")


def waves(spectrum: Float[np.ndarray, "S B"]) -> Float[np.ndarray, "B"]:
    """Wavenumbers of a radial spectrum, in cycles per domain."""
    return np.arange(1, spectrum.shape[1] + 1)


def spectra(axes: Axes, scene: Scene, steps: Sequence[int]) -> None:
    """Draw the spectra of some steps, dark to light, with their steps beside them."""
    shades = np.linspace(0.0, 0.85, len(steps))
    for step, shade in zip(steps, shades, strict=True):
        color = matplotlib.colormaps[style.SEQUENTIAL](shade)
        axes.plot(waves(scene.spectrum), scene.spectrum[step], color=color, linewidth=1.0)
        axes.plot([], [], color=color, label=str(step))
    looks: dict = {
        "fontsize": 5,
        "title_fontsize": 5.5,
        "handlelength": 1.0,
        "labelspacing": 0.1,
        "loc": "upper left",
    }
    axes.legend(title="step", bbox_to_anchor=(1.0, 1.06), frameon=False, **looks)
