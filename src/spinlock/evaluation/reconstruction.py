"""How much of the target a code gives back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import CONFIDENCE, Bootstrap, Interval, resamples


@dataclass(frozen=True, slots=True)
class Errors:
    """Squared errors by operator and column, summed over the cells that exist; and their number."""

    squares: Float[np.ndarray, "n D"]
    cells: Float[np.ndarray, "n D"]

    def of(self, columns: Bool[np.ndarray, " D"]) -> "Errors":
        """The same for some of the columns."""
        return Errors(self.squares[:, columns], self.cells[:, columns])


def errors(values: Float[np.ndarray, "n M"], target: Target) -> Errors:
    """Squared errors of reconstructed cells, by operator and column."""
    member = np.zeros((len(target.column), target.column.max() + 1))
    member[np.arange(len(member)), target.column] = 1
    exists = target.exists.astype(np.float64)
    return Errors((exists * np.square(values - target.values)) @ member, exists @ member)


def reconstruction(found: Errors, how: Bootstrap) -> Interval:
    """Mean over columns of the mean squared error of each, with an interval over operators.

    The definition of `tokenizer.scores.reconstruction`: 0 is perfect, 1 is about what the train
    mean gives. A column without any cell does not count.
    """
    count = len(found.squares)
    if count < how.min_operators:
        return Interval(None, None, None, count)
    rows = resamples(how.seed, count, how.num_resamples)
    times = np.stack([np.bincount(row, minlength=count) for row in rows])
    drawn = _mean_of_columns(times @ found.squares, times @ found.cells)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    value = _mean_of_columns(found.squares.sum(0), found.cells.sum(0))
    return Interval(float(value), float(low), float(high), count)


def column_r2(values: Float[np.ndarray, "n M"], target: Target) -> Float[np.ndarray, " D"]:
    """1 − squared error / squared deviation from the rows' mean, for each column.

    The bins of a TEMPORAL column count together; NaN for a column that does not vary.
    """
    mean = np.where(target.exists, target.values, 0.0).sum(0) / np.maximum(target.exists.sum(0), 1)
    residual = errors(values, target).squares.sum(0)
    spread = errors(np.broadcast_to(mean, values.shape), target).squares.sum(0)
    return 1 - np.divide(residual, spread, out=np.full(spread.shape, np.nan), where=spread > 0)


def effective_rank(values: Float[np.ndarray, "n M"]) -> float:
    r"""Dimensions in use: $\exp(-\sum_i p_i \ln p_i)$, $p_i$ the shares of variance by PCA.

    Source: Roy & Vetterli 2007, with variances for singular values. 0 if nothing varies.
    """
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    variance = np.square(singular)
    if variance.sum() <= 0:
        return 0.0
    share = variance[variance > 0] / variance.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _mean_of_columns(squares: Float[np.ndarray, "*b D"], cells: Float[np.ndarray, "*b D"]):
    seen = cells > 0
    means = np.divide(squares, cells, out=np.zeros(squares.shape), where=seen)
    return means.sum(-1) / seen.sum(-1)
