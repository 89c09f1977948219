"""The columns of TEMPORAL, group spectral; their notation is that of `spectral`."""

import math
from collections.abc import Iterator
from itertools import pairwise

from spinlock.features.declare import Laws, Line, columns

BANDS = (1.0, 2.0, 4.0, 8.0, 16.0, math.inf)  # edges of the five bands, octaves
WAVES = (4, 18, 74, 300, math.inf)  # at most in each band; the last grows with the grid
SCALES = ("waves as long as the domain", "large patterns", "patterns", "texture", "grain")


def _band_lines() -> Iterator[Line]:
    rows = zip(pairwise(BANDS), WAVES, SCALES, strict=True)
    for number, ((low, high), waves, scale) in enumerate(rows, 1):
        band = f"{low:g} <= k < {high:g}" if high < math.inf else f"k >= {low:g}"
        yield Line(
            f"band_{number}_mean",
            f"log10(S + e), S = sum P, {band}",
            "decades",
            "Parseval",
            f"growth from decay of {scale}, as a share of the variance",
            low=-11,
            high=0,
        )
        yield Line(
            f"band_{number}_max",
            f"log10((max P + e) / (S + e)), {band}",
            "decades",
            "order statistic",
            f"one wave that rules (0) from many among {scale}",
            low=-math.log10(waves) if waves < math.inf else -math.inf,
            high=0,
        )
        yield Line(
            f"band_{number}_std",
            f"standard deviation of log10(P + e) over the waves, {band}",
            "decades",
            "Bell & Dean 1970",
            f"selected waves from noise among {scale}",
            low=0,
            high=5.5,
        )


LINES = (
    *_band_lines(),
    Line(
        "dominant_wavenumber",
        "sum k P^2 / sum P^2",
        "cycles per domain",
        "after Welch 1967, without argmax",
        "the size of the strongest pattern",
        low=1,
    ),
    Line(
        "direction_cos",
        "sum cos(2 phi) P^2 / sum P^2",
        "1",
        "Mardia 1972, axial data",
        "waves along x (1) from waves along y (-1)",
        low=-1,
        high=1,
    ),
    Line(
        "direction_sin",
        "sum sin(2 phi) P^2 / sum P^2",
        "1",
        "Mardia 1972, axial data",
        "waves along one diagonal (1) from waves along the other (-1)",
        low=-1,
        high=1,
    ),
    Line(
        "centroid",
        "c = sum k P",
        "cycles per domain",
        "Peeters 2004",
        "coarsening from refinement, all scales counted",
        low=1,
    ),
    Line(
        "bandwidth",
        "standard deviation of log2 k with weight P",
        "octaves",
        "after Peeters 2004",
        "one selected scale from many scales at once",
        low=0,
    ),
    Line(
        "low_mid_ratio",
        "log10 of (power + e) in k < 3 over that in 3 <= k < 10",
        "decades",
        "ours",
        "order across the domain from patterns inside it",
        low=-11,
        high=11,
    ),
    Line(
        "mid_high_ratio",
        "log10 of (power + e) in 3 <= k < 10 over that in k >= 10",
        "decades",
        "ours",
        "patterns from grain",
        low=-11,
        high=11,
    ),
    Line(
        "flatness",
        "log10(geometric / arithmetic mean of P + e), k < 16",
        "decades",
        "Gray & Markel 1974",
        "white noise (0) from a few waves; sees the faintest ones",
        low=-11,
        high=0,
    ),
    Line(
        "roll_off",
        "k below which 85 % of the variance lies, linear inside annuli of half an octave",
        "cycles per domain",
        "Scheirer & Slaney 1997",
        "how far up the scales the variance reaches, blind to a faint tail",
        low=1,
    ),
    Line(
        "anisotropy",
        "sqrt((sum cos(2 phi) P)^2 + (sum sin(2 phi) P)^2)",
        "1",
        "Mardia 1972, axial data",
        "coarse stripes (1) from spots and mazes (0)",
        low=0,
        high=1,
    ),
    Line(
        "slope",
        "least-squares slope of log10(mean P + e) on log10 k over annuli, k < 16",
        "1",
        "Kolmogorov 1941",
        "smooth fields (steep) from rough ones, scale by scale",
    ),
    Line(
        "entropy",
        "-sum p ln p / ln(waves), p the share of P + e in k < 16",
        "1",
        "Powell & Percival 1979",
        "order in few waves (0) from disorder in all (1); sees the strongest ones",
        low=0,
        high=1,
    ),
)

COLUMNS = columns(
    "temporal.spectral",
    LINES,
    Laws(rotation={"direction_cos": "negated", "direction_sin": "negated"}),
)
