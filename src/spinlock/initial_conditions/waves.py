"""Sums of a few plane waves."""

import numpy as np

from spinlock.initial_conditions.spectral import half_plane, require_grid, superpose

MOST_WAVES = 5
MOST_CYCLES = 6  # cycles per domain
AMPLITUDE = (0.5, 1.5)  # before normalization


def sinusoids(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Sums of J plane waves, [C, H, W], J uniform on 1 … 5 for each channel.

    $u = \sum_j a_j \cos(2\pi k_j \cdot x + \varphi_j)$ with different integer wave vectors,
    $1 \le |k_j| \le 6$ cycles per domain, uniform phases and $a_j = \sqrt{24 / 13 J}\, s_j$, $s_j$
    uniform on [0.5, 1.5], so that the expected variance is 1 whatever J is.
    """
    require_grid(grid_size, MOST_CYCLES)
    return np.concatenate([_channel(grid_size, rng) for _ in range(channels)])


def _channel(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    known = half_plane(1.0, np.nextafter(MOST_CYCLES, np.inf))
    count = int(rng.integers(1, MOST_WAVES, endpoint=True))
    waves = known[rng.choice(len(known), count, replace=False)]
    strength = rng.uniform(*AMPLITUDE, count) * np.sqrt(24 / (13 * count))
    phases = rng.uniform(0.0, 2 * np.pi, count)
    return superpose((strength * np.exp(1j * phases))[None], waves, grid_size)
