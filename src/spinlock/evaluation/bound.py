"""The least error of a number of bits, were the columns Gaussian: how far a code is from the best.

What a code of any length loses of a Gaussian source is known (reverse water-filling; Shannon 1959,
Cover and Thomas 2006, theorem 10.3.3), and a code made for it loses as much of every other source
with the same variances (Lapidoth 1997). So a code that comes near has made of second moments what
can be made of them; to go below it must know more of the columns than those.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spinlock.evaluation import codes
from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.resampling import Estimate, times

TINY = 1e-300  # stands for no variance, whose logarithm there is not


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Squared coordinates of n operators along P axes of training rows, weighted as the error."""

    squares: Float[np.ndarray, "n P"]
    outside: Float[np.ndarray, " n"]  # squared distance to what the axes span
    columns: float  # sum of all weights

    def take(self, rows: Int[np.ndarray, " k"]) -> "Coordinates":
        """Some of the operators."""
        return Coordinates(self.squares[rows], self.outside[rows], self.columns)


def coordinates(fitted: Target, rows: Target, part: Int[np.ndarray, " M"]) -> Coordinates:
    """Along the principal axes of the fitted rows, of the cells of each part apart.

    Args:
        fitted: training rows; a cell that does not exist counts as the mean of its column.
        rows: rows to be coded.
        part: of each cell.
    """
    scale, squares = np.sqrt(fitted.weight), []
    outside = np.zeros(len(rows.values))
    for each in np.unique(part):
        own = part == each
        mean, axes, _ = codes.principal_axes(fitted.values[:, own] * scale[own])
        moved = rows.values[:, own] * scale[own] - mean
        squares.append(np.square(moved @ axes.T))
        outside += np.maximum(np.square(moved).sum(1) - squares[-1].sum(1), 0.0)
    return Coordinates(np.concatenate(squares, axis=1), outside, float(fitted.weight.sum()))


def gaussian(found: Coordinates, bits: float, how: Bootstrap) -> Estimate:
    """Least mean squared error of a column at so many bits, were it Gaussian, with its resamples.

    That of independent Gaussian coordinates with the mean squares of these very operators; what no
    axis has is lost. The bits are divided among the axes as serves best. Unit: variance of a
    standardized column; 0 if nothing varies, at most what the train mean loses.

    Args:
        found: at least one operator.
        bits: of an operator.
        how: resamples of operators.
    """
    count = len(found.squares)
    weights = np.concatenate([np.ones((1, count)), times(count, how)]) / count
    lost = distortion(weights @ found.squares, bits) + weights @ found.outside
    return Estimate(float(lost[0] / found.columns), lost[1:] / found.columns, count)


def distortion(variances: Float[np.ndarray, "*b P"], bits: float) -> Float[np.ndarray, "*b"]:
    r"""$\sum_i \min(θ, λ_i)$ with $\sum_i \max(0, \frac12 \log_2 (λ_i / θ)) = $ bits.

    With the k largest above the water, $\log_2 θ = (\sum_{i \le k} \log_2 λ_i - 2\,bits) / k$; k is
    the most for which all of them are.
    """
    falling = -np.sort(-variances, axis=-1)
    logs = np.log2(np.maximum(falling, TINY))
    number = np.arange(1, logs.shape[-1] + 1)
    levels = (np.cumsum(logs, axis=-1) - 2 * bits) / number
    most = np.maximum((levels < logs).sum(-1, keepdims=True), 1)
    water = np.exp2(np.take_along_axis(levels, most - 1, -1))
    return np.minimum(falling, water).sum(-1)
