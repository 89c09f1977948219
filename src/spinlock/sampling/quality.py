"""How well a design fills the unit cube, beside what random points of the same size do."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist
from scipy.stats import qmc

from spinlock import randomness
from spinlock.refusals import Refusal

JUDGED_FROM = 64  # points; below, quality is reported only
PERCENTILE = 99.0
DRAWS = 500  # random designs
SCALING_FROM = 256  # points, from which n·CD of random points has the law of its limit
MEASURED = 2**14  # points; quality is quadratic in them, and a Sobol prefix is a design


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Space-filling scores of a design of n points in d dimensions."""

    discrepancy: float  # centered, squared: `discrepancy`
    ratio: float  # discrepancy over its expectation for random points
    limit: float  # 99th percentile of the discrepancy of random points
    max_abs_correlation: float | None  # largest |Pearson r| of two coordinates; None if d = 1
    min_distance: float | None  # least Euclidean distance of two points; None if n = 1
    strata_coverage: float  # `strata_coverage`


def measure(seed: int, unit: Float[np.ndarray, "N Q"]) -> Quality:
    """Score a design; beyond 16 384 points, its first 16 384."""
    points = unit[:MEASURED]
    found = discrepancy(points)
    return Quality(
        discrepancy=found,
        ratio=found / expected_discrepancy(*points.shape),
        limit=random_percentile(seed, *points.shape),
        max_abs_correlation=max_abs_correlation(points),
        min_distance=min_distance(points),
        strata_coverage=strata_coverage(points),
    )


def refuse_poor(quality: Quality, count: int) -> None:
    """Refuse a design that fills space worse than nearly all random ones.

    Raises:
        Refusal: 64 or more points with a discrepancy above the 99th percentile of random designs.
    """
    if count >= JUDGED_FROM and quality.discrepancy > quality.limit:
        raise Refusal(
            f"sample: a design of {count} points has a centered discrepancy of "
            f"{quality.discrepancy:.3g}, allowed is {quality.limit:.3g}, the {PERCENTILE:g}th "
            "percentile of random points; take another seed or more operators"
        )


def discrepancy(points: Float[np.ndarray, "n d"]) -> float:
    r"""Squared centered L2 discrepancy (Hickernell 1998, eq. 5.5).

    $(13/12)^d - \frac2n \sum_i \prod_k (1 + \frac12 |z_{ik}| - \frac12 z_{ik}^2)
    + \frac1{n^2} \sum_{ij} \prod_k (1 + \frac12 |z_{ik}| + \frac12 |z_{jk}|
    - \frac12 |z_{ik} - z_{jk}|)$ with $z = x - 1/2$. This is what scipy calls the "CD" method:
    it takes no root, so its mean over random points is `expected_discrepancy`.
    """
    return float(qmc.discrepancy(points, method="CD"))


def expected_discrepancy(count: int, dimensions: int) -> float:
    r"""Mean of `discrepancy` over n independent uniform points, $((5/4)^d - (13/12)^d) / n$."""
    return ((5 / 4) ** dimensions - (13 / 12) ** dimensions) / count


def random_percentile(seed: int, count: int, dimensions: int) -> float:
    """99th percentile of `discrepancy` over 500 random designs, drawn with the root seed.

    n times the discrepancy is a degenerate V-statistic, whose law does not depend on n in the
    limit; beyond 256 points the percentile of 256 is scaled by 256 / n.
    """
    drawn = min(count, SCALING_FROM)
    rng = randomness.stream(seed, "design/random")
    designs = (rng.random((drawn, dimensions)) for _ in range(DRAWS))
    return float(np.percentile([discrepancy(x) for x in designs], PERCENTILE)) * drawn / count


def max_abs_correlation(points: Float[np.ndarray, "n d"]) -> float | None:
    """Largest |Pearson r| between two coordinates; None without two points or two coordinates."""
    count, dimensions = points.shape
    if count < 2 or dimensions < 2:
        return None
    matrix = np.corrcoef(points, rowvar=False)
    return float(np.abs(matrix[np.triu_indices(dimensions, 1)]).max())


def min_distance(points: Float[np.ndarray, "n d"]) -> float | None:
    """Least Euclidean distance between two points; None if there is one point."""
    if len(points) < 2:
        return None
    least = np.inf
    for start in range(0, len(points) - 1, 512):
        rows = points[start : start + 512]
        distances = cdist(rows, points[start:])
        distances[np.tril_indices(len(rows), 0, distances.shape[1])] = np.inf
        least = min(least, float(distances.min()))
    return least


def strata_coverage(points: Float[np.ndarray, "n d"]) -> float:
    """Share of strata that hold a point, averaged over coordinates.

    Each coordinate is cut into the largest power of two of equal strata that does not exceed n.
    Sobol points reach 1; random points 1 - (1 - 1/s)^n, between 0.63 and 0.87.
    """
    strata = 1 << (len(points).bit_length() - 1)
    cells = np.minimum((points * strata).astype(np.int64), strata - 1)
    return float(np.mean([len(np.unique(column)) / strata for column in cells.T]))
