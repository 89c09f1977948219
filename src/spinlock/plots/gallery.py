"""All initial conditions at a glance: two independent draws of each, and its spectrum."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from spinlock import randomness
from spinlock.artifacts import replacing
from spinlock.initial_conditions import families, measure
from spinlock.plots import pixels, style
from spinlock.plots.pixels import Pixels

GRID = 64
SEED = 20251121
DRAWS = 24  # whose mean is the spectrum
COLUMNS = 3
TILE = 128  # pixels that a field is about as wide as
CURVE = 150  # width of a spectrum
NUMBERS = 52  # from the second field to the spectrum
EXTRA = 236  # from the second field to the next variant
GAP = 8
TITLE, LINE, WORDS = 60, 22, 60  # heights: of the title, of a name, of all words of a variant
DECADES = 6  # of power per mode, the same for all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Specimen:
    """One variant of initial conditions, measured on independent draws of one channel."""

    variant: str
    kind: str  # module of its formula
    fields: Float[np.ndarray, "2 H W"]
    spectra: Float[np.ndarray, "M S"]  # power per mode at 1 … S cycles per domain, of each draw
    band: tuple[float, float] | None  # where all power lies by definition, cycles per domain
    variance: float  # over the domain, mean over the draws


def specimens(grid_size: int, seed: int) -> list[Specimen]:
    """Draw every variant, those of one kind together.

    Raises:
        Refusal: a variant needs a finer grid.
    """
    kinds = {variant: kind(variant) for variant in families.VARIANTS}
    order = list(dict.fromkeys(kinds.values()))
    variants = sorted(kinds, key=lambda variant: order.index(kinds[variant]))
    return [_specimen(variant, grid_size, seed) for variant in variants]


def kind(variant: str) -> str:
    """Name of the module in which the formula of a variant stands."""
    generate = families.lookup(variant).generate
    return getattr(generate, "func", generate).__module__.rpartition(".")[2]


def _specimen(variant: str, grid_size: int, seed: int) -> Specimen:
    streams = [randomness.stream(seed, f"gallery/{variant}", index) for index in range(DRAWS)]
    drawn = torch.stack([families.draw(variant, 2, grid_size, rng)[0] for rng in streams])
    power, modes = measure.radial_spectrum(drawn)
    return Specimen(
        variant=variant,
        kind=kind(variant),
        fields=drawn[:2].numpy(),
        spectra=(power / modes).numpy(),
        band=families.lookup(variant).band,
        variance=float(measure.variance(drawn).mean()),
    )


@style.styled
def picture(shown: Sequence[Specimen]) -> Figure:
    """Two draws, each on its own symmetric scale, beside the spectrum of all draws."""
    cells, rows = shown[0].fields.shape[-1], -(-len(shown) // COLUMNS)
    size = pixels.whole(cells, TILE)
    width, height = COLUMNS * (2 * size + EXTRA) + GAP, rows * (size + WORDS) + TITLE
    sheet = Pixels(pixels.blank(width, height), width, height)
    title = f"Initial conditions on {cells}²: two draws of one channel; power of a mode at each |k|"
    sheet.write(GAP, 14, title, fontsize=13, fontweight="bold")
    top = max(float(item.spectra.mean(0).max()) for item in shown)
    for index, item in enumerate(shown):
        row, column = divmod(index, COLUMNS)
        _cell(sheet, GAP + column * (2 * size + EXTRA), TITLE + row * (size + WORDS), size, item)
        left = GAP + column * (2 * size + EXTRA) + 2 * size + NUMBERS
        _spectrum(sheet.axes(left, TITLE + row * (size + WORDS) + LINE, CURVE, size), item, top)
    return sheet.figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colors, less than half as large as one of all colors."""
    with replacing(path) as beside, style.settings():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        image.quantize(256).save(beside, format="PNG", optimize=True)


def _cell(sheet: Pixels, left: int, top: int, size: int, item: Specimen) -> None:
    sheet.write(left, top, item.variant.replace("_", " "), fontsize=8, fontweight="bold")
    for index, field in enumerate(item.fields):
        place = left + index * (size + GAP)
        reach = float(np.abs(field).max())
        axes = sheet.axes(place, top + LINE, size, size)
        axes.imshow(field, cmap=style.DIVERGING, vmin=-reach, vmax=reach)
        axes.set_axis_off()
        scale = f"±{style.number(reach)}"
        sheet.write(place, top + LINE + size + 3, scale, fontsize=6, color=style.GRAY)


def _spectrum(axes: Axes, item: Specimen, top: float) -> None:
    waves = np.arange(1, item.spectra.shape[1] + 1)
    for line in item.spectra[:2]:
        axes.plot(waves, line, color=style.GRAY, linewidth=0.6)
    axes.plot(waves, item.spectra.mean(0), color=style.BLUE, linewidth=1.4)
    if item.band is not None:
        axes.axvspan(*item.band, color=style.ORANGE, alpha=0.2, linewidth=0)
    ticks = [2**octave for octave in range(len(waves).bit_length())]
    axes.set(xscale="log", yscale="log", xlim=(1, len(waves)), ylim=(top * 10**-DECADES, 2 * top))
    axes.set_xticks([], minor=True)
    axes.set_xticks(ticks, map(str, ticks))
    axes.set_yticks([10.0**-power for power in (1, 3, 5)])
    axes.set_yticks([], minor=True)
    axes.tick_params(labelsize=5.5, length=2, pad=2)
    words = f"{item.kind}, σ² {style.number(item.variance)}"
    axes.set_title(words, fontsize=6, color=style.GRAY, fontweight="normal", pad=3)
