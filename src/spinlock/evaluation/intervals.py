"""Means and medians over operators with percentile bootstrap intervals over operators."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from spinlock import randomness

CONFIDENCE = 0.95

Statistic = Literal["mean", "median"]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made; one value for a whole report, so that rows are comparable."""

    seed: int  # root seed
    num_resamples: int
    min_operators: int  # smaller groups have no statistic


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic over operators, its 95 % interval, and how many operators it rests on.

    All three are None if there are fewer operators than `Bootstrap.min_operators`.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


def resamples(seed: int, count: int, num_resamples: int) -> np.ndarray:
    """Positions [num_resamples, count] drawn with replacement; the same for equal arguments."""
    rng = randomness.stream(seed, f"bootstrap/{count}")
    return rng.integers(count, size=(num_resamples, count))


def interval(values: Float[np.ndarray, " n"], statistic: Statistic, how: Bootstrap) -> Interval:
    """The statistic over operators with its percentile bootstrap interval (Efron 1979).

    Args:
        values: one score per operator; NaN marks an operator without one, +inf is a score.
        statistic: what is taken over the operators.
        how: resamples and the smallest group.
    """
    centre, low, high, count = curve(np.asarray(values, dtype=np.float64)[:, None], statistic, how)
    if np.isnan(centre[0]):
        return Interval(None, None, None, int(count[0]))
    return Interval(float(centre[0]), float(low[0]), float(high[0]), int(count[0]))


def curve(
    values: Float[np.ndarray, "n T"], statistic: Statistic, how: Bootstrap
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The same for each column, on the same resamples: (statistic, low, high, count), each [T].

    A resample without any value is left out; the three are NaN where fewer than
    `how.min_operators` operators have a value.
    """
    num_operators, num_columns = values.shape
    count = (~np.isnan(values)).sum(0)
    enough = count >= how.min_operators
    nothing = np.full(num_columns, np.nan)
    centre, low, high = nothing.copy(), nothing.copy(), nothing.copy()
    if enough.any():
        rows = resamples(how.seed, num_operators, how.num_resamples)
        centre[enough] = over_operators(values[None, :, enough], statistic)[0]
        drawn = np.stack(
            [over_operators(values[None, r][:, :, enough], statistic)[0] for r in rows]
        )
        low[enough] = _quantile(drawn, (1 - CONFIDENCE) / 2)
        high[enough] = _quantile(drawn, (1 + CONFIDENCE) / 2)
    return centre, low, high, count


def over_operators(
    values: Float[np.ndarray, "B n T"], statistic: Statistic
) -> Float[np.ndarray, "B T"]:
    """Mean or median along the second axis, NaN left out, +inf counted."""
    exists = ~np.isnan(values)
    count = exists.sum(1)
    if statistic == "mean":
        total = np.where(exists, values, 0.0).sum(1)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    ordered = np.sort(values, axis=1)  # NaN sorts last
    lower = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, 1)[:, 0]
    upper = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[1] - 1)[:, None], 1)
    upper = upper[:, 0]
    return np.where(count > 0, np.where(lower == upper, lower, (lower + upper) / 2), np.nan)


def _quantile(drawn: Float[np.ndarray, "B T"], q: float) -> Float[np.ndarray, " T"]:
    """An order statistic, not an interpolation: infinite scores stay what they are."""
    ordered = np.sort(drawn, axis=0)
    count = (~np.isnan(drawn)).sum(0)
    position = np.clip(np.rint(q * (count - 1)), 0, None).astype(int)
    return np.take_along_axis(ordered, position[None], 0)[0]
