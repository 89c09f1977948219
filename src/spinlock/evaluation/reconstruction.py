"""How much of the target a code gives back."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import Bootstrap, Interval
from spinlock.evaluation.resampling import Estimate, share_entropy, times


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
    member, exists = _member(target), target.exists.astype(np.float64)
    return Errors((exists * np.square(values - target.values)) @ member, exists @ member)


def reconstruction(found: Errors, how: Bootstrap) -> Interval:
    """Mean over columns of the mean squared error of each, with an interval over operators.

    The definition of `tokenizer.scores.reconstruction`: 0 is perfect, 1 is about what the train
    mean gives. A column without any cell does not count.
    """
    count = len(found.squares)
    if count < how.min_operators:
        return Interval(None, None, None, count)
    return estimate(found, how).interval()


def estimate(found: Errors, how: Bootstrap) -> Estimate:
    """The same of at least one operator and of its resamples, to be compared with another code."""
    count = len(found.squares)
    many = times(count, how)
    value = _mean_of_columns(found.squares.sum(0), found.cells.sum(0))
    drawn = _mean_of_columns(many @ found.squares, many @ found.cells)
    return Estimate(float(value), drawn, count)


@dataclass(frozen=True, slots=True)
class Explained:
    """R² of each of D columns on n operators, and on each of B resamples of them."""

    value: Float[np.ndarray, " D"]  # NaN for a column that does not vary
    drawn: Float[np.ndarray, "B D"]
    count: int

    def median(self, columns: Bool[np.ndarray, " D"]) -> Estimate:
        """Median over some columns, at least one of which varies: robust to near-constant ones."""
        drawn, part = np.full(len(self.drawn), np.nan), self.drawn[:, columns]
        varies = ~np.isnan(part).all(1)  # not in a resample of one operator alone
        drawn[varies] = np.nanmedian(part[varies], axis=1)
        return Estimate(float(np.nanmedian(self.value[columns])), drawn, self.count)

    def column(self, index: int) -> Estimate:
        """One column."""
        return Estimate(float(self.value[index]), self.drawn[:, index], self.count)


def explained(values: Float[np.ndarray, "n M"], target: Target, how: Bootstrap) -> Explained:
    r"""Share of the variance of each column that a code gives back.

    $R^2 = 1 - \sum_i (x_i - \hat x_i)^2 / \sum_i (x_i - \bar x)^2$ with the mean of the same
    operators; the bins of a TEMPORAL column count together. 1 is perfect, 0 the operators' own
    mean, and less is worse than that.
    """
    many = times(len(values), how)
    found = np.concatenate([np.ones((1, len(values))), many])
    residual = found @ errors(values, target).squares
    exists = target.exists.astype(np.float64)
    x = np.where(target.exists, target.values, 0.0)
    cells, first, second = found @ exists, found @ x, found @ np.square(x)
    spread = second - np.divide(first**2, cells, out=np.zeros_like(first), where=cells > 0)
    scatter = np.maximum(spread, 0.0) @ _member(target)
    least = np.finfo(np.float64).eps * (second @ _member(target))
    r2 = 1 - np.divide(residual, scatter, np.full(scatter.shape, np.nan), where=scatter > least)
    return Explained(r2[0], r2[1:], len(values))


def effective_rank(values: Float[np.ndarray, "n M"]) -> float:
    r"""Dimensions in use: $\exp(-\sum_i p_i \ln p_i)$, $p_i$ the shares of variance by PCA.

    Source: Roy & Vetterli 2007, with variances for singular values. 0 if nothing varies, and at
    most the number of operators less one.
    """
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    variance = np.square(singular)
    return float(np.exp(share_entropy(variance))) if variance.sum() > 0 else 0.0


def rank(values: Float[np.ndarray, "n M"], how: Bootstrap) -> Estimate:
    """`effective_rank` with its resamples; read `Estimate.centered`, since repeats lower it."""
    left, singular, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    scores = left * singular  # the operators in as many dimensions as they span
    drawn = [_weighted_rank(scores, weight) for weight in times(len(values), how) / len(values)]
    return Estimate(effective_rank(values), np.array(drawn), len(values))


def _weighted_rank(scores: Float[np.ndarray, "n r"], weight: Float[np.ndarray, " n"]) -> float:
    mean = weight @ scores
    covariance = (scores * weight[:, None]).T @ scores - np.outer(mean, mean)
    variance = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    return float(np.exp(share_entropy(variance))) if variance.sum() > 0 else 0.0


def _member(target: Target) -> Float[np.ndarray, "M D"]:
    """1 where a cell belongs to a column."""
    member = np.zeros((len(target.column), target.column.max() + 1))
    member[np.arange(len(member)), target.column] = 1
    return member


def _mean_of_columns(squares: Float[np.ndarray, "*b D"], cells: Float[np.ndarray, "*b D"]):
    seen = cells > 0
    means = np.divide(squares, cells, out=np.zeros(squares.shape), where=seen)
    return means.sum(-1) / seen.sum(-1)
