"""Statistics of operators and of resamples of them: intervals, and paired differences of two."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spinlock.evaluation.intervals import CONFIDENCE, Bootstrap, Interval, resamples

Flat = dict[str, float | int | None]
ENDS = ("", "_low", "_high")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of n operators, and the same of each resample of them.

    Estimates on the same operators with the same `Bootstrap` share their resamples, so that
    differences and ratios of them are paired.
    """

    value: float
    drawn: Float[np.ndarray, " B"]
    count: int  # n

    def minus(self, other: "Estimate") -> "Estimate":
        """Paired difference: what both have in common cancels."""
        return Estimate(self.value - other.value, self.drawn - other.drawn, self.count)

    def over(self, other: "Estimate") -> "Estimate":
        """Paired ratio."""
        return Estimate(self.value / other.value, self.drawn / other.drawn, self.count)

    def gap(self, other: "Estimate") -> "Estimate":
        """Difference to an estimate on *other* operators, whose resamples are independent.

        The resamples of the other are taken in reverse order: where both groups are of one size
        they were drawn from one stream, and pairing them would tie together what is not.
        """
        return Estimate(self.value - other.value, self.drawn - other.drawn[::-1], self.count)

    def interval(self) -> Interval:
        """The 95 % percentile interval (Efron 1979); nothing if the statistic is not defined."""
        drawn = self.drawn[~np.isnan(self.drawn)]
        if np.isnan(self.value) or not len(drawn):
            return Interval(None, None, None, self.count)
        low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Interval(float(self.value), float(low), float(high), self.count)

    def centered(self) -> Interval:
        """The same around the value, for statistics that repeated operators make smaller.

        A resample has 63 % of the distinct operators, hence fewer codes in use, less entropy and
        less rank: its percentiles lie beside the value. What is resampled here is the deviation
        from the mean of all resamples.
        """
        moved = self.drawn - np.nanmean(self.drawn) + self.value
        return Estimate(self.value, moved, self.count).interval()


def times(count: int, how: Bootstrap) -> Float[np.ndarray, "B n"]:
    """How often each of n operators is in each resample, the same as in `intervals`."""
    rows = resamples(how.seed, count, how.num_resamples)
    places = rows + count * np.arange(len(rows))[:, None]
    found = np.bincount(places.ravel(), minlength=count * len(rows))
    return found.reshape(len(rows), count).astype(np.float64)


def flat(name: str, found: Interval) -> Flat:
    """A metric with the ends of its interval."""
    values = (found.value, found.low, found.high)
    return {f"{name}{end}": value for end, value in zip(ENDS, values, strict=True)}


def nothing(*names: str) -> Flat:
    """Metrics, with the ends of their intervals, that a group is too small for."""
    return {f"{name}{end}": None for name in names for end in ENDS}


def share_entropy(counts: Float[np.ndarray, "*b K"]) -> Float[np.ndarray, "*b"]:
    """Plug-in entropy in nats of the shares that counts have in their sum; 0 if there are none."""
    total = counts.sum(-1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logs).sum(-1)


def one_hot(symbols: Int[np.ndarray, " n"], size: int) -> Float[np.ndarray, "n {size}"]:
    """Symbols as indicator vectors."""
    return np.eye(size)[symbols]


def prefixed(prefix: str, metrics: Mapping[str, float | int | None]) -> Flat:
    """The same metrics under a prefix."""
    return {f"{prefix}{name}": value for name, value in metrics.items()}
