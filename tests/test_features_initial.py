"""INITIAL features: oracles, closed forms, and what they may not depend on."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from spinlock import randomness
from spinlock.features import initial
from spinlock.features import initial_information as information
from spinlock.features import initial_morphology as morphology
from spinlock.initial_conditions import families

NAMES = [column.name for column in initial.COLUMNS]
VARIANTS = list(families.VARIANTS)
RESOLVED = VARIANTS[:10]  # of the default mix: no edges or thin tails that a coarse grid misses


def drawn(operator, grid_size=32, variant=None):
    rng = randomness.stream(7, "initial_condition/0", operator)
    label = variant or RESOLVED[operator % len(RESOLVED)]
    return families.draw(label, 3, grid_size, rng)


def mix(count, grid_size=32):
    return torch.stack([drawn(operator, grid_size) for operator in range(count)])


def value(u0, name):
    return float(initial.features(u0)[..., NAMES.index(f"initial.{name}")])


def wave(ky, kx, phase=0.3, size=32):
    x = torch.arange(size, dtype=torch.float64) / size
    return torch.cos(2 * math.pi * (ky * x[:, None] + kx * x[None, :]) + phase)[None]


def noise(seed, shape):
    return torch.from_numpy(randomness.stream(seed, "test").standard_normal(shape))


def test_there_are_fourteen_documented_columns_of_one_family():
    assert len(set(NAMES)) == 14
    assert all(name.startswith("initial.") and name.count(".") == 2 for name in NAMES)
    assert all(column.formula and column.unit and column.source for column in initial.COLUMNS)


def test_every_initial_condition_has_finite_features_and_no_column_is_constant():
    u0 = torch.stack([drawn(operator, variant=name) for operator, name in enumerate(VARIANTS * 2)])
    found = initial.features(u0)
    assert found.shape == (2 * len(VARIANTS), 14)
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()
    assert (found.std(0) > 1e-3).all()


def test_no_column_is_a_function_of_another():
    """Operators whose values agree in one column to 1 % of its range differ in every other."""
    found = initial.features(mix(300)).double()
    unit = (found - found.amin(0)) / (found.amax(0) - found.amin(0))
    near = (unit[:, None] - unit[None]).abs()
    for column in range(14):
        alike = near[near[..., column] < 0.01].amax(0)
        assert (alike[torch.arange(14) != column] > 0.03).all()


@given(dy=st.integers(0, 31), dx=st.integers(0, 31))
@settings(max_examples=8, deadline=None)
def test_features_do_not_depend_on_the_origin(dy, dx):
    u0 = mix(20)
    torch.testing.assert_close(
        initial.features(u0.roll((dy, dx), (-2, -1))), initial.features(u0), atol=2e-5, rtol=1e-5
    )


@given(scale=st.sampled_from([-4.0, -1.0, 0.125, 16.0]), offset=st.sampled_from([0.0, 0.5, -3.0]))
@settings(max_examples=8, deadline=None)
def test_features_do_not_depend_on_scale_sign_and_offset(scale, offset):
    u0 = mix(20).double()
    found, expected = initial.features(scale * u0 + offset), initial.features(u0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_features_do_not_depend_on_the_batch():
    u0 = mix(30)
    together = initial.features(u0)
    apart = torch.cat([initial.features(part) for part in u0.split([1, 7, 22])])
    assert torch.equal(together, apart)
    assert torch.equal(initial.features(u0.unflatten(0, (5, 6))).flatten(0, 1), together)


@pytest.mark.parametrize("size", [48, 64])
def test_features_do_not_depend_on_the_grid(size):
    found, expected = initial.features(mix(20, size)), initial.features(mix(20))
    assert ((found - expected).abs() < 1e-2 * expected.std(0)).all()


def test_features_of_channels_are_averaged():
    u0 = mix(10)
    by_channel = torch.stack([initial.features(u0[:, c : c + 1]) for c in range(3)])
    torch.testing.assert_close(initial.features(u0), by_channel.mean(0))


def test_constant_and_non_finite_channels_have_no_features():
    u0 = mix(4)
    u0[0], u0[1, 1:], u0[2, 0, 3, 3], u0[3, :, 0, 0] = 7.1, 0.0, math.inf, math.nan
    found = initial.features(u0)
    assert found[[0, 3]].isnan().all()
    torch.testing.assert_close(found[1], initial.features(mix(4)[1, :1]))
    torch.testing.assert_close(found[2], initial.features(mix(4)[2, 1:]))


@pytest.mark.parametrize("size", [16, 64])
def test_a_field_without_a_wave_that_the_analysis_resolves_has_no_features(size):
    board = (-1.0) ** (torch.arange(size)[:, None] + torch.arange(size))
    u0 = torch.stack([board, 3 * board + wave(1, 2, size=size)[0]])
    found = initial.features(u0[:, None])
    assert found[0].isnan().all()
    assert found[1].isfinite().all()


def test_oblong_grids_are_refused():
    with pytest.raises(ValueError, match="square"):
        initial.features(torch.zeros(1, 16, 32))


def labeled_with_a_seam(sign):
    """Areas of the periodic clusters: scipy's labels, joined by hand where they meet the seam."""
    areas = []
    for kind in (-1, 1):
        labels, count = ndimage.label(sign == kind)
        name = list(range(count + 1))

        def root(a, name=name):
            return a if name[a] == a else root(name[a])

        seams = np.concatenate([labels[[0, -1]], labels[:, [0, -1]].T], axis=1)
        for a, b in seams.T:
            if a and b:
                name[root(a)] = root(b)
        roots = np.array([root(a) for a in range(count + 1)])[labels]
        areas += [int((roots == r).sum()) for r in set(roots[labels > 0])]
    return areas


