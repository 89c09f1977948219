"""The order parameter of a magnet at its critical point."""

from functools import cache

import numpy as np
from scipy import fft, sparse
from scipy.sparse import csgraph

from spinlock.initial_conditions import torus

LATTICE = 40  # spins per axis
SWEEPS = 30  # of Swendsen and Wang, whose memory lasts about 5; random spins are far from here
COARSENING = 1.0  # standard deviation of the window that averages spins, sites
BOND = 1 - 1 / (1 + np.sqrt(2.0))  # 1 - e^-2K at the critical coupling of Onsager (1944)


def critical_fluctuation(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Local magnetization of the Ising model at its critical point, [C, H, W].

    40² spins ±1 of `ising`, averaged over a Gaussian window of one site and read between the
    sites by their Fourier series. Fluctuations have no scale: the power of a mode falls as
    $k^{-(2 - \eta)}$ with $\eta = 1/4$ (Fisher 1964, "Correlation functions and the critical
    region"), times the window, $e^{-(2\pi k / 40)^2}$.
    """
    window = np.exp(-0.5 * torus.squared_wavenumbers(LATTICE) * (COARSENING / LATTICE) ** 2)
    modes = fft.rfft2(ising(channels, rng).astype(np.float64)) * window
    return torus.interpolate(fft.irfft2(modes, s=(LATTICE, LATTICE)), grid_size)


def ising(channels: int, rng: np.random.Generator) -> np.ndarray:
    """Spins ±1 [C, n, n] of the periodic square lattice in equilibrium at the critical point.

    Clusters of equal spins, bonds kept with the probability 1 - exp(-2K), turn as one (Swendsen
    and Wang 1987), 30 times from random spins.
    """
    count = channels * LATTICE**2
    sources, targets = _bonds(channels)
    spins = rng.choice([-1, 1], count)
    for _ in range(SWEEPS):
        kept = (spins[sources] == spins[targets]) & (rng.random(2 * count) < BOND)
        pairs = sources[kept], targets[kept]
        graph = sparse.coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(count, count))
        clusters, label = csgraph.connected_components(graph, directed=False)
        spins = rng.choice([-1, 1], clusters)[label]
    return spins.reshape(channels, LATTICE, LATTICE)


@cache
def _bonds(channels: int) -> tuple[np.ndarray, np.ndarray]:
    site = np.arange(channels * LATTICE**2).reshape(channels, LATTICE, LATTICE)
    neighbors = np.stack([np.roll(site, -1, axis) for axis in (-1, -2)])
    return np.tile(site.ravel(), 2), neighbors.ravel()
