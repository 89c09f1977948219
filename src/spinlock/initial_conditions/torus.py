"""Functions on the periodic unit square that are known around centers or on a lattice of their own.

A pattern that grows step by step grows on its own lattice whatever the grid is, and is then read at
the grid's points. So the same stream gives the same function on every grid.
"""

from functools import cache

import numpy as np


def offsets(centers: np.ndarray, grid_size: int) -> tuple[np.ndarray, np.ndarray]:
    """From each center [J, 2] to each grid point the shorter way: dy [J, H, 1], dx [J, 1, W]."""
    points = np.arange(grid_size) / grid_size
    shift = (points - centers[..., None] + 0.5) % 1.0 - 0.5
    return shift[:, 0, :, None], shift[:, 1, None, :]


def interpolate(fields: np.ndarray, grid_size: int) -> np.ndarray:
    """Read the Fourier series of fields on a lattice [C, n, n] at the grid's points, [C, H, W]."""
    if fields.shape[-1] == grid_size:
        return fields
    weights = _interpolation(fields.shape[-1], grid_size)
    rows = np.einsum("yj,cjk->cyk", weights, fields, optimize=False)
    return np.einsum("xk,cyk->cyx", weights, rows, optimize=False)


@cache
def _interpolation(size: int, grid_size: int) -> np.ndarray:
    """Weights [H, n] of even n: the Dirichlet kernel, with half of each of the waves ±n / 2."""
    distance = np.arange(grid_size)[:, None] / grid_size - np.arange(size) / size
    waves = np.arange(1, size // 2)[:, None, None]
    inner = 1 + 2 * np.cos(2 * np.pi * waves * distance).sum(0)
    return (inner + np.cos(np.pi * size * distance)) / size


def read_cells(cells: np.ndarray, grid_size: int) -> np.ndarray:
    """Read fields that are constant on the cells of a lattice [C, n, n] at the grid's points."""
    index = np.arange(grid_size) * cells.shape[-1] // grid_size
    return cells[:, index[:, None], index]


@cache
def squared_wavenumbers(size: int) -> np.ndarray:
    r"""$|2\pi k|^2$ of the half spectrum of a lattice, [n, n // 2 + 1], per domain squared."""
    ky, kx = np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)
    return 4 * np.pi**2 * (np.square(ky) + np.square(kx))
