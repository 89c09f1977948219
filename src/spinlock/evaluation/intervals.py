"""Means and medians over operators with percentile bootstrap intervals over operators."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

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

    def within(self, least: float, most: float) -> "Interval":
        """The same, with its ends inside the range of the statistic."""
        if self.low is None or self.high is None:
            return self
        return replace(self, low=max(self.low, least), high=min(self.high, most))


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
    return intervals(np.asarray(values, dtype=np.float64)[:, None], statistic, how)[0]


def intervals(
    values: Float[np.ndarray, "n D"], statistic: Statistic, how: Bootstrap
) -> list[Interval]:
    """The same for each column, on the same resamples."""
    centre, low, high, count = curve(values, statistic, how)
    return [
        Interval(None, None, None, int(number))
        if np.isnan(middle)
        else Interval(float(middle), float(lower), float(upper), int(number))
        for middle, lower, upper, number in zip(centre, low, high, count, strict=True)
    ]


def curve(
    values: Float[np.ndarray, "n T"], statistic: Statistic, how: Bootstrap
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The same as arrays: (statistic, low, high, count), each [T].

    A resample without any value is left out; the three are NaN where fewer than
    `how.min_operators` operators have a value.
    """
    columns = np.ascontiguousarray(values.T, dtype=np.float64)
    centre, count = centres(values, statistic, how)
    low, high = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    rows = resamples(how.seed, values.shape[0], how.num_resamples) if len(values) else None
    for index in np.flatnonzero(~np.isnan(centre)):
        drawn = over_operators(columns[index][rows], statistic)
        low[index] = _quantile(drawn, (1 - CONFIDENCE) / 2)
        high[index] = _quantile(drawn, (1 + CONFIDENCE) / 2)
    return centre, low, high, count


def centres(
    values: Float[np.ndarray, "n T"], statistic: Statistic, how: Bootstrap
) -> tuple[Float[np.ndarray, " T"], Int[np.ndarray, " T"]]:
    """The statistic of each column without an interval, and its count; NaN if there are too few."""
    count = (~np.isnan(values)).sum(0)
    centre = over_operators(values.T, statistic)
    return np.where(count >= how.min_operators, centre, np.nan), count


def over_operators(
    values: Float[np.ndarray, "*b n"], statistic: Statistic
) -> Float[np.ndarray, "*b"]:
    """Mean or median along the last axis, NaN left out, +inf counted; NaN if there is nothing."""
    exists = ~np.isnan(values)
    count = exists.sum(-1)
    if statistic == "mean":
        total = np.where(exists, values, 0.0).sum(-1)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # NaN sorts last
    places = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)])
    lower, upper = (np.take_along_axis(ordered, p[..., None], -1)[..., 0] for p in places)
    return np.where(count > 0, np.where(lower == upper, lower, (lower + upper) / 2), np.nan)


def _quantile(drawn: Float[np.ndarray, " B"], q: float) -> float:
    """An order statistic, not an interpolation: infinite scores stay what they are."""
    ordered = np.sort(drawn[~np.isnan(drawn)])
    return float(ordered[round(q * (len(ordered) - 1))])
