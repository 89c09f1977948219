"""Regular structures of two values: stripes, checks and dots."""

import numpy as np

from spinlock.initial_conditions.spectral import half_plane

CYCLES = (2.0, 4.0)  # length of the wave vector, cycles per domain, both ends included
EDGE = 0.2  # width of the edges, in units of the pattern before it is saturated
PATTERNS = ("stripes", "checks", "dots")


def structured(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Periodic patterns of two values, [C, H, W]: each channel is stripes, checks or dots.

    $u = s \tanh(p / 0.2)$ with a random sign s and $p = \sin a$ (stripes), $\sin a \sin b$
    (checks) or $\cos a + \cos b - 1$ (dots); $a = 2\pi k \cdot x + \alpha$ and
    $b = 2\pi k^\perp \cdot x + \beta$ with a random integer wave vector, $2 \le |k| \le 4$ cycles
    per domain, and uniform phases. So the field is a square crystal, p4m or one axis of it
    (Cross and Hohenberg 1993, "Pattern formation outside of equilibrium", section IV): its
    power lies on the lattice that k and its perpendicular span.
    """
    return np.stack([_channel(grid_size, rng) for _ in range(channels)])


def _channel(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    known = half_plane(CYCLES[0], np.nextafter(CYCLES[1], np.inf))
    ky, kx = known[rng.integers(len(known))]
    phases = rng.uniform(0.0, 2 * np.pi, 2)
    points = np.arange(grid_size) / grid_size
    y, x = points[:, None], points[None, :]
    a = 2 * np.pi * (ky * y + kx * x) + phases[0]
    b = 2 * np.pi * (kx * y - ky * x) + phases[1]
    sign = rng.choice([-1.0, 1.0])
    return sign * np.tanh(_pattern(PATTERNS[rng.integers(len(PATTERNS))], a, b) / EDGE)


def _pattern(name: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if name == "stripes":
        return np.sin(a)
    if name == "checks":
        return np.sin(a) * np.sin(b)
    return np.cos(a) + np.cos(b) - 1.0
