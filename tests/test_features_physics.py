"""Optional group physics of TEMPORAL, against definitions and flows that are known."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optional_cases as cases
from feature_cases import noise, smooth, wave
from spinlock.features.temporal import physics

seeds = st.integers(0, 2**31)
VECTOR = {"helmholtz_split", "compressibility", "okubo_weiss", "independence", "defects"}
GRID = torch.arange(64, dtype=torch.float64) / 64


def of_channels(function):
    """The mean over the channels of a function of a standardized field."""
    return lambda u: np.mean([function(cases.standardized(channel)) for channel in u])


def palinstrophy_scale(z):
    power, k = np.abs(np.fft.fft2(z)) ** 2, np.hypot(*cases.wavenumbers(len(z)))
    return math.log10(math.sqrt((k**6 * power).sum() / (k**4 * power).sum()))


def derivative_skewness(z):
    dy, dx = cases.gradient(z)
    return math.hypot((dy**3).mean(), (dx**3).mean()) / (dx**2 + dy**2).mean() ** 1.5


def triad_transfer(z):
    coarse = cases.filtered(z, np.hypot(*cases.wavenumbers(len(z))) < 4)
    fine = z - coarse
    scale = (coarse.var() + 1e-5) * math.sqrt(fine.var() + 1e-5)
    return (coarse**2 * fine).mean() / scale


def equipartition(z):
    dy, dx = cases.gradient(z)
    kinetic, potential = dx**2 + dy**2, (1 - z**2) ** 2
    kinetic /= kinetic.mean()
    scale = math.sqrt((kinetic.var() + 1e-5) * (potential.var() + 1e-5))
    return np.cov(kinetic.ravel(), potential.ravel(), bias=True)[0, 1] / scale


def without_means(u):
    return u[:2] - u[:2].mean((1, 2), keepdims=True)


def jacobian(u):
    """v_xx, v_xy, v_yx, v_yy; v_xy the derivative of v_x along y."""
    (v_xy, v_xx), (v_yy, v_yx) = (cases.gradient(v) for v in without_means(u))
    return v_xx, v_xy, v_yx, v_yy


def helmholtz_split(u):
    v_x, v_y = (np.fft.fft2(v) for v in without_means(u))
    ky, kx = cases.wavenumbers(u.shape[-1])
    along = (kx * v_x + ky * v_y) / np.maximum(kx**2 + ky**2, 1)
    potential = [np.fft.ifft2(k * along).real for k in (kx, ky)]
    rest = [v - p for v, p in zip(without_means(u), potential, strict=True)]
    p, s = (sum((part**2).mean() for part in parts) for parts in (potential, rest))
    return (p - s) / (without_means(u) ** 2).mean((1, 2)).sum()


def compressibility(u):
    v_xx, v_xy, v_yx, v_yy = jacobian(u)
    d, w = ((v_xx + v_yy) ** 2).mean(), ((v_yx - v_xy) ** 2).mean()
    return (d - w) / (d + w)


def matrices(u):
    """The matrix of the derivatives of v at every point, [H, W, 2, 2]."""
    v_xx, v_xy, v_yx, v_yy = jacobian(u)
    return np.moveaxis(np.array([[v_xx, v_xy], [v_yx, v_yy]]), (0, 1), (2, 3))


def okubo_weiss(u):
    """Of the symmetric traceless and the antisymmetric part of the matrix of derivatives."""
    matrix = matrices(u)
    transposed, trace = matrix.swapaxes(2, 3), matrix.trace(axis1=2, axis2=3)
    even = (matrix + transposed) / 2 - trace[..., None, None] / 2 * np.eye(2)
    strain, spin = (2 * (part**2).sum((2, 3)) for part in (even, (matrix - transposed) / 2))
    total = (matrix**2).sum((2, 3)).mean()
    return ((strain - spin) / (strain + spin + 1e-5 * total)).mean()


def independence(u):
    matrix = matrices(u)
    return 2 * np.abs(np.linalg.det(matrix)).mean() / (matrix**2).sum((2, 3)).mean()


def defects(u):
    psi = np.pad(cases.standardized(u[0]) + 1j * cases.standardized(u[1]), (0, 1), mode="wrap")
    corners = [psi[:-1, :-1], psi[:-1, 1:], psi[1:, 1:], psi[1:, :-1], psi[:-1, :-1]]
    turn = sum(np.angle(after / before) for before, after in pairwise(corners))
    return math.log10(1 + (abs(turn) > np.pi).sum())


ORACLES = {
    "palinstrophy_scale": of_channels(palinstrophy_scale),
    "derivative_skewness": of_channels(derivative_skewness),
    "triad_transfer": of_channels(triad_transfer),
    "equipartition": of_channels(equipartition),
    "helmholtz_split": helmholtz_split,
    "compressibility": compressibility,
    "okubo_weiss": okubo_weiss,
    "independence": independence,
    "defects": defects,
}


def describe(*channels):
    """The columns of a field on a grid of 64², given by channels [64, 64]."""
    return cases.describe(physics, torch.stack([u.expand(64, 64) for u in channels]))


def test_every_column_has_an_oracle():
    assert set(ORACLES) == set(cases.statistics(physics))


@settings(max_examples=3)
@given(seed=seeds)
def test_columns_are_those_of_the_oracles(seed):
    ky, kx = cases.wavenumbers(32)
    signed = (abs(ky) < 16) & (abs(kx) < 16)  # no sign is known at the grid's own wavenumber
    for kind, of_kind in cases.fields_of_all_kinds(seed, 3).items():
        u = np.array([cases.filtered(channel, signed) for channel in of_kind.numpy()])
        expected = {name: oracle(u) for name, oracle in ORACLES.items()}
        cases.agree(cases.describe(physics, torch.from_numpy(u)), expected, kind)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gradient_is_compressible_and_its_quarter_turn_is_not(sign):
    dy, dx = (torch.from_numpy(part) for part in cases.gradient(smooth(4, (), 64).numpy()))
    found = describe(dx, dy) if sign > 0 else describe(dy, -dx)
    assert found["helmholtz_split"] == pytest.approx(sign, abs=1e-9)
    assert found["compressibility"] == pytest.approx(sign, abs=1e-9)
    if sign > 0:
        assert found["okubo_weiss"] == pytest.approx(1, abs=1e-2)  # it does not spin


def test_gaussian_channels_stretch_twice_as_much_as_they_spin():
    """Two parts of strain, one of spin, equally strong: <(2 - 1) / (2 + 1)>."""
    found = cases.values(physics, smooth(5, (40, 2), 32, reach=8)).mean(0)
    found = dict(zip(ORACLES, found.tolist(), strict=True))
    assert found["okubo_weiss"] == pytest.approx(1 / 3, abs=0.05)
    assert found["helmholtz_split"] == pytest.approx(0, abs=0.1)
    assert found["triad_transfer"] == pytest.approx(0, abs=0.1)
    assert found["derivative_skewness"] < 0.1


def test_a_function_of_the_other_channel_is_not_independent():
    u = smooth(6, (), 64)
    assert describe(u, 2 * u + 1)["independence"] == pytest.approx(0, abs=1e-9)
    across = describe((2 * math.pi * GRID).cos(), (2 * math.pi * GRID[:, None]).cos())
    assert across["independence"] == pytest.approx(2 * (2 / math.pi) ** 2, abs=1e-2)


def test_crossing_waves_have_a_defect_at_each_crossing_of_their_zeros():
    found = describe((6 * math.pi * GRID + 0.1).cos(), (2 * math.pi * GRID[:, None] + 0.2).cos())
    assert found["defects"] == pytest.approx(math.log10(1 + 6 * 2))


def test_a_second_harmonic_in_phase_is_a_transfer():
    x = 2 * math.pi * 3 * GRID
    found = describe(x.cos() + 0.3 * (2 * x).cos())
    assert found["triad_transfer"] == pytest.approx(math.sqrt(0.5), abs=1e-4)
    shifted = describe(x.cos() + 0.3 * (2 * x).sin())
    assert shifted["triad_transfer"] == pytest.approx(0, abs=1e-9)


def test_a_wall_between_two_phases_has_equal_energies_at_every_point():
    wall = (20 * (2 * math.pi * GRID).sin() / (2 * math.pi)).tanh()
    assert describe(wall)["equipartition"] > 0.95
    assert describe((2 * math.pi * GRID).cos())["equipartition"] == pytest.approx(0, abs=1e-9)


def test_a_saw_is_steep_on_one_side_only():
    waves = torch.arange(1, 13)[:, None]
    saw = ((2 * math.pi * waves * GRID).sin() / waves).sum(0)
    assert describe(saw)["derivative_skewness"] > 1
    assert describe(saw.sin())["derivative_skewness"] > 1
    symmetric = describe((2 * math.pi * GRID).cos())
    assert symmetric["derivative_skewness"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("ky", "kx"), [(0, 2), (3, 4)])
def test_palinstrophy_of_a_plane_wave_is_at_its_wavenumber(ky, kx):
    found = cases.describe(physics, wave(ky, kx))
    assert found["palinstrophy_scale"] == pytest.approx(math.log10(math.hypot(ky, kx)), abs=1e-9)


def test_the_laws_hold():
    cases.obeys_its_laws(physics, 13)


def test_a_finer_grid_changes_nothing_but_the_error_of_sums():
    tolerance = {"equipartition": 5e-4, "okubo_weiss": 0.02, "independence": 5e-3, "defects": 0.1}
    cases.knows_no_grid(physics, tolerance)


def test_gradients_are_those_of_finite_differences():
    cases.has_its_gradients(physics, smooth(3, (2, 2), 16, reach=3))


def test_what_does_not_vary_has_no_physics():
    every = set(ORACLES)
    for kind, u in cases.extremes().items():
        none = kind in {"constant", "zero", "not a number", "infinite"}
        assert cases.missing(physics, u) == (every if none else set()), kind


def test_a_single_channel_is_no_vector_field():
    assert cases.missing(physics, noise(1, (1, 32, 32))) == VECTOR
    u = noise(2, (3, 32, 32))
    u[1] = 4.0
    assert cases.missing(physics, u) == VECTOR


def test_a_constant_channel_does_not_count():
    u = noise(3, (3, 32, 32))
    u[2] = 4.0
    assert cases.describe(physics, u) == cases.describe(physics, u[:2])
