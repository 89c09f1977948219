"""Fields that know the speed of light, c = 1 domain per unit of time."""

from functools import cache

import numpy as np

from spinlock.initial_conditions.spectral import half_plane, require_grid, superpose

FLASHES = (1, 4)  # events
ELAPSED = (0.12, 0.35)  # time since an event
FLASH_WIDTH = 0.06  # standard deviation of a flash, share of the domain
FLASH_HEIGHT = (3.0, 6.0)
FLASH_CUTOFF = 15.0  # cycles per domain, excluded: a flash has 1e-7 of its height there

MASS = 7.0  # m, cycles per domain: one over the Compton wavelength
SPEED = (0.4, 0.7)  # v
REST_WIDTH = 0.1  # standard deviation of |φ|² in the packet's own frame
PACKET_HEIGHT = (2.5, 3.5)
PACKET_CUTOFF = 14.0  # cycles per domain, excluded


def light_cone(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Waves from 1 to 4 flashes at different times, seen now, [C, H, W].

    $u = \sum_j s_j h_j \cos(\tau_j \sqrt{-\Delta})\, e^{-|x - c_j|^2 / 2 w^2}$ solves
    $u_{tt} = \Delta u$ from rest (Evans 2010, "Partial Differential Equations", section 2.4),
    with uniform centers, a time $\tau_j$ on [0.12, 0.35] since each flash, heights on [3, 6],
    random signs and w = 0.06: the field lives in the disks $|x - c_j| \le \tau_j$ (and a few
    w), the future light cones of the flashes, with a front at their rims.
    """
    waves, length = _plane(FLASH_CUTOFF)
    require_grid(grid_size, int(np.abs(waves).max()))
    flash = 4 * np.pi * FLASH_WIDTH**2 * np.exp(-2 * np.square(np.pi * FLASH_WIDTH * length))
    flash[0] /= 2  # the mean is one mode, every other entry stands for a pair
    amplitudes = np.stack([flash * _flashes(waves, length, rng) for _ in range(channels)])
    return superpose(amplitudes, waves, grid_size)


def _flashes(waves: np.ndarray, length: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sum over the flashes of h cos(2π|k|τ) exp(-2πi k·c), [M]."""
    count = int(rng.integers(*FLASHES, endpoint=True))
    centers = rng.uniform(0.0, 1.0, (count, 2))
    elapsed = rng.uniform(*ELAPSED, (count, 1))
    height = rng.uniform(*FLASH_HEIGHT, count) * rng.choice([-1.0, 1.0], count)
    shifts = np.exp(-2j * np.pi * np.einsum("jd,md->jm", centers, waves))
    return np.einsum("j,jm,jm->m", height, np.cos(2 * np.pi * elapsed * length), shifts)


def relativistic_wave_packet(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Packets of the Klein–Gordon equation in fast motion, real part, [C, H, W].

    $\varphi = \sum_k \frac{a(k')}{\omega_k} e^{2\pi i k \cdot (x - c)}$, $\omega_k^2 = k^2 + m^2$,
    with $a(k') = e^{-4\pi^2 \sigma^2 k'^2}$ a Gaussian in the momentum of the rest frame,
    $k'_\parallel = \gamma (k_\parallel - v \omega_k)$, $k'_\perp = k_\perp$ (Bjorken and Drell
    1965): a packet at rest, boosted exactly. m = 7 cycles per domain, σ = 0.1, speed uniform on
    [0.4, 0.7], random direction, center, phase and height. It moves with the mean wavenumber
    $m \gamma v$ and is shorter by $\gamma$ along its path (Lorentz contraction).
    """
    waves, length = _plane(PACKET_CUTOFF)
    require_grid(grid_size, int(np.abs(waves).max()))
    both = np.concatenate([waves[1:], -waves[1:]])
    omega = np.hypot(np.concatenate([length[1:], length[1:]]), MASS)
    amplitudes = np.stack([_boosted(both, omega, rng) for _ in range(channels)])
    return superpose(amplitudes, both, grid_size)


def _boosted(waves: np.ndarray, omega: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Amplitudes of one packet whose largest value is its height, [M]."""
    speed, height = rng.uniform(*SPEED), rng.uniform(*PACKET_HEIGHT)
    angle, phase = rng.uniform(0.0, 2 * np.pi, 2)
    sin, cos = np.sin(angle), np.cos(angle)
    (ky, kx), (y, x) = waves.T, rng.uniform(0.0, 1.0, 2)
    ahead, aside = sin * ky + cos * kx, cos * ky - sin * kx
    shift = np.exp(1j * (phase - 2 * np.pi * (ky * y + kx * x)))
    rest = (ahead - speed * omega) / np.sqrt(1 - speed**2)
    shape = np.exp(-4 * np.square(np.pi * REST_WIDTH) * (rest**2 + aside**2)) / omega
    return height * shape / shape.sum() * shift


@cache
def _plane(cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """The mean and one of each pair ±k with |k| < cutoff, [M, 2], and their lengths, [M]."""
    waves = np.concatenate([np.zeros((1, 2), dtype=np.int64), half_plane(1.0, cutoff)])
    return waves, np.hypot(waves[:, 0], waves[:, 1])
