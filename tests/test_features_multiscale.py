"""Optional group multiscale of TEMPORAL, against definitions and fields of known scales."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

import optional_cases as cases
from feature_cases import noise, smooth, wave
from spinlock.features.temporal import multiscale

seeds = st.integers(0, 2**31)


def octaves(z):
    k = np.hypot(*cases.wavenumbers(len(z)))
    return [cases.filtered(z, (k >= 2**j) & (k < 2 ** (j + 1))) for j in range(4)]


def log_flatness(z):
    return [math.log10(((b**4).mean() + 3e-18) / ((b**2).mean() + 1e-9) ** 2) for b in octaves(z)]


def correlation(a, b):
    covariance = ((a - a.mean()) * (b - b.mean())).mean()
    return covariance / math.sqrt((a.var() + 1e-3) * (b.var() + 1e-3))


def octave_coupling(z):
    energies = [b**2 / ((b**2).mean() + 1e-9) for b in octaves(z)]
    return np.mean([correlation(a, b) for a, b in pairwise(energies)])


def local_entropy(z):
    energy = np.array([b**2 + 1e-6 for b in octaves(z)])
    return stats.entropy(energy, axis=0).mean() / math.log(4)


def coarse_entropy(z):
    coarse = sum(octaves(z)[:2])
    quantiles = np.quantile(coarse / coarse.std(), np.arange(17) / 16)
    return np.mean([math.log(16 * width + 1e-6) for width in np.diff(quantiles)])


def gap(z, side):
    """<m^2> / <m>^2 of boxes at every place, integrated by Gauss and Legendre's rule."""
    mass = z**2
    for k in cases.wavenumbers(len(z)):
        nodes, weights = np.polynomial.legendre.leggauss(24)
        shifted = [cases.filtered(mass, np.exp(1j * np.pi * k * side * node)) for node in nodes]
        mass = np.tensordot(weights / 2, shifted, 1)
    return (mass**2).mean() / mass.mean() ** 2


def lacunarity_slope(z):
    sides = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4])
    return np.polyfit(np.log(sides), [math.log(gap(z, side)) for side in sides], 1)[0]


