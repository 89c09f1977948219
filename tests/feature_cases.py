"""Fields and trajectories whose features are known, for the tests of features."""

import math

import numpy as np
import torch
from torch import Tensor

from spinlock import randomness
from spinlock.features import names

OF_FIELDS = ("spatial", "spectral")  # of TEMPORAL: what one channel has by itself
OF_PATHS = ("temporal",)  # of SUMMARY
TEMPORAL = [name.removeprefix("temporal.") for name in names.names("temporal", OF_FIELDS)]
SUMMARY = [name.removeprefix("summary.temporal.") for name in names.names("summary", OF_PATHS)]


def noise(seed: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """White Gaussian noise."""
    return torch.from_numpy(randomness.stream(seed, "test").standard_normal(shape)).to(dtype)


def smooth(seed: int, shape: tuple[int, ...], size: int, reach: int = 5) -> Tensor:
    """The same random Fourier series, wavenumbers up to `reach`, on a grid of any size, float64."""
    rng = randomness.stream(seed, "test")
    grid = np.arange(size) / size
    waves = range(-reach, reach + 1)
    u = rng.standard_normal((*shape, 1, 1)) * np.ones((size, size))
    for ky in waves:
        for kx in waves:
            amplitude = rng.standard_normal((*shape, 1, 1)) / (1 + ky * ky + kx * kx)
            phase = rng.uniform(0, 2 * math.pi, (*shape, 1, 1))
            u = u + amplitude * np.cos(
                2 * math.pi * (ky * grid[:, None] + kx * grid[None, :]) + phase
            )
    return torch.from_numpy(u)


def wave(ky: int, kx: int, size: int = 32, phase: float = 0.3) -> Tensor:
    """A plane wave of amplitude 1, float64 [1, H, W]."""
    x = torch.arange(size, dtype=torch.float64) / size
    return torch.cos(2 * math.pi * (ky * x[:, None] + kx * x[None, :]) + phase)[None]


def relaxing(seed: int, steps: int, memory: float, jitter: float, size: int = 16) -> Tensor:
    """A trajectory u_t = m u_(t-1) + noise from a smooth field, [1, T + 1, C, H, W] with u_0."""
    frames = [smooth(seed, (3,), size).float()]
    for step in range(steps):
        kick = smooth(1000 + 17 * seed + step, (3,), size, reach=3).float()
        frames.append(memory * frames[-1] + jitter * kick)
    return torch.stack(frames)[None]


def breathing(energies: Tensor, size: int = 16) -> Tensor:
    """A trajectory of one shape with given energies E_0 … E_T, float64 [T + 1, 3, H, W]."""
    shape = smooth(5, (3,), size)
    shape = shape / shape.square().mean().sqrt()
    return energies.sqrt()[:, None, None, None] * shape
