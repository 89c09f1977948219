"""A nonlinear function of a smooth Gaussian field: heavy tails, two phases."""

import numpy as np
from scipy import special

from spinlock.initial_conditions import spectral

TAIL_INDEX = 3.0  # ν: P(|u| > x) ∝ x^-ν
LARGEST = 20.0  # where the tail is cut
SCALE = 1 / np.sqrt(3.0)  # of Student's t, whose variance is ν / (ν - 2)

INTERFACE = 0.02  # ξ, share of the domain
PHASE_CYCLES = (1.0, 4.0)  # half-open, cycles per domain, of the field whose zeros are interfaces
OFFSET = 0.5  # the interface is a level on [-0.5, 0.5] standard deviations
DEPTH = 0.2  # D, share of the domain: no point is deeper in its phase


def heavy_tailed(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Fields whose value at every point has Student's t distribution, [C, H, W].

    $u = F^{-1}(\Phi(g)) / \sqrt 3$ with g a `gaussian_random_field` of variance 1 and F the t
    distribution of 3 degrees of freedom, cut at |u| = 20 (a translation process: Grigoriu 1998,
    "Simulation of stationary non-Gaussian translation processes"). Tail index 3: infinite
    kurtosis but for the cut; expected square 1, 0.945 after it.
    """
    gaussian = spectral.random_field(1.0, channels, grid_size, rng)
    cut = special.stdtr(TAIL_INDEX, -LARGEST / SCALE)
    lower = cut + (1 - 2 * cut) * special.ndtr(-np.abs(gaussian))  # exact far out
    return -np.sign(gaussian) * SCALE * special.stdtrit(TAIL_INDEX, lower)


def phase_boundary(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Two phases ±1 with diffuse interfaces between them, [C, H, W].

    $u = \tanh(d / \sqrt 2 \xi)$, the interface at equilibrium (Allen and Cahn 1979, "A microscopic
    theory for antiphase boundary motion"), with $\xi = 0.02$ of the domain and
    $d = f / \sqrt{|\nabla f|^2 + f^2 / D^2}$, D = 0.2, the distance from the zeros of f to first
    order, never above D. f is a smooth Gaussian field, white on $1 \le k < 4$ cycles per domain,
    less a level on [-0.5, 0.5] of its standard deviation. Across an interface the energy is
    shared equally: $2 \xi^2 |\nabla u|^2 = (1 - u^2)^2$ (Modica 1985).
    """
    waves = spectral.half_plane(*PHASE_CYCLES)
    spectral.require_grid(grid_size, int(np.abs(waves).max()))
    normals = rng.standard_normal((channels, 2, len(waves)))
    amplitudes = (normals[:, 0] + 1j * normals[:, 1]) / np.sqrt(len(waves))
    level = rng.uniform(-OFFSET, OFFSET, channels)[:, None, None]
    f = spectral.superpose(amplitudes, waves, grid_size) - level
    slopes = [spectral.superpose(2j * np.pi * k * amplitudes, waves, grid_size) for k in waves.T]
    distance = f / np.sqrt(np.square(slopes).sum(0) + np.square(f / DEPTH))
    return np.tanh(distance / (np.sqrt(2) * INTERFACE))
