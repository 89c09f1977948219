"""INITIAL columns of one field, [H, W] of even size in float64, anew from their definitions."""

import math
from collections import deque

import numpy as np
from scipy import signal, stats
from sklearn.metrics import mutual_info_score

GRID = 32
LEVEL = 1 - 1e-5


def analyzed(u):
    """Standardized on the grid of 32²: waves up to 15 cycles per domain, by scipy."""
    if len(u) != GRID:
        for axis in (0, 1):
            # an odd number of points has no wave at its own wavenumber
            u = signal.resample(signal.resample(u, GRID - 1, axis=axis), GRID, axis=axis)
    return stats.zscore(u, axis=None)


def clusters(u):
    """Areas of the clusters of equal sign, filled from seed to seed across the seam."""
    z = analyzed(u)
    left = {(y, x): np.sign(z[y, x]) for y, x in np.argwhere(np.abs(z) >= LEVEL)}
    areas = []
    while left:
        start = next(iter(left))
        sign, area, queue = left.pop(start), 1, deque([start])
        while queue:
            y, x = queue.popleft()
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                place = ((y + dy) % GRID, (x + dx) % GRID)
                if left.get(place) == sign:
                    del left[place]
                    area += 1
                    queue.append(place)
        areas.append(area)
    return areas


def morans_i(u):
    z = analyzed(u)
    products = [
        z[y, x] * z[(y + dy) % GRID, (x + dx) % GRID]
        for y in range(GRID)
        for x in range(GRID)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
    ]
    return np.mean(products) / np.mean(z**2)


def centroid_distance(u):
    energy = analyzed(u) ** 2
    circle = np.exp(2j * math.pi * np.arange(GRID) / GRID)
    square = 0.0
    for profile in (energy.sum(0), energy.sum(1)):
        mean = np.sum(profile * circle)
        square += np.average(np.abs(circle - mean / abs(mean)) ** 2, weights=profile)
    return math.sqrt(square) / (2 * math.pi)


def spectrum(u):
    """Wavenumber and power of every mode but the mean."""
    k = np.fft.fftfreq(len(u), 1 / len(u))
    length, power = np.hypot(k[:, None], k), np.abs(np.fft.fft2(u)) ** 2
    return length[length > 0], power[length > 0]


def dominant_wavenumber(u):
    k, power = spectrum(u)
    return np.bincount(np.floor(k + 0.5).astype(int), power).argmax()


def power_law_exponent(u):
    k, power = spectrum(analyzed(u))
    shell = np.floor(k + 0.5).astype(int)
    floor = 1e-6 * power[shell <= 15].mean()
    density = [math.log(power[shell == b].mean() + floor) for b in range(1, 16)]
    return stats.linregress(np.log(np.arange(1, 16)), density).slope


def classes(u):
    """Classes of width 1/2, the central one from -1/4 to 1/4, the outermost open."""
    return np.digitize(analyzed(u), np.arange(-3.75, 4, 0.5))


def entropy(levels):
    return stats.entropy(np.unique(levels, return_counts=True)[1], base=2)


def local_entropy_variance(u):
    wrapped = np.pad(classes(u), (0, 7), mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(wrapped, (8, 8)).reshape(GRID**2, 64)
    return np.var([entropy(window) for window in windows])


def predictability(u):
    levels = classes(u)
    shared = [
        mutual_info_score(levels.ravel(), np.roll(levels, 1, axis).ravel()) for axis in (0, 1)
    ]
    return np.mean(shared) / math.log(2) / entropy(levels)


def peak_first(u):
    """Translated so that the largest deviation is positive, at the origin."""
    z = analyzed(u)
    y, x = np.unravel_index(np.abs(z).argmax(), z.shape)
    return np.roll(z, (-y, -x), (0, 1)) * np.sign(z[y, x])


def phrases(symbols):
    """Ziv & Lempel 1978 by a tree of what was seen."""
    root: dict = {}
    count, node = 0, root
    for symbol in symbols:
        if node is root:
            count += 1
        if symbol in node:
            node = node[symbol]
        else:
            node[symbol], node = {}, root
    return count


def lempel_ziv_complexity(u):
    positive = peak_first(u) > 0
    counts = np.array([phrases(scan.ravel().tolist()) for scan in (positive, positive.T)])
    return np.mean(counts * np.log2(counts)) / positive.size


def radial_gradient(u):
    z = peak_first(u)
    line = np.abs(np.fft.fftfreq(GRID))
    r = np.hypot(line[:, None], line)
    return stats.linregress(r[r <= 0.25], z[r <= 0.25]).slope


def rotational_symmetry(u):
    z = analyzed(u)
    # a convolution with the turned field at every shift, multiplied out
    return signal.correlate2d(z, np.rot90(z), mode="same", boundary="wrap").max() / z.size


INITIAL = {
    "morphology.cluster_count": lambda u: len(clusters(u)),
    "morphology.largest_cluster_fraction": lambda u: max(clusters(u)) / sum(clusters(u)),
    "spatial.morans_i": morans_i,
    "spatial.centroid_distance": centroid_distance,
    "spectral.dominant_wavenumber": dominant_wavenumber,
    "spectral.centroid": lambda u: np.average(spectrum(u)[0], weights=spectrum(u)[1]),
    "spectral.power_law_exponent": power_law_exponent,
    "information.entropy": lambda u: entropy(classes(u)),
    "information.local_entropy_variance": local_entropy_variance,
    "information.lempel_ziv_complexity": lempel_ziv_complexity,
    "information.lag1_predictability": predictability,
    "morphology.area_density": lambda u: np.mean(np.abs(analyzed(u)) >= LEVEL),
    "spatial.radial_gradient": radial_gradient,
    "spatial.rotational_symmetry": rotational_symmetry,
}
