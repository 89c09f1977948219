"""The categories as a vocabulary: which features make them, how large, how alike they are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinlock.plots import beside, style


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A score of each category with its interval; NaN where there is none."""

    title: str
    value: Float[np.ndarray, "G"]
    low: Float[np.ndarray, "G"]
    high: Float[np.ndarray, "G"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticPicture:
    """All that the semantic dashboard shows, measured."""

    categories: tuple[str, ...]
    columns: tuple[str, ...]  # names of the features, D
    category_of: Int[np.ndarray, "D"]  # index of each feature's own category
    association: Float[np.ndarray, "D G"]  # in [0, 1], of a feature with a category
    association_label: str  # what it is, such as "mean |correlation| with the category's columns"
    families: tuple[str, ...]
    sizes: Int[np.ndarray, "G F"]  # features of each family in a category
    correlation: Float[np.ndarray, "G G"]  # in [0, 1], between categories; the diagonal is unread
    correlation_label: str  # what it is, such as "mean |correlation| between columns"
    bars: tuple[Bars, ...]  # further scores by category


@style.styled
def dashboard(picture: SemanticPicture) -> Figure:
    """Feature–category matrix, correlation, sizes by family, and further scores by category."""
    rows = len(picture.categories)
    heights = (max(5.5, 3.0 + 0.33 * rows), max(3.0, 1.6 + 0.2 * rows))
    figure = style.figure(18, sum(heights) + 0.5, "Categories: what the vocabulary speaks of")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=heights, hspace=0.03)[:, 0]
    left, right = upper.subplots(1, 2, width_ratios=(1.0, 1.0))
    _association(left, picture)
    _correlation(right, picture)
    sizes, *others = lower.subplots(1, 1 + len(picture.bars), squeeze=False)[0]
    _sizes(sizes, picture)
    for axes, bars in zip(others, picture.bars, strict=True):
        _bars(axes, bars)
    return figure


def _association(axes: Axes, picture: SemanticPicture) -> None:
    order = np.argsort(picture.category_of, kind="stable")
    counts = np.bincount(picture.category_of, minlength=len(picture.categories))
    ends = np.cumsum(counts)
    image = style.heat_map(axes, picture.association[order], (0.0, 1.0), style.SEQUENTIAL)
    axes.set_title(f"{len(picture.columns)} features (rows, by their category) × categories")
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="white", linewidth=1.0)
    axes.set_yticks([])
    names = [f"{n} ({count})" for n, count in zip(picture.categories, counts, strict=True)]
    centers = (ends - counts / 2 - 0.5).tolist()
    beside.name_rows(axes, centers, names, [style.INK] * len(names), "left", 1 / 45)
    _name_columns(axes, picture.categories)
    style.color_bar(axes, image, picture.association_label)


def _sizes(axes: Axes, picture: SemanticPicture) -> None:
    rows, left = np.arange(len(picture.categories)), np.zeros(len(picture.categories))
    for index, (family, sizes) in enumerate(zip(picture.families, picture.sizes.T, strict=True)):
        color = style.CYCLE[index % len(style.CYCLE)]
        axes.barh(rows, sizes, 0.7, left=left, color=color)
        axes.text(
            0.17 * index,
            1.01,
            family,
            color=color,
            transform=axes.transAxes,
            fontweight="bold",
            va="bottom",
        )
        left = left + sizes
    for row, total in enumerate(left):
        axes.text(total, row, f" {total:.0f}", va="center", fontsize=8)
    axes.set_title("Sizes of the categories, by family of features", pad=22)
    axes.set_xlabel("features")
    axes.set_yticks(rows, picture.categories)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _bars(axes: Axes, bars: Bars) -> None:
    """Rows as in the panel of sizes, whose names they share."""
    rows = np.arange(len(bars.value))
    axes.barh(rows, np.nan_to_num(bars.value), 0.7, color=style.BLUE)
    axes.hlines(rows, bars.low, bars.high, color=style.INK, lw=1.0)
    axes.axvline(0, color=style.GRAY, lw=0.8)
    axes.set_title(bars.title, pad=22)
    axes.set_xlabel("value and 95 % interval, test operators")
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _correlation(axes: Axes, picture: SemanticPicture) -> None:
    values = np.array(picture.correlation, dtype=float)
    np.fill_diagonal(values, np.nan)
    finite = values[np.isfinite(values)]
    mean = style.number(float(finite.mean())) if finite.size else "–"
    image = style.heat_map(axes, values, (0.0, 1.0), style.SEQUENTIAL)
    axes.set_title(f"What categories share: {mean} off the diagonal, on average")
    axes.set_yticks(range(len(picture.categories)), picture.categories)
    if len(picture.categories) <= 16:
        style.write_cells(axes, values, [[_cell(value) for value in row] for row in values])
    _name_columns(axes, picture.categories)
    style.color_bar(axes, image, picture.correlation_label)


def _cell(value: float) -> str:
    return f"{value:.2f}".removeprefix("0") if np.isfinite(value) else ""


def _name_columns(axes: Axes, names: tuple[str, ...]) -> None:
    steep = 40 if len(names) <= 12 else 75
    axes.set_xticks(range(len(names)), names, rotation=steep, ha="right", rotation_mode="anchor")