def roughness(z):
    size, lags, means = len(z), (1, 2, 4), []
    for lag in lags:
        ahead = (np.arange(size) + lag * size // 32) % size
        both = np.abs(z[ahead] - z).mean(), np.abs(z[:, ahead] - z).mean()
        means.append(math.log(np.mean(both) + 5e-7))
    return np.polyfit(np.log(lags), means, 1)[0]


def interface_dimension(z):
    shares = []
    for part in (16, 8, 4):
        cells = len(z) // part + 1
        highest = ndimage.maximum_filter(z, cells, mode="wrap")
        lowest = ndimage.minimum_filter(z, cells, mode="wrap")
        shares.append(((highest > 0) & (lowest <= 0)).mean())
    return 2 - np.polyfit(np.log([1, 2, 4]), np.log(shares), 1)[0]


ORACLES = {
    "flatness": lambda z: np.mean(log_flatness(z)),
    "intermittency": lambda z: np.polyfit(range(4), log_flatness(z), 1)[0],
    "octave_coupling": octave_coupling,
    "local_entropy": local_entropy,
    "coarse_entropy": coarse_entropy,
    "lacunarity": lambda z: math.log10(gap(z, 1 / 8)),
    "lacunarity_slope": lacunarity_slope,
    "roughness": roughness,
    "interface_dimension": interface_dimension,
}


def test_every_column_has_an_oracle():
    assert set(ORACLES) == set(cases.statistics(multiscale))


@settings(max_examples=4)
@given(seed=seeds)
def test_columns_are_those_of_the_oracles(seed):
    kinds = cases.fields_of_all_kinds(seed)
    for kind, u in kinds.items():
        z = cases.standardized(u[0].numpy())
        expected = {name: oracle(z) for name, oracle in ORACLES.items()}
        if kind != "gaussian":  # boxes at places between the cells: z^2 must be resolved
            del expected["lacunarity"], expected["lacunarity_slope"]
        cases.agree(cases.describe(multiscale, u), expected, kind)


@given(octave=st.integers(0, 3))
def test_a_plane_wave_has_one_scale(octave):
    found = cases.describe(multiscale, wave(0, 2**octave, 64))
    flat, normal = math.log10(1.5), math.log10(3)  # of a cosine; an empty octave counts as Gaussian
    assert found["flatness"] == pytest.approx((flat + 3 * normal) / 4, abs=1e-4)
    place = octave - 1.5
    assert found["intermittency"] == pytest.approx(place * (flat - normal) / 5, abs=1e-4)
    assert found["octave_coupling"] == pytest.approx(0, abs=1e-4)
    assert found["local_entropy"] < 0.02


def test_a_gaussian_field_is_as_flat_at_any_scale_and_its_octaves_are_not_coupled():
    found = cases.values(multiscale, noise(4, (60, 1, 64, 64), torch.float64)).mean(0)
    found = dict(zip(ORACLES, found.tolist(), strict=True))
    assert found["intermittency"] == pytest.approx(0, abs=0.05)  # the first has four waves only
    assert found["octave_coupling"] == pytest.approx(0, abs=0.01)
    assert found["roughness"] == pytest.approx(0, abs=0.01)
    assert found["interface_dimension"] == pytest.approx(2, abs=0.01)


def test_a_lone_thing_is_intermittent_and_couples_its_octaves():
    x = torch.arange(64, dtype=torch.float64) / 64 - 0.5
    blob = (-(x.square() + x[:, None].square()) / (2 * 0.03**2)).exp()[None]
    lone, crowd = (cases.describe(multiscale, u) for u in (blob, noise(5, (1, 64, 64))))
    assert lone["intermittency"] > 0.1 > crowd["intermittency"]
    assert lone["octave_coupling"] > 0.5 > crowd["octave_coupling"]
    assert lone["lacunarity"] > 0.5 > crowd["lacunarity"]


def test_equal_masses_have_no_gaps_and_a_wave_has_those_of_its_square():
    step = (torch.arange(32) < 16).double().expand(1, 32, 32)
    assert cases.describe(multiscale, step)["lacunarity"] == pytest.approx(0, abs=1e-9)
    # z^2 = 1 + cos 2kx, and a mean over a side of 1/8 leaves sinc(2k / 8) of a cosine
    expected = math.log10(1 + np.sinc(2 * 3 / 8) ** 2 / 2)
    assert cases.describe(multiscale, wave(0, 3))["lacunarity"] == pytest.approx(expected)


def test_a_straight_interface_has_dimension_one():
    found = cases.describe(multiscale, wave(0, 1, 64))
    assert found["interface_dimension"] == pytest.approx(1)
    assert found["roughness"] == pytest.approx(1, abs=0.05)


def test_coarse_graining_finds_two_domains_under_noise():
    step = (torch.arange(64) < 32).double() + 0.5 * noise(7, (1, 64, 64), torch.float64)
    two, one = (cases.describe(multiscale, u) for u in (step, noise(8, (1, 64, 64))))
    assert two["coarse_entropy"] < 1.2 < one["coarse_entropy"]


def test_the_laws_hold():
    cases.obeys_its_laws(multiscale, 14)


def test_a_finer_grid_changes_nothing_but_the_error_of_sums():
    tolerance = {"local_entropy": 2e-3, "coarse_entropy": 0.02, "roughness": 2e-3}
    cases.knows_no_grid(multiscale, tolerance | {"interface_dimension": 0.03})


def test_gradients_are_those_of_finite_differences():
    cases.has_its_gradients(multiscale, smooth(3, (2, 1), 32, reach=12))


def test_what_does_not_vary_has_no_scales():
    every = set(ORACLES)
    for kind, u in cases.extremes().items():
        found = cases.missing(multiscale, u)
        if kind == "checkerboard":
            assert found == {"coarse_entropy"}  # it has no waves with k < 4
        else:
            none = kind in {"constant", "zero", "not a number", "infinite"}
            assert found == (every if none else set()), kind


@pytest.mark.parametrize("size", [16, 48])
def test_a_grid_without_the_lags_has_no_columns(size):
    assert cases.values(multiscale, noise(1, (1, 3, size, size))).isnan().all()
