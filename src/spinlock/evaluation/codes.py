"""Classical codes with as many bits as the tokenizer: what any learned code must beat.

Every code is fitted on training rows alone and then applied to any rows. Columns are scaled by
the root of their weight first, so that the codes minimize the weighted error that is reported.
"""

import heapq
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from spinlock import randomness
from spinlock.tokenizer import initialization
from spinlock.tokenizer.quantizer import Beam


@dataclass(frozen=True, slots=True)
class Target:
    """What a code has to reproduce: standardized cells, M a row.

    A column is one cell, or `temporal_bins` cells (its series in windows of time) whose weights
    sum to 1. Cells that do not exist are 0 and do not count.
    """

    values: Float[np.ndarray, "n M"]
    exists: Bool[np.ndarray, "n M"]
    weight: Float[np.ndarray, " M"]
    category: Int[np.ndarray, " M"]  # index of the category of each cell
    column: Int[np.ndarray, " M"]  # index of the column of each cell

    def take(self, rows: np.ndarray) -> "Target":
        """Some of the rows."""
        return Target(self.values[rows], self.exists[rows], self.weight, self.category, self.column)

    def join(self, *others: "Target") -> "Target":
        """These rows, then those of the others, which have the same cells."""
        parts = (self, *others)
        values, exists = (
            np.concatenate([getattr(p, n) for p in parts]) for n in ("values", "exists")
        )
        return Target(values, exists, self.weight, self.category, self.column)


@dataclass(frozen=True, slots=True)
class Coded:
    """Rows after coding: reconstructed cells, and the tokens if the code has any."""

    values: Float[np.ndarray, "n M"]
    tokens: Int[np.ndarray, "n S"]


@dataclass(frozen=True, slots=True)
class Fit:
    """How k-means is run: root seed, name of the stream, number of starts."""

    seed: int
    purpose: str
    num_init: int

    def named(self, part: object) -> "Fit":
        """The same for a part of the code, with its own stream."""
        return Fit(self.seed, f"{self.purpose}/{part}", self.num_init)


Code = Callable[[np.ndarray, np.ndarray, Sequence[int], Fit], Coded]


def by_category(
    code: Code, train: Target, rows: Target, sizes: Sequence[Sequence[int]], fit: Fit
) -> Coded:
    """Apply a code to the cells of each category apart.

    Args:
        code: `pca_kmeans`, `residual_kmeans`, `ResidualBeam` or `product`.
        train: rows on which it is fitted.
        rows: rows to code.
        sizes: codes per level, for each category: those of the tokenizer, hence equal bits.
        fit: how k-means is run.
    """
    scale = np.sqrt(train.weight)
    values, tokens = np.zeros_like(rows.values), []
    for index, levels in enumerate(sizes):
        own = train.category == index
        fitted, coded = (some.values[:, own] * scale[own] for some in (train, rows))
        part = code(fitted, coded, levels, fit.named(index))
        values[:, own] = part.values / scale[own]
        tokens.append(part.tokens)
    return Coded(values, np.concatenate(tokens, axis=1))


def bits(sizes: Sequence[Sequence[int]]) -> float:
    """Σ log2 K over all codebooks: bits per operator."""
    return sum(math.log2(size) for levels in sizes for size in levels)


