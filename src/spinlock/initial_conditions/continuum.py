"""Fields of continuum physics: heat between two walls, shocks of a compressible flow."""

import numpy as np

from spinlock.initial_conditions import spectral

CONTRAST = (0.5, 0.9)  # a: the temperature runs from 1 - a to 1 + a
FLUCTUATION = 0.1  # standard deviation of the temperature, share of the local one
THERMAL_SCALE = 2.0  # amplitude of the field for a temperature of 1

SOURCES = (3, 6)  # cells of the flow
AGE = 0.15  # t, time since the flow started; 1 / t is the slope of the ramps
DIFFUSION_LENGTH = 0.08  # σ = √(2νt), share of the domain
LOG_WEIGHT = (-1.0, 1.0)  # of the sources


def thermal_gradient(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Heat flowing from hot walls to cold ones, with thermal fluctuations, [C, H, W].

    $u = 2(T - 1)$, $T = \bar T (1 + 0.1 \xi)$. The mean temperature obeys Fourier's law between
    walls half a period apart, $\bar T = 1 + a\,\mathrm{tri}(k \cdot x + \varphi)$: a gradient of
    constant size, with a uniform on [0.5, 0.9], k one of the four shortest integer wave vectors
    and tri the triangle wave of amplitude 1. The fluctuations are proportional to the temperature,
    $\langle \delta T^2 \rangle = k_B T^2 / C$ (Landau and Lifshitz, "Statistical Physics",
    section 112); ξ is noise of variance 1 on 4 … 8 cycles per domain.
    """
    known = spectral.half_plane(1.0, 2.0)
    ky, kx = known[rng.integers(len(known), size=channels)].T[:, :, None, None]
    phase, contrast = rng.uniform((0.0, CONTRAST[0]), (1.0, CONTRAST[1]), (channels, 2)).T
    points = np.arange(grid_size) / grid_size
    turns = ky * points[:, None] + kx * points + phase[:, None, None]
    triangle = 4 * np.abs(turns % 1.0 - 0.5) - 1
    noise = spectral.band_limited("mid", channels, grid_size, rng)
    mean = 1 + contrast[:, None, None] * triangle
    return THERMAL_SCALE * (mean * (1 + FLUCTUATION * noise) - 1)


def shock_front(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""One velocity component of a flow with shocks, an exact solution of Burgers' equation.

    $v_t + (v \cdot \nabla) v = \nu \Delta v$ is solved by $v = -2\nu \nabla \ln\theta$ with θ a
    solution of the heat equation (Hopf 1950, Cole 1951), here
    $\theta = \sum_j w_j \sum_{n \in \mathbb{Z}^2} e^{-|x - y_j + n|^2 / 2\sigma^2}$,
    $\sigma^2 = 2 \nu t$: 3 to 6 cells around uniform $y_j$ with $v = (x - y_j) / t$, and shocks
    where cells meet. $u = e \cdot v$ for a random direction e, [C, H, W]; t = 0.15, σ = 0.08.
    It grows at most as $\partial_e u \le 1 / t$ (Oleinik 1957) and falls steeply in the shocks.
    """
    return np.stack([_burgers(grid_size, rng) for _ in range(channels)])


def _burgers(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(*SOURCES, endpoint=True))
    weights = np.exp(rng.uniform(*LOG_WEIGHT, count))
    (y, dy), (x, dx) = (_heat(rng.uniform(0.0, 1.0, count), grid_size) for _ in range(2))
    angle = rng.uniform(0.0, 2 * np.pi)
    potential = np.einsum("j,jy,jx->yx", weights, y, x, optimize=False)
    slope = np.cos(angle) * np.einsum("j,jy,jx->yx", weights, dy, x, optimize=False)
    slope += np.sin(angle) * np.einsum("j,jy,jx->yx", weights, y, dx, optimize=False)
    return -(DIFFUSION_LENGTH**2) / AGE * slope / potential


def _heat(centers: np.ndarray, grid_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Periodic one-dimensional Gaussians and their derivatives, [J, H] each.

    The images ±2 reach 2 away, 25 standard deviations; what is left out is no number.
    """
    points = np.arange(grid_size) / grid_size
    distance = points - centers[:, None] + np.arange(-2, 3)[:, None, None]
    kernel = np.exp(-0.5 * np.square(distance / DIFFUSION_LENGTH))
    return kernel.sum(0), -(distance * kernel).sum(0) / DIFFUSION_LENGTH**2
