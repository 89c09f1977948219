"""The tree of the columns beside their correlations in its order, with the categories marked."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from spinlock.plots import beside, style


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePicture:
    """All that the picture shows, measured."""

    categories: tuple[str, ...]
    category_of: Int[np.ndarray, " D"]  # of each column
    similar: Float[np.ndarray, "D D"]  # |ρ| of two columns
    tree: Float[np.ndarray, "D-1 4"]  # scipy's linkage
    count: int  # operators behind the correlations


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbors in the tree that are of one category."""

    start: int
    length: int
    category: int


@style.styled
def picture(shown: TreePicture) -> Figure:
    """Dendrogram, a strip of categories, and the correlation matrix in the order of the tree."""
    title = (
        f"{len(shown.category_of)} columns in the order of the tree of their categories, "
        f"rank correlation of {shown.count} operators"
    )
    figure = style.figure(17, 13.5, title)
    branches, strip, matrix = figure.subplots(1, 3, width_ratios=(0.28, 0.025, 1.0))
    order = _tree(branches, shown)
    _strip(strip, shown, order)
    _matrix(matrix, shown, order)
    return figure


def _tree(axes: Axes, shown: TreePicture) -> list[int]:
    axes.set_title("Tree")
    if not len(shown.tree):
        axes.set_axis_off()
        return [0]
    drawn = dendrogram(shown.tree, no_plot=True)
    for heights, places in zip(drawn["dcoord"], drawn["icoord"], strict=True):
        axes.plot(heights, places, color=style.BLUE, lw=0.7)
    axes.set_ylim(10 * len(drawn["leaves"]), 0)  # scipy puts leaf i at 5 + 10 i
    axes.set_xlim(1, 0)
    axes.set_xlabel("height where columns meet, 1 − ρ²")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return list(drawn["leaves"])


def _strip(axes: Axes, shown: TreePicture, order: list[int]) -> None:
    """The category of each column: a color, which categories that begin side by side differ in."""
    of_category = _colors(shown.category_of[order])
    colors = [of_category[index] for index in shown.category_of[order]]
    axes.barh(np.arange(len(order)), np.ones(len(order)), 1.0, color=colors)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_axis_off()


def _matrix(axes: Axes, shown: TreePicture, order: list[int]) -> None:
    image = style.heat_map(axes, shown.similar[np.ix_(order, order)], (0, 1), style.SEQUENTIAL)
    axes.set_title(
        "|ρ| of two columns (white lines: the category changes; what stands apart from its own "
        "joined it from a group too small)"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    runs, start = [], 0
    for index, members in groupby(shown.category_of[order].tolist()):
        runs.append(Run(start, len(list(members)), index))
        start += runs[-1].length
    for run in runs[1:]:
        axes.axhline(run.start - 0.5, color="white", lw=min(0.5, 20 / len(runs)))
        axes.axvline(run.start - 0.5, color="white", lw=min(0.5, 20 / len(runs)))
    _name(axes, shown, runs)
    bar = axes.figure.colorbar(image, ax=axes, location="bottom", shrink=0.4, pad=0.02, aspect=40)
    bar.set_label("|ρ|, Spearman's rank correlation")
    bar.outline.set_visible(False)


def _name(axes: Axes, shown: TreePicture, runs: list[Run]) -> None:
    """The name of each category beside its longest run, pushed apart where they collide."""
    longest: dict[int, Run] = {}
    for run in runs:
        if run.category not in longest or run.length > longest[run.category].length:
            longest[run.category] = run
    centers = [run.start + run.length / 2 - 0.5 for run in longest.values()]
    counts = np.bincount(shown.category_of, minlength=len(shown.categories))
    names = [f"{shown.categories[index]} ({counts[index]})" for index in longest]
    of_category = _colors([run.category for run in runs])
    colors = [of_category[index] for index in longest]
    beside.name_rows(axes, centers, names, colors, "right", 1 / 75)


def _colors(categories: Iterable[int]) -> dict[int, str]:
    """A color for each category, in the order of first appearance."""
    return {
        category: style.CYCLE[place % len(style.CYCLE)]
        for place, category in enumerate(dict.fromkeys(int(c) for c in categories))
    }