def residual_kmeans(
    train: Float[np.ndarray, "n M"], rows: Float[np.ndarray, "m M"], sizes: Sequence[int], fit: Fit
) -> Coded:
    """Level after level of k-means on what the levels before left over (Juang & Gray 1982)."""
    rest, left, tokens = train, rows, []
    for level, size in enumerate(sizes):
        codebook = kmeans(rest, size, fit.named(level))
        rest = rest - codebook[nearest(rest, codebook)]
        tokens.append(nearest(left, codebook))
        left = left - codebook[tokens[-1]]
    return Coded(rows - left, np.stack(tokens, axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualBeam:
    """Residual k-means as the tokenizer starts: its axes, its beam search and its jitter.

    The leading principal axes alone are coded, or all, and each level is k-means of what the best
    sums of the levels before leave over, along its own leading axes, or all. Axes that no code can
    afford only add noise to the choice, but with enough operators they pay. What the tokenizer
    gains over this code with its own axes it gains by learning, and by decoding all categories
    together; over the same with the tokenizer's last step, see `readout.beside`, by learning alone.
    """

    width: int  # partial sums kept, see `tokenizer.quantizer.search`
    jitter: float  # share of the difference of two rows that is added to a third
    axes: int | None  # at most, of the rows; None: all
    dims: Sequence[int | None]  # at most, of what is left over, by level; None: all

    def __call__(
        self,
        train: Float[np.ndarray, "n M"],
        rows: Float[np.ndarray, "m M"],
        sizes: Sequence[int],
        fit: Fit,
    ) -> Coded:
        mean, axes, _ = principal_axes(train)
        axes = axes[: self.axes]
        moved, points = ((some - mean) @ axes.T for some in (self._jittered(train, fit), rows))
        fitted, coded = _beam(moved), _beam(points)
        for level, (size, dims) in enumerate(zip(sizes, self.dims, strict=False)):
            rest = fitted.residual[0, :, 0].numpy()
            leading = initialization.principal_axes(torch.from_numpy(rest), dims).numpy()
            centers = kmeans(rest @ leading, size, fit.named(level)) @ leading.T
            codebook = torch.from_numpy(centers)[None]
            fitted, coded = (beam.extend(codebook, self.width) for beam in (fitted, coded))
        values = mean + (points - coded.residual[0, :, 0].numpy()) @ axes
        return Coded(values, coded.tokens[0, :, 0].numpy())

    def _jittered(self, train: Float[np.ndarray, "n M"], fit: Fit) -> Float[np.ndarray, "k M"]:
        rng = randomness.stream(fit.seed, f"{fit.purpose}/jitter")
        copies = initialization.JITTERED_COPIES if self.jitter else 0
        others = rng.integers(len(train), size=(copies, 2, len(train)))
        moved = [train + self.jitter * (train[one] - train[two]) for one, two in others]
        return np.concatenate([train, *moved])


def pca_kmeans(
    train: Float[np.ndarray, "n M"], rows: Float[np.ndarray, "m M"], sizes: Sequence[int], fit: Fit
) -> Coded:
    """The first principal components, one a level, each quantized by scalar k-means."""
    mean, axes, _ = principal_axes(train)
    subspaces = [axes[level : level + 1] for level in range(len(sizes))]
    return _look_up(rows, mean, subspaces, _codebooks(train - mean, subspaces, sizes, fit))


def product(
    train: Float[np.ndarray, "n M"], rows: Float[np.ndarray, "m M"], sizes: Sequence[int], fit: Fit
) -> Coded:
    """Product quantization after a rotation by PCA (Jégou et al. 2011; Ge et al. 2013).

    The components are dealt to as many subspaces as there are levels, the largest variance first,
    each to the subspace whose share of the variance is least, and each subspace gets its k-means.
    """
    mean, axes, variance = principal_axes(train)
    dealt: list[list[int]] = [[] for _ in sizes]
    load = np.zeros(len(sizes))
    for component in range(len(axes)):
        subspace = int(load.argmin())
        dealt[subspace].append(component)
        load[subspace] += variance[component]
    subspaces = [axes[components] for components in dealt]
    return _look_up(rows, mean, subspaces, _codebooks(train - mean, subspaces, sizes, fit))


def pca_waterfill(train: Target, rows: Target, total_bits: float, fit: Fit) -> Coded:
    """PCA of all cells together, integer bits to components by greedy gain, scalar k-means.

    No categories, ⌊total_bits⌋ bits. The next bit goes to the component whose squared error on
    the training rows it lowers most.
    """
    return pca_waterfills(train, rows, [total_bits], fit)[0]


def pca_waterfills(train: Target, rows: Target, budgets: Sequence[float], fit: Fit) -> list[Coded]:
    """The same at several numbers of bits: what greedy gain gives to few it also gives to many."""
    scale = np.sqrt(train.weight)
    mean, axes, _ = principal_axes(train.values * scale)
    scores = (train.values * scale - mean) @ axes.T
    wanted = [math.floor(bits) for bits in budgets]
    found = _allocate(scores, wanted, fit)
    coded = []
    for bits in wanted:
        used = [c for c, codebook in enumerate(found[bits]) if len(codebook) > 1]
        subspaces = [axes[[component]] for component in used]
        part = _look_up(rows.values * scale, mean, subspaces, [found[bits][c] for c in used])
        coded.append(Coded(part.values / scale, part.tokens))
    return coded


def principal_axes(
    train: Float[np.ndarray, "n M"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean [M], axes [rank, M] by falling variance, and variances [rank]."""
    mean = train.mean(0)
    _, singular, axes = np.linalg.svd(train - mean, full_matrices=False)
    rank = int((singular > singular[:1] * 1e-7).sum())
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    return mean, (axes * signs[:, None])[:rank], np.square(singular[:rank]) / len(train)


def kmeans(values: Float[np.ndarray, "n d"], size: int, fit: Fit) -> Float[np.ndarray, "k d"]:
    """At most `size` codes: Lloyd's algorithm from k-means++ starts, or the distinct points."""
    distinct = np.unique(values, axis=0)
    if len(distinct) <= size:
        return distinct
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(
            size,
            n_init=fit.num_init,
            random_state=randomness.integer_seed(fit.seed, fit.purpose),
        ).fit(values)
    return model.cluster_centers_


def nearest(values: Float[np.ndarray, "n d"], codebook: Float[np.ndarray, "k d"]) -> np.ndarray:
    """Index of the nearest code of each row; the lowest of equals."""
    cross = values @ codebook.T
    return (np.square(codebook).sum(1) - 2 * cross).argmin(1)


def _beam(values: Float[np.ndarray, "n M"]) -> Beam:
    return Beam.of(torch.from_numpy(np.ascontiguousarray(values))[:, None])


def _codebooks(
    centred: Float[np.ndarray, "n M"],
    subspaces: Sequence[Float[np.ndarray, "d M"]],
    sizes: Sequence[int],
    fit: Fit,
) -> list[Float[np.ndarray, "k d"]]:
    """k-means of the projections onto each subspace, which may have no axis at all."""
    return [
        kmeans(centred @ axes.T, size, fit.named(level)) if len(axes) else np.zeros((1, 0))
        for level, (axes, size) in enumerate(zip(subspaces, sizes, strict=True))
    ]


def _look_up(
    rows: Float[np.ndarray, "n M"],
    mean: Float[np.ndarray, " M"],
    subspaces: Sequence[Float[np.ndarray, "d M"]],
    codebooks: Sequence[Float[np.ndarray, "k d"]],
) -> Coded:
    """The mean and, in each subspace, the code nearest to the row."""
    values = np.broadcast_to(mean, rows.shape).copy()
    tokens = np.zeros((len(rows), len(codebooks)), dtype=np.int64)
    for part, (axes, codebook) in enumerate(zip(subspaces, codebooks, strict=True)):
        tokens[:, part] = nearest((rows - mean) @ axes.T, codebook)
        values += codebook[tokens[:, part]] @ axes
    return Coded(values, tokens)


def _allocate(scores: np.ndarray, budgets: Sequence[int], fit: Fit) -> dict[int, list[np.ndarray]]:
    """For each budget a codebook of at most 2^b codes a component, Σ b at most the budget."""
    errors = np.square(scores).sum(0)
    codebooks = [np.zeros((1, 1))] * scores.shape[1]
    found, spent = {0: list(codebooks)}, 0
    # A bit saves at most the error there is: a component is tried only when that could win.
    queue = [(-float(error), component, codebooks[0]) for component, error in enumerate(errors)]
    heapq.heapify(queue)
    while spent < max(budgets) and queue:
        _, component, codebook = heapq.heappop(queue)
        values = scores[:, [component]]
        if codebook is not codebooks[component]:
            spent += 1
            codebooks[component], errors[component] = codebook, _lost(values, codebook)
            found[spent] = list(codebooks)
        size = 2 * len(codebook)
        finer = kmeans(values, size, fit.named(f"{component}/{size}"))
        gain = errors[component] - _lost(values, finer)
        if gain > 0:
            heapq.heappush(queue, (-gain, component, finer))
    return {bits: found[min(bits, spent)] for bits in budgets}


def _lost(values: Float[np.ndarray, "n 1"], codebook: Float[np.ndarray, "k 1"]) -> float:
    return float(np.square(values - codebook[nearest(values, codebook)]).sum())