@given(seed=st.integers(0, 1000), share=st.sampled_from([0.1, 0.3, 0.7]))
@settings(max_examples=15, deadline=None)
def test_clusters_are_those_of_scipy_joined_at_the_seam(seed, share):
    rng = randomness.stream(seed, "test")
    sign = rng.choice([-1, 0, 1], (4, 16, 16), p=[share / 2, 1 - share, share / 2]).astype(np.int8)
    count, largest = morphology.clusters(torch.from_numpy(sign))
    for field, number, portion in zip(sign, count, largest, strict=True):
        areas = labeled_with_a_seam(field)
        assert number == len(areas)
        assert portion == pytest.approx(max(areas) / sum(areas))


@given(ky=st.integers(-5, 5), kx=st.integers(1, 5), phase=st.floats(0.1, 0.2))
@settings(max_examples=15, deadline=None)
def test_plane_waves_have_closed_forms(ky, kx, phase):
    u0, k = wave(ky, kx, phase), math.hypot(ky, kx)
    assert value(u0, "spectral.centroid") == pytest.approx(k)
    assert value(u0, "spectral.dominant_wavenumber") == math.floor(k + 0.5)
    cosines = math.cos(2 * math.pi * ky / 32) + math.cos(2 * math.pi * kx / 32)
    assert value(u0, "spatial.morans_i") == pytest.approx(cosines / 2)
    assert value(u0, "spatial.rotational_symmetry") == pytest.approx(0, abs=1e-9)
    assert value(u0, "spatial.centroid_distance") == pytest.approx(1 / math.pi)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_a_plane_wave_has_two_clusters_a_period_and_half_the_area(k):
    u0 = wave(0, k, 0.3, 32)
    assert value(u0, "morphology.cluster_count") == 2 * k
    assert value(u0, "morphology.area_density") == pytest.approx(0.5, abs=0.13)


def test_a_lattice_of_squares_is_symmetric_about_some_center():
    lattice = (wave(0, 3, 0.7) + wave(3, 0, 1.9)).roll((3, 5), (-2, -1))
    assert value(lattice, "spatial.rotational_symmetry") == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("exponent", [-4.0, -2.0, -1.0])
def test_the_slope_of_a_power_law_is_found(exponent):
    k = np.fft.fftfreq(32, 1 / 32)
    length = np.hypot(k[:, None], k[None, :])
    length[0, 0] = np.inf
    phases = np.angle(np.fft.fft2(noise(1, (20, 1, 32, 32)).numpy()))
    fields = np.fft.ifft2(length ** (exponent / 2) * np.exp(1j * phases)).real
    column = NAMES.index("initial.spectral.power_law_exponent")
    found = initial.features(torch.from_numpy(fields))[:, column]
    assert float(found.mean()) == pytest.approx(exponent, rel=0.05)


def test_energy_at_one_point_has_no_distance_from_its_centroid():
    point = torch.zeros(1, 32, 32, dtype=torch.float64)
    point[0, 31, 0] = 1.0
    assert value(point, "spatial.centroid_distance") < 0.05
    two = point + point.roll((16, 0), (-2, -1))
    chord = math.sqrt(2) / (2 * math.pi)  # of one axis, energy at opposite points
    assert value(two, "spatial.centroid_distance") == pytest.approx(chord, abs=0.02)


def test_the_radial_gradient_is_the_slope_of_a_cone_at_the_seam():
    x = torch.arange(32, dtype=torch.float64) / 32
    x = torch.minimum(x, 1 - x)
    r = torch.hypot(x[:, None], x[None, :])
    cone = (1 - 3 * r.clamp(max=0.3))[None]
    slope = -3 / float(cone.std(correction=0))
    assert value(cone, "spatial.radial_gradient") == pytest.approx(slope)


def test_entropies_are_those_of_scipy_and_vanish_where_they_must():
    z = initial.standardize(noise(2, (5, 32, 32)))
    levels = information.levels(z)
    expected = [stats.entropy(np.bincount(field.ravel()), base=2) for field in levels.numpy()]
    torch.testing.assert_close(information.entropy(levels), torch.tensor(expected))
    checkerboard = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    assert information.entropy(checkerboard[None]) == pytest.approx(1)
    assert information.local_entropy_variance(checkerboard[None]) == pytest.approx(0)
    assert information.predictability(checkerboard[None]) == pytest.approx(1)
    independent = torch.from_numpy(randomness.stream(3, "test").integers(0, 4, (20, 32, 32)))
    assert information.predictability(independent).max() < 0.02


def test_the_variance_of_local_entropy_is_that_of_windows_taken_one_by_one():
    levels = information.levels(initial.standardize(noise(4, (1, 32, 32))))
    wrapped = np.pad(levels[0].numpy(), (0, 7), mode="wrap")
    local = [
        stats.entropy(np.bincount(wrapped[y : y + 8, x : x + 8].ravel()), base=2)
        for y in range(32)
        for x in range(32)
    ]
    assert information.local_entropy_variance(levels) == pytest.approx(np.var(local))


def test_phrases_are_those_of_the_textbook():
    """Cover & Thomas 2006, section 13.4: 1,0,11,01,010,00,10."""
    assert information.count_phrases(bytes(map(int, "1011010100010"))) == 7
    assert information.count_phrases(bytes(10)) == 4  # 0, 00, 000, 0000
    assert information.count_phrases(bytes(11)) == 5  # and an unfinished one


def test_complexity_orders_noise_above_smooth_fields_above_a_wave():
    name = "information.lempel_ziv_complexity"
    smooth = value(drawn(0, 32, "band_limited_low")[:1], name)
    assert value(wave(0, 2), name) < smooth < value(noise(5, (1, 32, 32)), name) < 1.4
