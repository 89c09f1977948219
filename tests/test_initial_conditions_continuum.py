"""Fourier's law and thermal fluctuations; the one-sided slopes of Burgers' equation."""

import numpy as np
import pytest

from initial_condition_cases import fields, modes, strongest, wave_vectors
from spinlock.initial_conditions import continuum

SIZES = [32, 64]


def profile(u):
    """The part of u that depends on its strongest wave's phase alone: mean over isotherms."""
    ky, kx = strongest(u)
    y, x = wave_vectors(len(u))
    along = ky * x == kx * y
    return np.fft.ifft2(modes(u) * along, norm="forward").real


@pytest.mark.parametrize("size", SIZES)
def test_mean_temperature_is_a_triangle_between_walls(size):
    """Odd harmonics n with amplitudes ∝ n^-2; the even ones are noise."""
    ratios = []
    for u in fields("thermal_gradient", 150, size):
        ky, kx = strongest(u)
        assert max(abs(ky), abs(kx)) == 1
        first, second, third = (abs(modes(u)[n * ky, n * kx]) for n in (1, 2, 3))
        ratios.append((second / first, third / first))
    np.testing.assert_allclose(np.median(ratios, 0), (0, 1 / 9), atol=0.01)


@pytest.mark.parametrize("size", SIZES)
def test_temperature_fluctuates_in_proportion_to_itself(size):
    relative, level = [], []
    for u in fields("thermal_gradient", 150, size):
        mean = 1 + profile(u) / continuum.THERMAL_SCALE
        noise = 1 + u / continuum.THERMAL_SCALE - mean
        relative.append(np.ravel(noise / mean))
        level.append(np.ravel(mean))
    relative, level = np.concatenate(relative), np.concatenate(level)
    for low, high in [(0.1, 0.5), (0.5, 1), (1, 1.5), (1.5, 2)]:
        chosen = (low <= level) & (level < high)
        assert relative[chosen].std() == pytest.approx(continuum.FLUCTUATION, rel=0.12)


def slopes(u, directions):
    """Derivatives of one field along each direction, by its modes, in units of 1 / t."""
    dy, dx = (
        np.fft.ifft2(2j * np.pi * k * modes(u), norm="forward").real for k in wave_vectors(len(u))
    )
    angle = np.linspace(0, 2 * np.pi, directions, endpoint=False)[:, None, None]
    return continuum.AGE * (np.cos(angle) * dy + np.sin(angle) * dx)


def test_flows_accelerate_at_most_as_oleinik_allows_and_brake_in_shocks():
    """The component's direction is not known: it is where rise and fall are least alike."""
    for u in fields("shock_front", 9, 128):
        along = slopes(u, 180)
        along = along[(-along.min((1, 2)) / along.max((1, 2))).argmax()]
        assert 0.7 < along.max() < 1.03
        assert along.min() < -2.5


@pytest.mark.parametrize("size", SIZES)
def test_slopes_of_shocks_are_skewed_as_those_of_normal_fields_are_not(size):
    def skewness(u):
        along = slopes(u, 24)
        return ((along**3).mean((1, 2)) / (along**2).mean((1, 2)) ** 1.5).min()

    assert max(map(skewness, fields("shock_front", 90, size))) < -1
    assert min(map(skewness, fields("grf_1", 90, size))) > -1
