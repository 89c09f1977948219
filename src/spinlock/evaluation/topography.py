"""Topographic similarity: do operators that are near in one space lie near in another?"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from spinlock.evaluation.intervals import Bootstrap, Interval, resamples
from spinlock.evaluation.resampling import Estimate

MOST = 512  # operators, the first of a group, whose pairs are compared: 131 thousand pairs


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
    wanted: Mapping[str, tuple[str, str]],
    how: Bootstrap,
) -> dict[str, Estimate]:
    """Spearman's correlation of two distance matrices over the pairs i < j, for some couples.

    The resamples draw operators, because pairs that share one are not independent; a pair of an
    operator with its own copy is left out. All couples see the same resamples, so their
    differences are paired.

    Args:
        spaces: distances of the same n operators in some spaces.
        wanted: name of a similarity → the two spaces it compares.
        how: resamples.
    """
    names = list(spaces)
    places = {name: (names.index(a), names.index(b)) for name, (a, b) in wanted.items()}
    stack = np.stack([spaces[name] for name in names])
    count = stack.shape[1]
    first, second = np.triu_indices(count, 1)
    drawn = np.empty((how.num_resamples + 1, len(names), len(names)))
    drawn[0] = _correlations(stack[:, first, second])
    for index, rows in enumerate(resamples(how.seed, count, how.num_resamples), 1):
        left, right = rows[first], rows[second]
        apart = left != right
        drawn[index] = _correlations(stack[:, left[apart], right[apart]])
    return {
        name: Estimate(float(drawn[0, a, b]), drawn[1:, a, b], count)
        for name, (a, b) in places.items()
    }


def similarity(
    a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"], how: Bootstrap
) -> Interval:
    """One of them with its interval; nothing if there are few operators or a side is constant."""
    if len(a) < how.min_operators:
        return Interval(None, None, None, len(a))
    return similarities({"a": a, "b": b}, {"ab": ("a", "b")}, how)["ab"].interval()


def _correlations(distances: Float[np.ndarray, "q p"]) -> Float[np.ndarray, "q q"]:
    """Spearman's rank correlations of q lists of distances; NaN where one never varies."""
    ranks = rankdata(distances, axis=1)
    ranks -= ranks.mean(1, keepdims=True)
    power = np.square(ranks).sum(1)
    square = np.sqrt(np.outer(power, power))
    return np.divide(ranks @ ranks.T, square, np.full(square.shape, np.nan), where=square > 0)
