r"""Gaussian fields given by a spectrum: random fields of stated variance, and band-limited noise.

A field is $u(x) = \sum_k \mathrm{Re}(c_k e^{2\pi i k \cdot x})$ over one of each pair ±k of integer
wave vectors, with independent complex normal $c_k$ of $E|c_k|^2 = 2 V p_k$, $\sum_k p_k = 1$. Its
variance over the domain has the expectation V exactly. The draws do not depend on the grid: the
same stream gives the same function on every grid that resolves it.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np

from spinlock.refusals import Refusal

# Half-open annuli of wavenumber, cycles per domain; the highest exists on a 32² grid.
BANDS = {"low": (1.0, 4.0), "mid": (4.0, 8.0), "high": (8.0, 13.0)}

GRF_KNEE = 3.0  # cycles per domain
GRF_CUTOFF = 13.0  # cycles per domain, excluded

OCTAVES = (1.0, 2.0, 4.0, 8.0, 16.0)  # cycles per domain, edges of half-open annuli


def random_field(
    variance: float, channels: int, grid_size: int, rng: np.random.Generator
) -> np.ndarray:
    r"""Gaussian random fields [C, H, W] whose expected variance over the domain is `variance`.

    $p_k \propto (k^2 + k_0^2)^{-2}$ for $1 \le k < 13$ cycles per domain with the knee $k_0 = 3$:
    the covariance $(-\Delta + \tau^2)^{-2}$ of Li et al. 2021 ("Fourier neural operator", section
    5.2), $\tau = 2\pi k_0$, a power law of exponent -4 beyond the knee. No mean. The knee leaves
    the power to about 30 pairs of modes, so that the variance of one field scatters by 16 %.
    """
    return _gaussian(_grf_modes, variance, channels, grid_size, rng)


def band_limited(band: str, channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise [C, H, W] of expected variance 1, white inside one of `BANDS`, else zero."""
    return _gaussian(lambda: _band_modes(band), 1.0, channels, grid_size, rng)


def multiscale_grf(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Log-correlated Gaussian fields [C, H, W] of expected variance 1, without a scale.

    A sum of four independent fields, one for each octave of $1 \le k < 16$ cycles per domain, of
    variance 1/4 each, with $p_k \propto k^{-2}$ inside: the slope at which all octaves of the
    plane are equal (Duplantier, Rhodes, Sheffield and Vargas 2017, "Log-correlated Gaussian
    fields"), where `random_field` keeps its variance below the knee.
    """
    return _gaussian(_octave_modes, 1.0, channels, grid_size, rng)


def _gaussian(
    modes: Callable[[], tuple[np.ndarray, np.ndarray]],
    variance: float,
    channels: int,
    grid_size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    waves, share = modes()
    require_grid(grid_size, int(np.abs(waves).max()))
    normals = rng.standard_normal((channels, 2, len(share)))
    amplitudes = np.sqrt(variance * share) * (normals[:, 0] + 1j * normals[:, 1])
    return superpose(amplitudes, waves, grid_size)


def superpose(amplitudes: np.ndarray, waves: np.ndarray, grid_size: int) -> np.ndarray:
    r"""Fields $\sum_k \mathrm{Re}(c_k e^{2\pi i k \cdot x})$, [C, H, W].

    Args:
        amplitudes: complex $c_k$ [C, M].
        waves: integer wave vectors (ky, kx) [M, 2] in cycles per domain, all different.
        grid_size: H = W, points per axis, more than twice the largest component.
    """
    spectrum = np.zeros((len(amplitudes), grid_size, grid_size), dtype=np.complex128)
    spectrum[:, waves[:, 0], waves[:, 1]] = amplitudes  # negative indices are negative waves
    return np.fft.ifft2(spectrum, norm="forward").real


def require_grid(grid_size: int, largest: int) -> None:
    """Refuse a grid that cannot resolve the wavenumber `largest`, in cycles per domain."""
    if grid_size <= 2 * largest:
        raise Refusal(
            f"sample.grid_size: this initial condition holds {largest} cycles per domain and "
            f"needs more than {2 * largest} points, got {grid_size}"
        )


def half_plane(low: float, high: float) -> np.ndarray:
    """One of each pair ±k of integer wave vectors (ky, kx) with low ≤ |k| < high, [M, 2]."""
    reach = np.arange(-int(np.ceil(high)), int(np.ceil(high)) + 1)
    ky, kx = (axis.ravel() for axis in np.meshgrid(reach, reach, indexing="ij"))
    length = np.hypot(ky, kx)
    chosen = (low <= length) & (length < high) & ((ky > 0) | ((ky == 0) & (kx > 0)))
    return np.stack([ky[chosen], kx[chosen]], axis=-1)


@cache
def _grf_modes() -> tuple[np.ndarray, np.ndarray]:
    waves = half_plane(1.0, GRF_CUTOFF)
    power = (np.square(waves).sum(-1) + GRF_KNEE**2) ** -2.0
    return waves, power / power.sum()


@cache
def _octave_modes() -> tuple[np.ndarray, np.ndarray]:
    octaves = [half_plane(*edges) for edges in pairwise(OCTAVES)]
    powers = [1.0 / np.square(waves).sum(-1) for waves in octaves]
    shares = [power / (len(octaves) * power.sum()) for power in powers]
    return np.concatenate(octaves), np.concatenate(shares)


@cache
def _band_modes(band: str) -> tuple[np.ndarray, np.ndarray]:
    waves = half_plane(*BANDS[band])
    return waves, np.full(len(waves), 1 / len(waves))
