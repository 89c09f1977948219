"""Topographic similarity: do operators that are near in one space lie near in another?"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from spinlock.evaluation.intervals import Bootstrap, Interval, resamples
from spinlock.evaluation.resampling import Estimate, times

MOST = 512  # operators, the first of a group, whose pairs are compared: 131 thousand pairs
NEAREST = 5  # operators that are an operator's neighbours
DETERMINED = 1e-9  # share of a variance that is rounding


def euclidean(values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n n"]:
    """Euclidean distance of each pair of rows."""
    square = np.square(values).sum(1)
    squared = square[:, None] + square[None] - 2 * values @ values.T
    return np.sqrt(np.maximum(squared, 0.0))


def hamming(tokens: Int[np.ndarray, "n S"]) -> Float[np.ndarray, "n n"]:
    """Share of tokens in which each pair of rows differs."""
    return np.mean([column[:, None] != column[None] for column in tokens.T], axis=0)


def spearman(a: Float[np.ndarray, " p"], b: Float[np.ndarray, " p"]) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN if either never varies."""
    return float(_correlations(np.stack([a, b]))[0, 1])


def similarities(
    spaces: Mapping[str, Float[np.ndarray, "n n"]],
    wanted: Mapping[str, tuple[str, ...]],
    how: Bootstrap,
) -> dict[str, Estimate]:
    """Spearman's correlation of two distance matrices over the pairs i < j, for some couples.

    With further spaces it is the partial one, of what is left of the ranks once those of the
    further are regressed out (partial Mantel statistic, Smouse et al. 1986); what is no linear
    function of their ranks stays.

    The resamples draw operators, because pairs that share one are not independent; a pair of an
    operator with its own copy is left out. All couples see the same resamples, so their
    differences are paired.

    Args:
        spaces: distances of the same n operators in some spaces.
        wanted: name of a similarity → the two spaces it compares, and any to regress out.
        how: resamples.
    """
    names = list(spaces)
    places = {name: [names.index(space) for space in used] for name, used in wanted.items()}
    stack = np.stack([spaces[name] for name in names])
    count = stack.shape[1]
    first, second = np.triu_indices(count, 1)
    drawn = np.empty((how.num_resamples + 1, len(names), len(names)))
    drawn[0] = _correlations(stack[:, first, second])
    for index, rows in enumerate(resamples(how.seed, count, how.num_resamples), 1):
        left, right = rows[first], rows[second]
        apart = left != right
        drawn[index] = _correlations(stack[:, left[apart], right[apart]])
    found = {}
    for name, used in places.items():
        left = drawn[:, used][:, :, used]
        for held in range(2, len(used)):
            left = _partial(left, held)
        found[name] = Estimate(float(left[0, 0, 1]), left[1:, 0, 1], count)
    return found


def similarity(
    a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"], how: Bootstrap
) -> Interval:
    """One of them with its interval; nothing if there are few operators or a side is constant."""
    if len(a) < how.min_operators:
        return Interval(None, None, None, len(a))
    return similarities({"a": a, "b": b}, {"ab": ("a", "b")}, how)["ab"].interval()


def neighbours(
    given: Float[np.ndarray, "n n"], other: Float[np.ndarray, "n n"], how: Bootstrap
) -> Estimate:
    """Share of an operator's nearest in one space that are its nearest in another, their mean.

    1: the same neighbours; bad case: `NEAREST` / (n − 1), as of shuffled rows, which is much of 1
    if there are few. The resamples draw operators, each with the neighbours that it has among all.
    """
    share = (_nearest(given) * _nearest(other)).sum(1) / NEAREST
    drawn = times(len(share), how) @ share / len(share)
    return Estimate(float(share.mean()), drawn, len(share))


def by_size(
    sizes: Float[np.ndarray, " n"],
    train: Float[np.ndarray, " t"],
    codes: Sequence[int],
) -> Int[np.ndarray, "n S"]:
    """Tokens that say nothing but how large an operator is; a bad case of `hamming`.

    Token s of S has one code for all below the quantile s / S of the training sizes, and parts
    the others evenly. Distances are large where either operator is, and so are theirs.

    Args:
        sizes: of the operators.
        train: of the training operators.
        codes: how many codes each of the S tokens has.
    """
    share = np.searchsorted(np.sort(train), sizes) / len(train)
    tokens = []
    for place, number in enumerate(codes):
        least = place / len(codes)
        above = np.floor((share - least) / (1 - least) * (number - 1)).clip(0, max(number - 2, 0))
        tokens.append(np.where(share < least, 0, 1 + above) if number > 1 else 0 * above)
    return np.stack(tokens, 1).astype(np.int64)


def sizes_apart(sizes: Float[np.ndarray, " n"]) -> dict[str, Float[np.ndarray, "n n"]]:
    """What sizes alone say of distances: of each pair the difference, and the hypotenuse.

    The latter is the distance of two points of these sizes in perpendicular directions, which in
    many dimensions most are.
    """
    return {
        "size_difference": np.abs(sizes[:, None] - sizes),
        "size_hypotenuse": np.hypot(sizes[:, None], sizes),
    }


def _nearest(space: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """1 for each row's `NEAREST`; those that are equally far share the places that are left."""
    others = space + np.diag(np.full(len(space), np.inf))
    last = np.sort(others, 1)[:, NEAREST - 1 : NEAREST]
    nearer, level = others < last, others == last
    left = NEAREST - nearer.sum(1, keepdims=True)
    return nearer + level * left / level.sum(1, keepdims=True)


def _correlations(distances: Float[np.ndarray, "q p"]) -> Float[np.ndarray, "q q"]:
    """Spearman's rank correlations of q lists of distances; NaN where one never varies."""
    ranks = rankdata(distances, axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    power = np.square(ranks).sum(1)
    square = np.sqrt(np.outer(power, power))
    return np.divide(ranks @ ranks.T, square, np.full(square.shape, np.nan), where=square > 0)


def _partial(correlations: Float[np.ndarray, "r q q"], held: int) -> Float[np.ndarray, "r q q"]:
    """Partial correlations with one variable held; NaN with one that it determines."""
    own = correlations[:, :, held]
    left = 1 - np.square(own)
    left[left < DETERMINED] = np.nan
    both = correlations - own[:, :, None] * own[:, None]
    return both / np.sqrt(left[:, :, None] * left[:, None])
