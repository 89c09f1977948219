"""Structured fields are crystals of two values."""

import numpy as np
import pytest

from initial_condition_cases import fields, modes, strongest, wave_vectors

SIZES = [32, 64]


def crystal_share(u):
    """Share of the variance on the lattice of the strongest wave vector and its perpendicular."""
    ky, kx = strongest(u)
    y, x = wave_vectors(len(u))
    square = ky**2 + kx**2
    on = ((ky * y + kx * x) % square == 0) & ((kx * y - ky * x) % square == 0)
    power = np.abs(modes(u - u.mean())) ** 2
    return power[on].sum() / power.sum()


@pytest.mark.parametrize("size", SIZES)
def test_structured_power_lies_on_a_square_lattice(size):
    u = fields("structured", 120, size)
    assert min(map(crystal_share, u)) > 0.97  # a coarse grid folds the harmonics of the edges
    assert np.hypot(*np.transpose([*map(strongest, u)])).min() >= 2
    normal = [v for v in fields("grf_1", 60, size) if np.hypot(*strongest(v)) >= 2]
    assert max(map(crystal_share, normal)) < 0.7


@pytest.mark.parametrize("size", SIZES)
def test_structured_fields_take_two_values_nearly_everywhere(size):
    u = fields("structured", 120, size)
    assert np.abs(u).max() <= 1
    assert (np.abs(u) > 0.5).mean((1, 2)).min() > 0.5
    normal = fields("grf_1", 60, size)
    kurtosis = (u**4).mean((1, 2)) / (u**2).mean((1, 2)) ** 2
    assert kurtosis.max() < 1.6 < (normal**4).mean() / (normal**2).mean() ** 2


def test_structured_fields_come_in_three_patterns_of_either_sign():
    """Stripes have one axis, checks and dots two; dots are unlike their negative."""
    seen = set()
    for u in fields("structured", 120, 64):
        ky, kx = strongest(u)
        power = np.abs(modes(u)) ** 2
        two = power[kx, -ky] > 0.1 * power[ky, kx]
        unlike = abs(u.mean()) > 0.1
        seen.add((bool(two), int(np.sign(u.mean())) if unlike else 0))
    assert seen == {(False, 0), (True, 0), (True, -1), (True, 1)}
