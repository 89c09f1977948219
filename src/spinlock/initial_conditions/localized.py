"""A few blobs on an empty periodic domain."""

import numpy as np

COUNT = (2, 6)  # blobs
WIDTH = (0.04, 0.10)  # standard deviation, share of the domain
HEIGHT = (1.5, 3.0)


def blobs(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Sums of periodic Gaussian bumps, [C, H, W], 2 to 6 for each channel.

    $u = \sum_j s_j h_j \sum_{n \in \mathbb{Z}^2} e^{-|x - c_j + n|^2 / 2 w_j^2}$ with a uniform
    center, a width $w_j$ on [0.04, 0.10] of the domain, a height $h_j$ on [1.5, 3] and a random
    sign $s_j$.
    """
    return np.stack([_channel(grid_size, rng) for _ in range(channels)])


def _channel(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(*COUNT, endpoint=True))
    centers = rng.uniform(0.0, 1.0, (2, count))
    widths = rng.uniform(*WIDTH, count)
    heights = rng.uniform(*HEIGHT, count) * rng.choice([-1.0, 1.0], count)
    rows, columns = (_bump(center, widths, grid_size) for center in centers)
    return np.einsum("j,jy,jx->yx", heights, rows, columns, optimize=False)


def _bump(centers: np.ndarray, widths: np.ndarray, grid_size: int) -> np.ndarray:
    """Periodic one-dimensional bumps of height about 1, [J, H].

    The images ±1 suffice: at the largest width the next ones are below 1e-20.
    """
    points = np.arange(grid_size) / grid_size
    images = np.arange(-1, 2)[:, None, None]
    distance = points - centers[:, None] + images
    return np.exp(-0.5 * np.square(distance / widths[:, None])).sum(0)
