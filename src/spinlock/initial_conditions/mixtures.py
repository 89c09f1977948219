"""Two or more textures in one field: one on top of the other, or side by side."""

import numpy as np

from spinlock.initial_conditions import localized, spectral, waves

EDGE = 0.3  # width of the seam between the regions of `composite`, in units of the wave


def mixed(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Sums of a random field, a few plane waves and a few blobs, [C, H, W].

    $u = \sum_i \sqrt{w_i}\, a_i$ with independent $a_i$ of the families `gaussian_random_field`,
    `sinusoids` and `localized`, each of expected variance 1, and shares w uniform on the simplex
    (Dirichlet(1, 1, 1)) for each channel: a finite mixture (McLachlan and Peel 2000) of powers.
    So the expected variance is 1, and the mean spectrum that of the three in equal parts.
    """
    shares = rng.dirichlet(np.ones(3), channels)
    parts = (
        spectral.random_field(1.0, channels, grid_size, rng),
        waves.sinusoids(channels, grid_size, rng),
        localized.blobs(channels, grid_size, rng) / np.sqrt(blob_variance()),
    )
    return np.einsum("ci,icyx->cyx", np.sqrt(shares), np.stack(parts), optimize=False)


def blob_variance() -> float:
    r"""Expected variance over the domain of one field of `localized`.

    One bump has the mean square $\pi w^2 h^2$ and the mean $2\pi w^2 h$; random signs make bumps
    uncorrelated: $E J\, E h^2\, E[\pi w^2 - 4\pi^2 w^4]$.
    """
    count = sum(localized.COUNT) / 2
    return (
        count
        * _moment(2, *localized.HEIGHT)
        * (np.pi * _moment(2, *localized.WIDTH) - 4 * np.pi**2 * _moment(4, *localized.WIDTH))
    )


def _moment(order: int, low: float, high: float) -> float:
    """Mean of x^order for x uniform on [low, high]."""
    return (high ** (order + 1) - low ** (order + 1)) / ((order + 1) * (high - low))


def composite(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Coarse noise on one half of the domain and fine noise on the other, [C, H, W].

    $u = \cos\theta\, a + \sin\theta\, b$ with a of `band_limited_low`, b of `band_limited_mid` and
    $\theta = \frac{\pi}{4}(1 + \tanh(\cos(2\pi k \cdot x + \varphi) / 0.3))$, k one of the four
    shortest integer wave vectors: regions in stripes, of equal area. $E u^2 = 1$ at every point,
    but the spectrum depends on the place: a uniformly modulated process of two parts
    (Priestley 1965, "Evolutionary spectra and non-stationary processes").
    """
    coarse = spectral.band_limited("low", channels, grid_size, rng)
    fine = spectral.band_limited("mid", channels, grid_size, rng)
    angle = np.pi / 4 * (1 + np.tanh(_stripes(channels, grid_size, rng) / EDGE))
    return np.cos(angle) * coarse + np.sin(angle) * fine


def _stripes(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    known = spectral.half_plane(1.0, 2.0)
    ky, kx = known[rng.integers(len(known), size=channels)].T[:, :, None, None]
    phase = rng.uniform(0.0, 2 * np.pi, channels)[:, None, None]
    points = np.arange(grid_size) / grid_size
    return np.cos(2 * np.pi * (ky * points[:, None] + kx * points) + phase)
