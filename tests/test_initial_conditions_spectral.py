"""The log-correlated field: equal variance in every octave, slope -2 per mode."""

import numpy as np
import pytest

from initial_condition_cases import fields, modes, wave_vectors


@pytest.mark.parametrize("size", [32, 64])
def test_multiscale_fields_have_the_spectral_slope_of_minus_two(size):
    power = (np.abs(modes(fields("multiscale_grf", 300, size))) ** 2).mean(0)
    k = np.hypot(*wave_vectors(size))
    inside = (k >= 1) & (k < 16)
    slope = np.polyfit(np.log(k[inside]), np.log(power[inside]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.1)
    assert power[~inside].sum() < 1e-20
    assert power.sum() == pytest.approx(1, rel=0.03)


def test_multiscale_fields_hold_the_variance_of_one_octave_in_each():
    power = (np.abs(modes(fields("multiscale_grf", 300))) ** 2).mean(0)
    k = np.hypot(*wave_vectors(32))
    octaves = [power[(low <= k) & (k < 2 * low)].sum() for low in (1, 2, 4, 8)]
    np.testing.assert_allclose(octaves, 0.25, atol=0.015)


def test_ordinary_random_fields_hold_most_of_theirs_in_the_lower_two():
    power = (np.abs(modes(fields("grf_1", 100))) ** 2).mean(0)
    k = np.hypot(*wave_vectors(32))
    assert power[k < 4].sum() > 0.6 * power.sum() > 3 * power[k >= 8].sum()
