"""Textures on top of one another, and side by side."""

import numpy as np
import pytest
from scipy import ndimage

from initial_condition_cases import fields, modes, wave_vectors
from spinlock.initial_conditions import mixtures

SIZES = [32, 64]


def shells(variant, size, count=600):
    power = np.abs(modes(fields(variant, count, size))) ** 2
    k = np.hypot(*wave_vectors(size))
    edges = [(1, 2), (2, 3), (3, 4.5), (4.5, 6.5), (6.5, 13)]
    return np.array([power[:, (low <= k) & (k < high)].sum(1).mean() for low, high in edges])


@pytest.mark.parametrize("size", SIZES)
def test_mixed_spectra_are_the_mean_of_three_families(size):
    parts = shells("grf_1", size), shells("sinusoids", size), shells("localized", size)
    blobs = parts[2] / mixtures.blob_variance()
    expected = (parts[0] + parts[1] + blobs) / 3
    np.testing.assert_allclose(shells("mixed", size), expected, rtol=0.15)


@pytest.mark.parametrize("size", SIZES)
def test_mixed_fields_have_unit_variance(size):
    assert fields("mixed", 600, size).var((1, 2)).mean() == pytest.approx(1, rel=0.04)


def test_blob_variance_is_that_of_the_blobs():
    measured = fields("localized", 900).var((1, 2)).mean()
    assert measured == pytest.approx(mixtures.blob_variance(), rel=0.06)


def test_mixed_fields_range_from_few_modes_to_many():
    power = np.abs(modes(fields("mixed", 150))) ** 2
    power[:, 0, 0] = 0
    share = power / power.sum((1, 2), keepdims=True)
    effective = 1 / (share**2).sum((1, 2))
    assert np.quantile(effective, 0.95) > 4 * np.quantile(effective, 0.05)


def halves(u):
    """Local energy of the modes below and above 4 cycles per domain, [H, W] each."""
    k = np.hypot(*wave_vectors(u.shape[-1]))
    parts = (np.fft.ifft2(modes(u) * chosen, norm="forward").real for chosen in (k < 4, k >= 4))
    width = (0, *[u.shape[-1] / 10] * 2)
    return [ndimage.gaussian_filter(part**2, width, mode="wrap") for part in parts]


def correlation(first, second):
    first, second = (a - a.mean((1, 2), keepdims=True) for a in (first, second))
    return (first * second).sum((1, 2)) / np.sqrt((first**2).sum((1, 2)) * (second**2).sum((1, 2)))


@pytest.mark.parametrize("size", SIZES)
def test_composite_fields_are_fine_where_they_are_not_coarse(size):
    apart = correlation(*halves(fields("composite", 150, size)))
    both = fields("band_limited_low", 150, size) + fields("band_limited_mid", 150, size)
    assert apart.mean() < -0.5
    assert np.quantile(apart, 0.9) < -0.2
    assert abs(correlation(*halves(both)).mean()) < 0.1


@pytest.mark.parametrize("size", SIZES)
def test_composite_regions_have_equal_areas_and_unit_mean_square(size):
    coarse, fine = halves(fields("composite", 600, size))
    assert (fine > coarse).mean() == pytest.approx(0.5, abs=0.05)
    square = (fields("composite", 600, size) ** 2).mean(0)
    assert square.mean() == pytest.approx(1, rel=0.04)
    assert square.std() < 0.12  # at each point: 600 squares scatter by √(2 / 600)
