"""Draws of initial conditions as float64 arrays, for the laws of the families."""

import numpy as np

from spinlock import randomness
from spinlock.initial_conditions import families


def fields(variant, count, grid_size=32):
    """`count` independent fields of one variant, [count, H, W]."""
    generate = families.lookup(variant).generate
    return np.concatenate(
        [
            generate(3, grid_size, randomness.stream(seed, "initial_condition/0", 0))
            for seed in range(-(-count // 3))
        ]
    )[:count]


def modes(u):
    """û_k by the full transform, normalized so that û_0 is the mean."""
    return np.fft.fft2(u, norm="forward")


def wave_vectors(size):
    """(ky, kx) in cycles per domain, each [H, W]."""
    k = np.fft.fftfreq(size, 1 / size)
    return np.meshgrid(k, k, indexing="ij")


def strongest(u):
    """Integer wave vector (ky, kx) of the strongest mode of one field, its mean excepted."""
    power = np.abs(modes(u)) ** 2
    power[0, 0] = 0
    ky, kx = wave_vectors(len(u))
    at = np.unravel_index(power.argmax(), power.shape)
    return int(ky[at]), int(kx[at])


def analytic(u, ky, kx):
    """The complex field whose real part is u: the modes along (ky, kx), doubled."""
    y, x = wave_vectors(len(u))
    return np.fft.ifft2(2 * modes(u) * (ky * y + kx * x > 0), norm="forward")
