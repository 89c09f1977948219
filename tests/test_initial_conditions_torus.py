"""Reading a lattice at the grid's points, and distances that take the shorter way."""

import numpy as np
import pytest

from initial_condition_cases import modes, wave_vectors
from spinlock.initial_conditions import torus


def noise(size):
    return np.random.Generator(np.random.Philox(0)).normal(size=(2, size, size))


@pytest.mark.parametrize(("size", "grid_size"), [(8, 32), (16, 48), (40, 64), (48, 32)])
def test_reading_takes_every_wave_below_the_highest_to_itself(size, grid_size):
    points, grid = np.arange(size) / size, np.arange(grid_size) / grid_size
    for ky, kx in [(0, 0), (1, 2), (-3, 3), (0, size // 2 - 1)]:
        given, wanted = (
            np.cos(2 * np.pi * (ky * x[:, None] + kx * x) + 0.4) for x in (points, grid)
        )
        np.testing.assert_allclose(torus.interpolate(given[None], grid_size)[0], wanted, atol=1e-12)


def test_reading_finds_the_lattice_again_and_keeps_the_mean():
    u = noise(16)
    finer = torus.interpolate(u, 64)
    np.testing.assert_allclose(finer[:, ::4, ::4], u, atol=1e-12)
    np.testing.assert_allclose(finer.mean((1, 2)), u.mean((1, 2)), atol=1e-12)
    assert (np.abs(modes(finer))[:, np.abs(wave_vectors(64)).max(0) > 8] < 1e-12).all()
    assert torus.interpolate(u, 16) is u


def test_cells_of_a_lattice_are_read_without_change():
    u = noise(4)
    np.testing.assert_array_equal(torus.read_cells(u, 12), u.repeat(3, 1).repeat(3, 2))


def test_offsets_go_the_shorter_way_and_turn_with_the_center():
    dy, dx = torus.offsets(np.array([[0.1, 0.9], [0.35, 0.15]]), 16)
    assert (dy.shape, dx.shape) == ((2, 16, 1), (2, 1, 16))
    assert np.abs(dy).max() <= 0.5
    distance = np.hypot(dy, dx)
    np.testing.assert_allclose(np.roll(distance[0], (4, 4), (0, 1)), distance[1], atol=1e-12)


def test_squared_wavenumbers_are_minus_the_laplacian():
    x = np.arange(12) / 12
    u = np.sin(2 * np.pi * (2 * x[:, None] - 5 * x))
    found = np.fft.irfft2(torus.squared_wavenumbers(12) * np.fft.rfft2(u))
    np.testing.assert_allclose(found, 4 * np.pi**2 * 29 * u, atol=1e-9)
