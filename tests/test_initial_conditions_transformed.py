"""Tails of Student's t, and the profile of an equilibrium interface."""

import numpy as np
import pytest
from scipy import stats

from initial_condition_cases import fields
from spinlock.initial_conditions import transformed

SIZES = [32, 64]


def hill(values, share):
    """Hill's estimate of the tail index from the largest values."""
    largest = np.sort(np.abs(values).ravel())[-int(share * values.size) :]
    return 1 / np.log(largest / largest[0]).mean()


@pytest.mark.parametrize("size", SIZES)
def test_heavy_tails_have_index_three_and_gaussian_ones_have_none(size):
    u = fields("heavy_tailed", 900, size)
    exact = stats.t(3).ppf(1 - np.linspace(1e-6, 0.5, 500_000)) / np.sqrt(3)
    exact = exact[exact < transformed.LARGEST]
    assert hill(u, 0.005) == pytest.approx(3, abs=0.45)
    assert hill(u, 0.005) == pytest.approx(hill(exact, 0.005), abs=0.35)
    assert hill(fields("grf_1", 900, size), 0.005) > 8
    assert np.abs(u).max() <= transformed.LARGEST


@pytest.mark.parametrize("size", SIZES)
def test_heavy_tailed_values_have_the_distribution_of_student(size):
    u = fields("heavy_tailed", 900, size)
    for probability in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        x = stats.t.ppf(probability, 3) / np.sqrt(3)
        assert (u < x).mean() == pytest.approx(probability, rel=0.1, abs=0.01)
    assert (u**2).mean() == pytest.approx(0.945, rel=0.1)


def gradient_square(u):
    """|∇u|² by central differences, per domain."""
    steps = [(np.roll(u, -1, axis) - np.roll(u, 1, axis)) * u.shape[-1] / 2 for axis in (1, 2)]
    return np.square(steps).sum(0)


@pytest.mark.parametrize(("size", "tolerance"), [(64, 0.2), (128, 0.06)])
def test_interfaces_share_their_energy_equally(size, tolerance):
    """2 ξ² |∇u|² = (1 - u²)², up to the central differences."""
    u = fields("phase_boundary", 60, size)
    inside = np.abs(u) < 0.6
    ratio = 2 * transformed.INTERFACE**2 * gradient_square(u)[inside] / (1 - u[inside] ** 2) ** 2
    assert np.median(ratio) == pytest.approx(1, abs=tolerance)
    assert np.quantile(ratio, 0.75) - np.quantile(ratio, 0.25) < 0.2


@pytest.mark.parametrize("size", SIZES)
def test_phases_are_two_with_little_between(size):
    u = fields("phase_boundary", 150, size)
    assert np.abs(u).max() <= 1
    assert (np.abs(u) > 0.9).mean() > 2 * (np.abs(u) < 0.5).mean()
    up = (u > 0).mean((1, 2))
    assert up.min() > 0.05
    assert up.max() < 0.95
    assert up.mean() == pytest.approx(0.5, abs=0.05)
