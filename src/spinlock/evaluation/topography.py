"""Topographic similarity: do operators that are near in one space lie near in another?"""

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from spinlock.evaluation.intervals import CONFIDENCE, Bootstrap, Interval, resamples


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
    ranks = np.stack([rankdata(a), rankdata(b)])
    ranks -= ranks.mean(1, keepdims=True)
    norm = np.sqrt(np.square(ranks).sum(1).prod())
    return float(ranks[0] @ ranks[1] / norm) if norm > 0 else float("nan")


def similarity(
    a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"], how: Bootstrap
) -> Interval:
    """Spearman's correlation of two distance matrices over the pairs i < j, with its interval.

    The resamples draw operators, because pairs that share one are not independent; a pair of an
    operator with its own copy is left out.
    """
    count = len(a)
    if count < how.min_operators:
        return Interval(None, None, None, count)
    first, second = np.triu_indices(count, 1)
    drawn = []
    for rows in resamples(how.seed, count, how.num_resamples):
        left, right = rows[first], rows[second]
        apart = left != right
        drawn.append(spearman(a[left[apart], right[apart]], b[left[apart], right[apart]]))
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    value = spearman(a[first, second], b[first, second])
    if np.isnan(value):
        return Interval(None, None, None, count)
    return Interval(value, float(low), float(high), count)
