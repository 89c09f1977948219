"""The tokenizer as a machine: how it is built, how it learned, what it uses, what it loses."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import FancyBboxPatch

from spinlock.plots import headline, style


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One step of the architecture, with its real size."""

    name: str
    size: str  # such as "24 × 3 levels"; may have lines


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineeringPicture:
    """All that the engineering dashboard shows, measured."""

    boxes: tuple[Box, ...]  # from features to tokens and back, in order
    curves: Mapping[str, Mapping[str, Float[np.ndarray, "E"]]]  # panel → line → value by epoch
    categories: tuple[str, ...]
    levels: tuple[str, ...]
    utilization: Float[np.ndarray, "G L"]  # share of codes in use
    used: Int[np.ndarray, "G L"]  # codes in use
    reconstruction: Float[np.ndarray, "G"]  # mean squared error of standardized columns
    reconstruction_baseline: Float[np.ndarray, "G"]
    baseline: str  # its name, such as "PCA + k-means, equal bits"
    headlines: tuple[headline.Headline, ...]


@style.styled
def dashboard(picture: EngineeringPicture) -> Figure:
    """Architecture, training curves, utilization, reconstruction by category, headline numbers."""
    lines = max(len(picture.categories), len(picture.headlines))
    lower = 2.0 + 0.3 * lines
    figure = style.figure(16, 6.0 + lower, "Tokenizer: engineering")
    heights = (1.5, 3.2, lower)
    parts = figure.subfigures(3, 1, squeeze=False, height_ratios=heights, hspace=0.04)
    top, middle, bottom = parts[:, 0]
    _architecture(top, picture.boxes)
    _curves(middle, picture.curves)
    left, center, right = bottom.subplots(1, 3, width_ratios=(1.0, 1.1, 1.3))
    _utilization(left, picture)
    _reconstruction(center, picture)
    room = round(lower / 0.55)  # a row in 0.55 inch
    headline.draw(right, picture.headlines, "On test operators (95 % interval)", room)
    return figure


def _architecture(part: SubFigure, boxes: tuple[Box, ...]) -> None:
    axes = part.subplots()
    axes.set_title("From features to tokens and back, with real sizes")
    axes.set_axis_off()
    axes.set(xlim=(0, len(boxes)), ylim=(0, 1))
    for index, box in enumerate(boxes):
        axes.add_patch(
            FancyBboxPatch(
                (index + 0.09, 0.08),
                0.76,
                0.84,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor="#EAF3F9",
                edgecolor=style.BLUE,
            )
        )
        axes.text(index + 0.47, 0.70, box.name, ha="center", va="center", fontweight="bold")
        axes.text(index + 0.47, 0.34, box.size, ha="center", va="center", fontsize=8)
        if index:
            axes.annotate(
                "",
                (index + 0.08, 0.5),
                (index - 0.14, 0.5),
                arrowprops={"arrowstyle": "-|>", "color": style.INK, "lw": 1.2},
            )


def _curves(part: SubFigure, curves: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    panels = part.subplots(1, len(curves), sharex=True, squeeze=False)[0]
    for axes, (name, lines) in zip(panels, curves.items(), strict=True):
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.grid(axis="y")
        if _spans_decades(lines):
            axes.set_yscale("log")
        ends = []
        for (line, values), color in zip(lines.items(), cycle(style.CYCLE), strict=False):
            axes.plot(np.arange(1, len(values) + 1), values, color=color)
            ends.append((float(values[-1]), line, color))
        axes.margins(x=0)
        style.name_lines(axes, ends)


def _spans_decades(lines: Mapping[str, np.ndarray]) -> bool:
    """Whether positive values differ by more than a factor of thirty."""
    values = np.concatenate([np.asarray(line, dtype=float) for line in lines.values()])
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > 30 * values.min())


def _utilization(axes: Axes, picture: EngineeringPicture) -> None:
    image = style.heat_map(axes, picture.utilization, (0.0, 1.0), style.SEQUENTIAL)
    axes.set_title("Codes that any operator of the set uses")
    axes.set_xticks(range(len(picture.levels)), picture.levels)
    axes.set_yticks(range(len(picture.categories)), picture.categories)
    style.write_counts(axes, picture.utilization, picture.used)
    style.color_bar(axes, image, "share of codes in use (number: codes)")


def _reconstruction(axes: Axes, picture: EngineeringPicture) -> None:
    rows = np.arange(len(picture.categories))
    axes.set_title("Lost in the code, by category")
    axes.set_xlabel("mean squared error of standardized columns (1 = train mean)")
    axes.barh(rows - 0.19, picture.reconstruction, 0.36, color=style.BLUE)
    axes.barh(rows + 0.19, picture.reconstruction_baseline, 0.36, color="#B8B8B8")
    axes.set_yticks(rows, picture.categories)
    axes.set_ylim(len(rows) - 0.4, -1.1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.text(0.0, -0.75, "  ours", color=style.BLUE, fontweight="bold", va="center")
    axes.text(
        0.99,
        -0.75,
        picture.baseline,
        color=style.GRAY,
        fontweight="bold",
        va="center",
        ha="right",
        transform=axes.get_yaxis_transform(),
    )
