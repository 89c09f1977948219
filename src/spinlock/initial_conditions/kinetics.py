"""Patterns of reaction and diffusion: Turing's, spiral waves, and a genetic switch in a tissue."""

import numpy as np
from scipy import fft

from spinlock.initial_conditions import spectral, torus

LATTICE = 48  # points per axis on which the equations are solved

WAVENUMBER = (3.5, 6.5)  # cycles per domain, of the fastest growing wave
ACTIVATION, INHIBITION = 0.899, -0.91  # α, β
DIFFUSION_RATIO = 0.3  # of the activator to the inhibitor
CUBIC = 1.5  # r1: stripes
QUADRATIC = 1.0  # r2 lies on ± this: spots of either sign at its ends
TURING_STEP, TURING_STEPS = 0.5, 80

TWIST = 1.0  # c: the frequency falls by c |A|²
DIFFUSION_LENGTH = (0.011, 0.016)  # √(D / rate), share of the domain
SEED_CYCLES = (1.0, 2.5)  # half-open, cycles per domain, of the field that spirals grow from
SPIRAL_STEP, SPIRAL_STEPS = 1.0, 50

SYNTHESIS = (3.0, 5.0)  # α of the switch
SWITCH_WALL = 0.012  # √(D / degradation rate), share of the domain
SWITCH_BIAS = 0.5  # standard deviations of the initial field
SWITCH_STEP, SWITCH_STEPS = 0.5, 24


def turing_pattern(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    """Stripes, spots and labyrinths of Turing's instability (1952), the activator, [C, H, W].

    The fastest growing wave has a wavenumber uniform on [3.5, 6.5] cycles per domain, for each
    channel; the quadratic term r2 on [-1, 1]. See `turing`.
    """
    wavenumber = rng.uniform(*WAVENUMBER, channels)
    quadratic = rng.uniform(-QUADRATIC, QUADRATIC, channels)
    noise = 0.5 * rng.standard_normal((2, channels, LATTICE, LATTICE))
    return torus.interpolate(turing(noise, wavenumber, quadratic), grid_size)


def turing(noise: np.ndarray, wavenumber: np.ndarray, quadratic: np.ndarray) -> np.ndarray:
    r"""Grow patterns from noise [2, C, n, n]; the activator [C, n, n].

    $\partial_t u = D \delta \Delta u + \alpha u (1 - r_1 v^2) + v (1 - r_2 u)$,
    $\partial_t v = \delta \Delta v + \beta v + \alpha r_1 u v^2 - u (\alpha - r_2 v)$
    (Barrio, Varea, Aragón and Maini 1999, "A two-dimensional numerical study of spatial pattern
    formation in interacting Turing systems"), diffusion implicit. The wave that grows fastest has
    $\delta (2\pi k)^2 = [\sqrt\alpha (D^{1/2} + D^{-1/2}) - \alpha + \beta] / (1 - D)$,
    which fixes δ.
    """
    root = np.sqrt(DIFFUSION_RATIO)
    fastest = np.sqrt(ACTIVATION) * (root + 1 / root) - ACTIVATION + INHIBITION
    fastest /= 1 - DIFFUSION_RATIO
    delta = fastest / np.square(2 * np.pi * wavenumber)
    spread = np.array([[DIFFUSION_RATIO], [1.0]]) * delta
    size = noise.shape[-1]
    damping = 1 + TURING_STEP * spread[..., None, None] * torus.squared_wavenumbers(size)
    state, r2 = noise, quadratic[:, None, None]
    for _ in range(TURING_STEPS):
        u, v = state
        bound = u * v * (ACTIVATION * CUBIC * v + r2)
        rate = np.stack([ACTIVATION * u + v - bound, INHIBITION * v - ACTIVATION * u + bound])
        state = fft.irfft2(fft.rfft2(state + TURING_STEP * rate) / damping, s=(size, size))
    return state[0]


def bz_reaction(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    """Spiral waves as in the Belousov-Zhabotinsky reaction, one concentration, [C, H, W].

    The real part of `spirals`, on the domain without a seam.
    """
    return torus.interpolate(spirals(channels, rng).real, grid_size)


def spirals(channels: int, rng: np.random.Generator) -> np.ndarray:
    r"""Oscillations $A(x)$ with spirals around their zeros, complex [C, n, n].

    $\partial_t A = A - (1 + ic) |A|^2 A + \ell^2 \Delta A$, c = 1: the λ-ω system that Kopell and
    Howard (1973, "Plane wave solutions to reaction-diffusion equations") took for the reaction;
    its plane waves have $|A|^2 = 1 - (\ell q)^2$ (here 1.3 times as far from 1, by
    the length of a step). It starts from a complex Gaussian field on
    1 … 2.5 cycles per domain, of about seven zeros, and runs 50 units of time; ℓ is uniform on
    [0.011, 0.016] of the domain. Steps of reaction and of diffusion alternate, each exact; the
    last one is half a step of diffusion (Strang 1968).
    """
    waves = spectral.half_plane(*SEED_CYCLES)
    normals = rng.standard_normal((2, channels, len(waves), 2)).view(np.complex128)[..., 0]
    seeds = [spectral.superpose(part, waves, LATTICE) for part in normals]
    state = (seeds[0] + 1j * seeds[1]) / np.sqrt(2 * len(waves))
    length = rng.uniform(*DIFFUSION_LENGTH, channels)[:, None, None]
    k = 2 * np.pi * np.fft.fftfreq(LATTICE, 1 / LATTICE)
    heat = np.exp(-SPIRAL_STEP * length**2 * (np.square(k)[:, None] + np.square(k)))
    for _ in range(SPIRAL_STEPS):
        growth = np.log1p(np.expm1(2 * SPIRAL_STEP) * (state.real**2 + state.imag**2))
        turn = -0.5 * TWIST * growth
        state = state * np.exp(SPIRAL_STEP - 0.5 * growth) * (np.cos(turn) + 1j * np.sin(turn))
        modes = fft.fft2(state)
        state = fft.ifft2(modes * heat)
    return fft.ifft2(modes * np.sqrt(heat))


def regulatory_network(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""A tissue of genetic toggle switches, the first of two genes that repress each other.

    $\partial_t u = \alpha / (1 + v^2) - u + w^2 \Delta u$, and the same with u and v exchanged
    (Gardner, Cantor and Collins 2000, "Construction of a genetic toggle switch in Escherichia
    coli"), [C, H, W]. Each cell falls to one of two stable states, $u v = 1$ and
    $u + v = \alpha$; walls a few w = 0.012 of the domain wide lie between. α is uniform on [3, 5];
    the basin that a cell starts in is set by `band_limited_low` plus an offset.
    """
    synthesis = rng.uniform(*SYNTHESIS, channels)[:, None, None]
    bias = rng.uniform(-SWITCH_BIAS, SWITCH_BIAS, channels)[:, None, None]
    lead = np.tanh(spectral.band_limited("low", channels, LATTICE, rng) + bias)
    state = synthesis / 2 * np.stack([1 + lead, 1 - lead])
    diffusion = SWITCH_WALL**2 * torus.squared_wavenumbers(LATTICE)
    damping = 1 + SWITCH_STEP * (1 + diffusion)
    for _ in range(SWITCH_STEPS):
        made = synthesis / (1 + np.square(state[::-1]))
        modes = fft.rfft2(state + SWITCH_STEP * made) / damping
        state = fft.irfft2(modes, s=(LATTICE, LATTICE))
    return torus.interpolate(state[0], grid_size)
