"""Fields of quantum mechanics and of coherent light: packets, coherent states, interference."""

from functools import cache

import numpy as np

from spinlock.initial_conditions.spectral import half_plane, require_grid, superpose

PACKET_WIDTH = (0.06, 0.10)  # standard deviation of the probability, share of the domain
PACKET_CYCLES = (5.0, 9.0)  # mean wavenumber, cycles per domain
PACKET_HEIGHT = (2.0, 3.0)
PACKET_REACH = 14  # cycles per domain: 9 and almost four standard deviations

QUANTA = 60.0  # n̄, mean number of quanta in the excited mode
EXCITED = (2.0, 4.0)  # half-open, cycles per domain
VACUUM = (1.0, 8.0)  # half-open, cycles per domain: the modes of the field

SHELLS = (5, 10, 13, 17, 25)  # |k|² of the waves that interfere
BEAMS = (2, 6)  # how many of them
FINEST_FRINGE = 10  # cycles per domain: two waves of |k|² = 25 against each other


def quantum_wave_packet(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Real parts of Gaussian wave packets of least uncertainty, [C, H, W].

    $\psi = h \sum_{n \in \mathbb{Z}^2} e^{-|r_n|^2 / 4 \sigma^2 + 2\pi i k \cdot r_n + i\varphi}$,
    $r_n = x - c + n$, with a uniform center and phase, σ on [0.06, 0.10] of the domain, a height
    on [2, 3] and a wave vector of random direction and 5 … 9 cycles per domain.
    $\sigma_x \sigma_k = 1 / 4\pi$ along each axis (Heisenberg 1927; Kennard 1927).
    """
    require_grid(grid_size, PACKET_REACH)
    width, length, height = (
        rng.uniform(*bounds, channels) for bounds in (PACKET_WIDTH, PACKET_CYCLES, PACKET_HEIGHT)
    )
    angle, phase = rng.uniform(0.0, 2 * np.pi, (2, channels))
    rows, columns = (
        _packet(rng.uniform(0.0, 1.0, channels), width, cycles, grid_size)
        for cycles in (length * np.sin(angle), length * np.cos(angle))
    )
    rows *= (height * np.exp(1j * phase))[:, None]
    return np.einsum("cy,cx->cyx", rows, columns, optimize=False).real


def _packet(
    centers: np.ndarray, widths: np.ndarray, cycles: np.ndarray, grid_size: int
) -> np.ndarray:
    """Periodic one-dimensional packets, [C, H]; the images ±1 leave out 1e-11."""
    points = np.arange(grid_size) / grid_size
    r = points - centers[:, None] + np.arange(-1, 2)[:, None, None]
    return np.exp(-np.square(r / (2 * widths[:, None])) + 2j * np.pi * cycles[:, None] * r).sum(0)


def coherent_state(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""A free field measured in a coherent state, [C, H, W]: one bright wave over the vacuum.

    $u = s \sum_k (2\omega_k)^{-1/2} (\alpha_k + \bar\alpha_{-k} + \xi_k) e^{2\pi i k \cdot x}$,
    $\omega_k = |k|$, $1 \le |k| < 8$ cycles per domain, $\xi_{-k} = \bar\xi_k$ complex normal of
    $E|\xi_k|^2 = 1$: the distribution of the field in the state
    $a_k |\alpha\rangle = \alpha_k |\alpha\rangle$ (Glauber 1963, "Coherent and incoherent states
    of the radiation field"). All α are zero but that of one random mode, $2 \le |k| < 4$, which
    holds $|\alpha|^2 = 60$ quanta at a random phase. The vacuum's noise is the same in it as in
    the others. s makes the expected variance 1.
    """
    waves, excited, scale = _free_field()
    require_grid(grid_size, int(np.abs(waves).max()))
    normals = rng.standard_normal((channels, 2, len(waves)))
    quanta = (normals[:, 0] + 1j * normals[:, 1]) / np.sqrt(2)
    phase = rng.uniform(0.0, 2 * np.pi, channels)
    quanta[np.arange(channels), rng.choice(excited, channels)] += np.sqrt(QUANTA) * np.exp(
        1j * phase
    )
    return superpose(scale * quanta, waves, grid_size)


@cache
def _free_field() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wave vectors [M, 2], the indices of those that may be excited, amplitude per quantum [M]."""
    waves = half_plane(*VACUUM)
    frequency = np.sqrt(np.square(waves).sum(-1))
    excited = np.flatnonzero((EXCITED[0] <= frequency) & (frequency < EXCITED[1]))
    variance = (1 / frequency).sum() + QUANTA * (1 / frequency[excited]).mean()
    return waves, excited, np.sqrt(2 / (frequency * variance))


def interference_pattern(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Intensity of 2 to 6 coherent plane waves of one wavelength, [C, H, W].

    $u = |\psi|^2 / J - 1$, $\psi = \sum_{j=1}^J e^{2\pi i k_j \cdot x + i \varphi_j}$ with
    different integer $k_j$ of one random length, $|k|^2 \in \{5, 10, 13, 17, 25\}$, and uniform
    phases: fringes at the differences $k_i - k_j$ only. Two waves make Young's fringes, many a
    speckle pattern (Goodman 2007). Expected variance $1 - 1/J$, the square of the speckle's
    contrast: 0.71 on average.
    """
    require_grid(grid_size, FINEST_FRINGE)
    return np.stack([_intensity(grid_size, rng) for _ in range(channels)])


def _intensity(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    shell = _shell(int(rng.choice(SHELLS)))
    beams = int(rng.integers(*BEAMS, endpoint=True))
    chosen = shell[rng.choice(len(shell), beams, replace=False)]
    spectrum = np.zeros((grid_size, grid_size), dtype=np.complex128)
    spectrum[chosen[:, 0], chosen[:, 1]] = np.exp(1j * rng.uniform(0.0, 2 * np.pi, beams))
    return np.square(np.abs(np.fft.ifft2(spectrum, norm="forward"))) / beams - 1


@cache
def _shell(square: int) -> np.ndarray:
    """All integer wave vectors of this squared length, [M, 2]."""
    half = half_plane(np.sqrt(square) - 0.01, np.sqrt(square) + 0.01)
    return np.concatenate([half, -half])
