"""The categories as a vocabulary: which features make them, how large, how alike they are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinlock.plots import style


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


@style.styled
def dashboard(picture: SemanticPicture) -> Figure:
    """Feature–category matrix, sizes by family, correlation between categories."""
    height = 4.5 + 0.5 * len(picture.categories)
    figure = style.figure(16, max(8.0, height), "Categories: what the vocabulary speaks of")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.15, 1.0), wspace=0.03)[0]
    upper, lower = right.subplots(2, 1, height_ratios=(1.0, 1.3))
    _association(left.subplots(), picture)
    _sizes(upper, picture)
    _correlation(lower, picture)
    return figure


def _association(axes: Axes, picture: SemanticPicture) -> None:
    order = np.argsort(picture.category_of, kind="stable")
    counts = np.bincount(picture.category_of, minlength=len(picture.categories))
    ends = np.cumsum(counts)
    image = style.heat_map(axes, picture.association[order], (0.0, 1.0), style.SEQUENTIAL)
    axes.set_title(f"{len(picture.columns)} features (rows, by their category) × categories")
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color="white", linewidth=1.0)
    axes.set_yticks(
        ends - counts / 2 - 0.5,
        [f"{name} ({count})" for name, count in zip(picture.categories, counts, strict=True)],
    )
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
