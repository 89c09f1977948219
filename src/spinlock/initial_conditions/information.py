"""Fields with a stated amount of information: entropy, mutual information, redundancy."""

from functools import cache

import numpy as np
from scipy import optimize

from spinlock.initial_conditions import spectral, torus
from spinlock.refusals import Refusal

CYCLES = (1.0, 5.0)  # half-open, cycles per domain, of the Gaussian fields below

SYMBOLS = 8
ENTROPIES = (1.0, 1.5, 2.0, 2.5)  # bits per point; 3 would be all symbols alike
REFERENCE = 64  # points per axis of the grid on which symbols have their exact shares

INFORMATION = (0.25, 0.5, 1.0, 2.0)  # bits between two channels

CODE_LENGTH = 16  # bits of the extended Hamming code [16, 11, 4]


def shannon_entropy(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Fields of eight values whose distribution has 1, 1.5, 2 or 2.5 bits, [C, H, W].

    The entropy $-\sum_i p_i \log_2 p_i$ (Shannon 1948) is drawn for each channel; given it,
    $p_i \propto e^{-\beta i}$, the distribution of largest entropy for its mean (Jaynes 1957). The
    symbols are layers of a smooth Gaussian field, white on 1 … 5 cycles per domain, whose areas
    are exactly $p_i$ on the 64² grid; $u = \pm (i - \langle i \rangle) / \mathrm{std}(i)$.
    """
    chosen = rng.integers(len(ENTROPIES), size=channels)
    signs = rng.choice([-1.0, 1.0], channels)
    waves = spectral.half_plane(*CYCLES)
    spectral.require_grid(grid_size, int(np.abs(waves).max()))
    amplitudes = rng.standard_normal((channels, len(waves), 2)).view(np.complex128)[..., 0]
    reference = spectral.superpose(amplitudes, waves, REFERENCE)
    fields = spectral.superpose(amplitudes, waves, grid_size)
    for channel, (entropy, sign) in enumerate(zip(chosen, signs, strict=True)):
        share = _gibbs(ENTROPIES[entropy])
        edges = np.quantile(reference[channel], np.cumsum(share)[:-1])
        symbol = np.arange(SYMBOLS) - share @ np.arange(SYMBOLS)
        values = sign * symbol / np.sqrt(share @ np.square(symbol))
        fields[channel] = values[np.searchsorted(edges, fields[channel])]
    return fields


@cache
def _gibbs(entropy: float) -> np.ndarray:
    r"""Shares $p_i \propto e^{-\beta i}$ of the symbols with the given entropy in bits."""

    def shares(beta: float) -> np.ndarray:
        weights = np.exp(-beta * np.arange(SYMBOLS))
        return weights / weights.sum()

    def excess(beta: float) -> float:
        share = shares(beta)
        return float(-share @ np.log2(share) - entropy)

    return shares(optimize.brentq(excess, 1e-6, 10.0, xtol=1e-14))


def mutual_information(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Gaussian fields any two channels of which share 0.25, 0.5, 1 or 2 bits, [C, H, W].

    $u_c = \sqrt\rho\, g_0 + \sqrt{1 - \rho}\, g_c$ with $\rho^2 = 1 - 2^{-2I}$, hence
    $I = -\frac12 \log_2(1 - \rho^2)$ at every point (Gelfand and Yaglom 1957). Here, alone among
    the families, the channels depend on each other: that is the definition. The g are white on
    1 … 5 cycles per domain, of exactly variance 1 and orthogonal over the domain, so that ρ is
    the correlation of each single draw, not only their mean.
    """
    waves = spectral.half_plane(*CYCLES)
    spectral.require_grid(grid_size, int(np.abs(waves).max()))
    bits = INFORMATION[rng.integers(len(INFORMATION))]
    rho = np.sqrt(1 - 2.0 ** (-2 * bits))
    basis = _orthonormal(rng.standard_normal((channels + 1, 2 * len(waves))))
    mixed = np.sqrt(rho) * basis[0] + np.sqrt(1 - rho) * basis[1:]
    return spectral.superpose(np.sqrt(2) * mixed.view(np.complex128), waves, grid_size)


def _orthonormal(vectors: np.ndarray) -> np.ndarray:
    """Gram and Schmidt: an isotropic orthonormal system from independent normal vectors."""
    basis = np.zeros_like(vectors)
    for i, vector in enumerate(vectors):
        rest = vector - (basis[:i] @ vector) @ basis[:i]
        basis[i] = rest / np.linalg.norm(rest)
    return basis


def error_correcting_code(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Codewords of a product code, one bit on each of 16 x 16 squares, $u = (-1)^b$, [C, H, W].

    11 x 11 random bits, encoded along both axes with the extended Hamming code [16, 11, 4]
    (Hamming 1950; Elias 1954, "Error-free coding"): the code [256, 121, 16]. In every row and
    column the number of ones is even and the positions of the ones add to zero bit by bit; two
    codewords differ in 16 squares or more. The edges of the squares lie on the domain's.

    Raises:
        Refusal: a bit would have fewer than two points per axis, where codewords are white noise.
    """
    if grid_size < 2 * CODE_LENGTH:
        raise Refusal(
            f"sample.grid_size: the codeword has {CODE_LENGTH} bits per axis and needs at least "
            f"{2 * CODE_LENGTH} points, got {grid_size}"
        )
    generator = _hamming()
    message = rng.integers(0, 2, (channels, len(generator), len(generator)))
    word = np.einsum("cij,ik,jl->ckl", message, generator, generator, optimize=True) % 2
    return torus.read_cells(1.0 - 2.0 * word, grid_size)


@cache
def _hamming() -> np.ndarray:
    """Generator [11, 16]: parities at the positions 1, 2, 4 and 8; position 0 evens the number."""
    data = [position for position in range(1, CODE_LENGTH) if position.bit_count() > 1]
    generator = np.zeros((len(data), CODE_LENGTH), dtype=np.int64)
    for row, position in zip(generator, data, strict=True):
        row[[position, *(1 << b for b in range(4) if position >> b & 1)]] = 1
        row[0] = row.sum() % 2
    return generator
