"""Optional group structural of TEMPORAL, against definitions and fields of known structure."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import optional_cases as cases
from feature_cases import noise, smooth, wave
from spinlock.features.temporal import structural

seeds = st.integers(0, 2**31)
LAGS = 2.0 ** (np.arange(-36, -3) / 4)


def correlation(z, lags):
    """C(r), the mean over 128 directions of r of the sum of P cos(2 pi k r)."""
    power = np.abs(np.fft.fft2(z)) ** 2 / z.size**2
    angle = np.arange(128)[:, None, None] * np.pi / 128
    ky, kx = cases.wavenumbers(len(z))
    along = ky * np.sin(angle) + kx * np.cos(angle)
    return np.array([(power * np.cos(2 * np.pi * r * along).mean(0)).sum() for r in lags])


def structure_exponent(z):
    lags = LAGS[(LAGS > 0.03) & (LAGS < 0.13)]
    return np.polyfit(np.log(lags), np.log(2 - 2 * correlation(z, lags) + 1e-11), 1)[0]


def correlation_length(z):
    found = correlation(z, LAGS)
    for r, after, high, low in zip(LAGS, LAGS[1:], found, found[1:], strict=False):
        if low <= 1 / math.e:
            part = (high - 1 / math.e) / (high - low)
            return math.log10(r) + part * math.log10(after / r)
    raise AssertionError("C(r) never falls to 1/e")


def integral_scale(z):
    power = np.abs(np.fft.fft2(z)) ** 2 / z.size**2
    k = np.hypot(*cases.wavenumbers(len(z)))
    return math.log10((power[k > 0] / k[k > 0]).sum())


def homogeneity(z):
    size, total = len(z), 0.0
    for y in range(size):
        for x in range(size):
            for other in (z[(y + size // 16) % size, x], z[y, (x + size // 16) % size]):
                total += 1 / (1 + (z[y, x] - other) ** 2)
    return total / (2 * z.size)


def blurred(x):
    return ndimage.gaussian_filter(x, len(x) / 16, mode="wrap", truncate=8)


def orientation_coherence(z):
    dy, dx = cases.gradient(z)
    xx, yy, xy = blurred(dx * dx), blurred(dy * dy), blurred(dx * dy)
    return np.sqrt((xx - yy) ** 2 + 4 * xy**2).mean() / (xx + yy).mean()


def edge_share(z):
    dy, dx = cases.gradient(z)
    square = np.sort((dx**2 + dy**2).ravel())[::-1]
    return square[: round(z.size / 10)].sum() / square.sum()


def self_similarity(z):
    found = []
    for axis in (0, 1):
        other = np.roll(z, len(z) // 4, axis)
        both = blurred(z * z) + blurred(other * other)
        found.append((2 * blurred(z * other) + 0.01) / (both + 0.01))
    return np.mean(found)


ORACLES = {
    "structure_exponent": structure_exponent,
    "correlation_length": correlation_length,
    "integral_scale": integral_scale,
    "correlation_minimum": lambda z: correlation(z, LAGS).min(),
    "homogeneity": homogeneity,
    "orientation_coherence": orientation_coherence,
    "edge_share": edge_share,
    "self_similarity": self_similarity,
}


def test_every_column_has_an_oracle():
    assert set(ORACLES) == set(cases.statistics(structural))


@settings(max_examples=2)
@given(seed=seeds)
def test_columns_are_those_of_the_oracles(seed):
    for kind, u in cases.fields_of_all_kinds(seed).items():
        z = cases.standardized(u[0].numpy())
        expected = {name: oracle(z) for name, oracle in ORACLES.items()}
        cases.agree(cases.describe(structural, u), expected, kind)


@pytest.mark.parametrize("k", [2, 3, 6])
def test_correlation_of_a_plane_wave_is_a_bessel_function(k):
    found = cases.describe(structural, wave(0, k))
    first = 1.7455 / (2 * math.pi * k)  # J0(1.7455) = 1/e
    assert found["correlation_length"] == pytest.approx(math.log10(first), abs=0.01)
    assert found["correlation_minimum"] == pytest.approx(-0.4028, abs=0.02)
    assert found["integral_scale"] == pytest.approx(-math.log10(k), abs=1e-9)
    assert found["orientation_coherence"] == pytest.approx(1, abs=1e-6)


def test_edges_of_a_wave_have_the_share_of_a_squared_cosine():
    share = 0.1 + math.sin(0.1 * math.pi) / math.pi
    found = cases.describe(structural, wave(1, 1, size=128))
    assert found["edge_share"] == pytest.approx(share, abs=2e-3)


@pytest.mark.parametrize(("k", "along_x"), [(4, 1), (2, -1)])
def test_a_wave_meets_itself_or_its_opposite_a_quarter_further(k, along_x):
    found = cases.describe(structural, wave(0, k))
    assert found["self_similarity"] == pytest.approx((1 + along_x) / 2, abs=0.02)


def test_two_plateaus_differ_beside_their_borders_only():
    step = (torch.arange(32) < 16).double().expand(1, 32, 32)
    # along x, the two borders change 1/16 of the domain each, by 2
    expected = (1 + 1 - 2 / 16 * (1 - 1 / 5)) / 2
    assert cases.describe(structural, step)["homogeneity"] == pytest.approx(expected)


@pytest.mark.parametrize("hurst", [0.3, 0.5])  # at larger ones the domain's size bends the line
def test_structure_exponent_is_twice_that_of_a_fractional_field(hurst):
    white = np.fft.fft2(noise(2, (256, 256)).numpy())
    k = np.hypot(*cases.wavenumbers(256))
    response = np.where(k > 0, np.where(k > 0, k, 1) ** -(hurst + 1), 0)
    u = np.fft.ifft2(white / np.abs(white) * response).real
    found = cases.describe(structural, torch.from_numpy(u)[None])
    assert found["structure_exponent"] == pytest.approx(2 * hurst, abs=0.12)


def test_white_noise_has_no_structure():
    found = cases.describe(structural, noise(5, (8, 64, 64), torch.float64))
    assert found["structure_exponent"] == pytest.approx(0, abs=0.1)
    assert found["self_similarity"] == pytest.approx(0, abs=0.02)


def test_a_labyrinth_runs_one_way_in_each_place_and_all_ways_in_all():
    x = torch.arange(64, dtype=torch.float64) / 64 - 0.5
    radius = (x.square() + x[:, None].square()).sqrt()
    rings = (2 * math.pi * 10 * radius).cos() * (-((radius / 0.2) ** 4)).exp()
    assert cases.describe(structural, rings[None])["orientation_coherence"] > 0.4
    spots = wave(0, 8, 64) + wave(8, 0, 64)
    assert cases.describe(structural, spots)["orientation_coherence"] < 0.05


def test_the_laws_hold():
    cases.obeys_its_laws(structural, 12)


def test_a_finer_grid_changes_nothing_but_the_error_of_sums():
    tolerance = {"homogeneity": 2e-4, "edge_share": 4e-3}
    cases.knows_no_grid(
        structural, tolerance | {"orientation_coherence": 2e-4, "self_similarity": 1e-3}
    )


def test_gradients_are_those_of_finite_differences():
    cases.has_its_gradients(structural, smooth(3, (2, 1), 16, reach=3))


def test_what_does_not_vary_has_no_structure():
    every = set(ORACLES)
    for kind, u in cases.extremes().items():
        none = kind in {"constant", "zero", "not a number", "infinite"}
        assert cases.missing(structural, u) == (every if none else set()), kind


def test_a_grid_without_a_lag_has_no_column_of_it():
    assert cases.missing(structural, noise(1, (3, 24, 24))) == {"homogeneity"}
    assert cases.missing(structural, noise(1, (3, 18, 18))) == {"homogeneity", "self_similarity"}
