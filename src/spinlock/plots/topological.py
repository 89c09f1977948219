"""The codes as points: which of them do alike things to the columns, and which nobody uses."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from spinlock import randomness
from spinlock.plots import style

MARKS = "os^Dv"
DIMENSIONS = 30  # principal components that t-SNE reads (van der Maaten & Hinton 2008, section 4.2)
PERPLEXITY = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologicalPicture:
    """All that the topological dashboard shows, measured."""

    categories: tuple[str, ...]
    vectors: Float[np.ndarray, "c M"]  # of the codes of the coarsest level
    category_of: Int[np.ndarray, " c"]
    uses: Int[np.ndarray, " c"]  # operators that have the code; 0 is a dead code
    cosines: Float[np.ndarray, "c c"]
    dead: Float[np.ndarray, "G L"]  # share of dead codes; NaN where there is no such level
    dead_counts: Int[np.ndarray, "G L"]
    counts: tuple[Int[np.ndarray, " K"], ...]  # operators of each code of every codebook
    seed: int  # of the embedding


@style.styled
def dashboard(picture: TopologicalPicture) -> Figure:
    """t-SNE of the coarsest codes, their similarities, dead codes, use from common to rare."""
    lower = max(4.5, 1.6 + 0.24 * len(picture.categories))
    figure = style.figure(18, 9.6 + lower, "Codes: what each adds to the columns")
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(9.6, lower))[:, 0]
    points, matrix = top.subplots(1, 2, width_ratios=(1.05, 1.0))
    dead, ranks = bottom.subplots(1, 2, width_ratios=(1.35, 1.0))
    _points(points, picture)
    _matrix(matrix, picture)
    _dead(dead, picture)
    _ranks(ranks, picture)
    return figure


def embed(vectors: Float[np.ndarray, "c M"], seed: int) -> Float[np.ndarray, "c 2"]:
    """t-SNE in the plane, from the first principal components; the same for the same vectors."""
    left, singular, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    reduced = (left * singular)[:, :DIMENSIONS]
    if len(vectors) < 4 or not reduced.any():
        return np.pad(reduced[:, :2], ((0, 0), (0, 2 - min(2, reduced.shape[1]))))
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    start = reduced[:, :2] / max(float(reduced[:, 0].std()), np.finfo(float).tiny) * 1e-4
    return TSNE(
        perplexity=perplexity,
        init=np.pad(start, ((0, 0), (0, 2 - start.shape[1]))),
        random_state=randomness.integer_seed(seed, "tsne"),
        n_jobs=1,
    ).fit_transform(reduced)


def _points(axes: Axes, picture: TopologicalPicture) -> None:
    places = embed(picture.vectors, picture.seed)
    dead = picture.uses == 0
    area = 12 + 140 * np.sqrt(picture.uses / max(1, picture.uses.max()))
    for index in range(len(picture.categories)):
        color, mark = _look(index)
        own = (picture.category_of == index) & ~dead
        x, y = places[own].T
        axes.scatter(x, y, s=area[own], color=color, marker=mark, alpha=0.75, linewidths=0)
    x, y = places[dead].T
    axes.scatter(x, y, s=26, color=style.VERMILION, marker="x", linewidths=1.2)
    for index, name in enumerate(picture.categories):
        own = picture.category_of == index
        if own.any():
            axes.annotate(
                _short(name), tuple(_medoid(places[own])), fontsize=7, color=style.INK, ha="center",
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
    axes.set_title(
        f"t-SNE of the {len(places)} codes of the coarsest level, decoded: area shows operators, "
        f"× the {dead.sum()} dead"
    )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _medoid(places: Float[np.ndarray, "c 2"]) -> Float[np.ndarray, "2"]:
    """The place that is nearest to all others; opposite codes of a category lie far apart."""
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    return places[int(distance.sum(1).argmin())]


def _matrix(axes: Axes, picture: TopologicalPicture) -> None:
    order = _order(picture)
    image = style.heat_map(
        axes, picture.cosines[np.ix_(order, order)], (-1.0, 1.0), style.DIVERGING
    )
    axes.set_title("Cosine of each two of these codes, by category (red marks: dead)")
    counts = np.bincount(picture.category_of, minlength=len(picture.categories))
    ends = np.cumsum(counts)
    for end in ends[:-1]:
        axes.axhline(end - 0.5, color=style.GRAY, linewidth=0.4)
        axes.axvline(end - 0.5, color=style.GRAY, linewidth=0.4)
    axes.set_yticks(ends - counts / 2 - 0.5, picture.categories, fontsize=7)
    axes.set_xticks([])
    for place in np.flatnonzero(picture.uses[order] == 0):
        axes.annotate(
            "",
            (place, 0.0),
            (place, -0.012),
            xycoords=("data", "axes fraction"),
            arrowprops={"arrowstyle": "-", "color": style.VERMILION, "lw": 1.4},
            annotation_clip=False,
        )
    style.color_bar(axes, image, "cosine")


def _order(picture: TopologicalPicture) -> Int[np.ndarray, " c"]:
    """Category after category; in each, along the direction in which its codes differ most."""
    along = np.zeros(len(picture.vectors))
    for index in range(len(picture.categories)):
        own = picture.category_of == index
        if own.any():
            left, singular, _ = np.linalg.svd(picture.vectors[own], full_matrices=False)
            along[own] = left[:, 0] * singular[0]
    return np.lexsort((along, picture.category_of))


def _dead(axes: Axes, picture: TopologicalPicture) -> None:
    image = style.heat_map(axes, picture.dead, (0.0, 1.0), style.SEQUENTIAL)
    axes.set_title("Codes of each level that no operator of the set has")
    axes.set_yticks(range(len(picture.categories)), picture.categories)
    axes.set_xticks(range(picture.dead.shape[1]))
    axes.set_xlabel("level, from coarse to fine")
    style.write_counts(axes, picture.dead, picture.dead_counts)
    style.color_bar(axes, image, "share of dead codes (number: codes)")


def _ranks(axes: Axes, picture: TopologicalPicture) -> None:
    """Share of the operators that have the commonest, second, … code of each codebook."""
    for counts in picture.counts:
        shares = np.sort(counts)[::-1] / max(1, counts.sum())
        axes.plot(np.arange(1, len(shares) + 1), shares, color=style.BLUE, alpha=0.25, lw=0.9)
    size = max(map(len, picture.counts))
    axes.axhline(1 / size, color=style.GRAY, lw=1.2)
    axes.text(1, 1 / size, f" all {size} alike", color=style.GRAY, va="bottom", fontsize=8)
    axes.set_title("Use of the codes of each codebook, from the commonest to the rarest")
    axes.set_xlabel("rank of the code")
    axes.set_ylabel("share of the operators")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")


def _look(index: int) -> tuple[str, str]:
    """Color and mark of a category; 35 of them differ."""
    return style.CYCLE[index % len(style.CYCLE)], MARKS[index // len(style.CYCLE) % len(MARKS)]


def _short(name: str) -> str:
    """A category's name without its family."""
    return name.partition("_")[2].replace("_", " ") or name
