"""Columns of one field, [H, W] of even size in float64, computed anew from their definitions.

Nothing of `spinlock.features` is used but the edges that define bands.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import linalg, stats

from spinlock.features.temporal.spectral import ANNULI, BANDS

FLOOR = 1e-11  # e of the documentation: added to shares of power
ATOM = 1e-6  # added to distances of quantiles


def standardized(u):
    return stats.zscore(u, axis=None)


def quantile(u, p):
    return np.quantile(standardized(u), p)


def crossings(u):
    above, size = standardized(u) > 0, len(u)
    pairs = [
        (above[y, x] != above[(y + dy) % size, (x + dx) % size])
        for y in range(size)
        for x in range(size)
        for dy, dx in ((0, 1), (1, 0))
    ]
    return size * float(np.mean(pairs))


def quartile_skewness(u):
    low, middle, high = quantile(u, [0.25, 0.5, 0.75])
    return (high + low - 2 * middle) / (high - low + ATOM)


def tail_weight(u):
    first, low, high, last = quantile(u, [0.01, 0.25, 0.75, 0.99])
    return math.log10((last - first + ATOM) / (high - low + ATOM))


def quantile_entropy(u):
    return np.log(16 * np.diff(quantile(u, np.arange(17) / 16)) + ATOM).mean()


def differentiation(size):
    """Matrices of the first and second derivative on a periodic grid of the unit interval.

    Trefethen 2000, Spectral Methods in MATLAB, equations 3.10 and 3.12: no Fourier transform.
    """
    step = 2 * math.pi / size
    j = np.arange(1, size)
    sign = (-1.0) ** j
    first = np.concatenate([[0], sign / np.tan(j * step / 2) / 2])
    second = np.concatenate(
        [[-(math.pi**2) / (3 * step**2) - 1 / 6], -sign / np.sin(j * step / 2) ** 2 / 2]
    )
    scale = 2 * math.pi
    return linalg.toeplitz(first, -first) * scale, linalg.toeplitz(second) * scale**2


def gradient(u):
    z, (first, _) = standardized(u), differentiation(len(u))
    return first @ z, z @ first.T


def steepness(u):
    return np.hypot(*gradient(u))


def root_mean_square(x):
    return np.sqrt(np.mean(np.square(x)))


def laplacian(u):
    z, (_, second) = standardized(u), differentiation(len(u))
    return second @ z + z @ second.T


def gradient_anisotropy(u):
    dy, dx = gradient(u)
    tensor = [[np.mean(a * b) for a in (dy, dx)] for b in (dy, dx)]
    small, large = np.linalg.eigvalsh(tensor)
    return (large - small) / (large + small)


def cycles(slope):
    return math.log10(slope / (2 * math.pi))


SPATIAL = {
    "mean": np.mean,
    "deviation": lambda u: math.log10(np.std(u)),
    "skewness": lambda u: stats.skew(u, axis=None),
    "kurtosis": lambda u: stats.kurtosis(u, axis=None),
    "absolute_deviation": lambda u: np.abs(standardized(u)).mean(),
    "crossing_density": crossings,
    "median": lambda u: np.median(standardized(u)),
    "minimum": lambda u: standardized(u).min(),
    "maximum": lambda u: standardized(u).max(),
    "quantile_05": lambda u: quantile(u, 0.05),
    "quantile_95": lambda u: quantile(u, 0.95),
    "interquartile_range": lambda u: stats.iqr(standardized(u)),
    "quartile_skewness": quartile_skewness,
    "tail_weight": tail_weight,
    "entropy": quantile_entropy,
    "gradient_scale": lambda u: cycles(root_mean_square(steepness(u))),
    "gradient_mean": lambda u: steepness(u).mean() / root_mean_square(steepness(u)),
    "gradient_kurtosis": lambda u: math.log10(
        np.mean(steepness(u) ** 4) / np.mean(steepness(u) ** 2) ** 2
    ),
    "gradient_maximum": lambda u: math.log10(steepness(u).max() / root_mean_square(steepness(u))),
    "gradient_height": lambda u: np.average(standardized(u), weights=steepness(u) ** 2),
    "gradient_anisotropy": gradient_anisotropy,
    "laplacian_scale": lambda u: cycles(
        root_mean_square(laplacian(u)) / root_mean_square(steepness(u))
    ),
    "laplacian_skewness": lambda u: stats.skew(laplacian(u), axis=None),
    "laplacian_kurtosis": lambda u: math.log10(
        stats.kurtosis(laplacian(u), axis=None, fisher=False)
    ),
}


@dataclass(frozen=True)
class Waves:
    """The real waves of a field: wavenumber, direction as exp(2iφ), share of the variance."""

    k: np.ndarray
    axis: np.ndarray
    share: np.ndarray

    def between(self, low, high):
        inside = (self.k >= low) & (self.k < high)
        return Waves(self.k[inside], self.axis[inside], self.share[inside])


def waves(u):
    """Each mode of the full spectrum with its conjugate, one by one."""
    size = len(u)
    power = np.abs(np.fft.fft2(u)) ** 2
    power[0, 0] = 0
    power /= power.sum()
    found = {}
    for a in range(size):
        for b in range(size):
            mirror = ((-a) % size, (-b) % size)
            if (a, b) != (0, 0) and mirror not in found:
                found[a, b] = power[a, b] + (power[mirror] if mirror != (a, b) else 0)
    index = np.array(list(found))
    ky, kx = (index - size * (index > size // 2)).T
    # at the wavenumber of the grid the sign of a component is not known: no diagonal there
    known = (2 * index != size).all(1)
    axis = (kx**2 - ky**2 + 2j * kx * ky * known) / (kx**2 + ky**2)
    return Waves(np.hypot(ky, kx), axis, np.array(list(found.values())))


def band(number):
    return lambda u: waves(u).between(BANDS[number - 1], BANDS[number]).share


def band_mean(share):
    return math.log10(share.sum() + FLOOR)


def band_max(share):
    return math.log10((share.max() + FLOOR) / (share.sum() + FLOOR))


def band_std(share):
    return np.std(np.log10(share + FLOOR))


def of_bands():
    statistics = {"mean": band_mean, "max": band_max, "std": band_std}
    return {
        f"band_{number}_{name}": lambda u, number=number, statistic=statistic: statistic(
            band(number)(u)
        )
        for number in range(1, 6)
        for name, statistic in statistics.items()
    }


def peak(u, values):
    found = waves(u)
    return np.average(values(found), weights=found.share**2)


def bandwidth(u):
    found = waves(u)
    return math.sqrt(np.cov(np.log2(found.k), aweights=found.share, ddof=0))


def ratio(u, edges):
    low, middle, high = edges
    above, below = (waves(u).between(*pair).share.sum() for pair in ((low, middle), (middle, high)))
    return math.log10((above + FLOOR) / (below + FLOOR))


def resolved(u):
    return waves(u).between(1, 16).share + FLOOR


def annuli(u):
    """Waves of each annulus that has one."""
    found = waves(u)
    parts = [found.between(low, high) for low, high in pairwise(ANNULI)]
    return [part for part in parts if len(part.k)]


def slope(u):
    whole = [part for part in annuli(u) if part.k.max() < 16]
    density = [math.log10(part.share.mean() + FLOOR) for part in whole]
    return stats.linregress([math.log10(part.k.mean()) for part in whole], density).slope


def roll_off(u):
    parts = annuli(u)
    below = np.cumsum([0, *(part.share.sum() for part in parts)])
    return np.interp(0.85, below, [*(part.k.min() for part in parts), parts[-1].k.max()])


def disorder(u):
    return stats.entropy(resolved(u)) / math.log(len(resolved(u)))


SPECTRAL = of_bands() | {
    "dominant_wavenumber": lambda u: peak(u, lambda found: found.k),
    "direction_cos": lambda u: peak(u, lambda found: found.axis.real),
    "direction_sin": lambda u: peak(u, lambda found: found.axis.imag),
    "centroid": lambda u: np.average(waves(u).k, weights=waves(u).share),
    "bandwidth": bandwidth,
    "low_mid_ratio": lambda u: ratio(u, (0, 3, 10)),
    "mid_high_ratio": lambda u: ratio(u, (3, 10, math.inf)),
    "flatness": lambda u: math.log10(stats.gmean(resolved(u)) / resolved(u).mean()),
    "roll_off": roll_off,
    "anisotropy": lambda u: abs(np.average(waves(u).axis, weights=waves(u).share)),
    "slope": slope,
    "entropy": disorder,
}
