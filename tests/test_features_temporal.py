"""TEMPORAL features: each against an independent computation, and the laws that all obey."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from feature_cases import OF_FIELDS, TEMPORAL, noise, smooth, wave
from spinlock.features import extract, fields, names

SIGNED = {"spectral.direction_cos", "spectral.direction_sin"}  # they turn with the field
DIMENSIONAL = {"spatial.mean", "spatial.deviation"}
seeds = st.integers(0, 2**31)


def columns(u):
    return extract.temporal(u, OF_FIELDS)


def describe(u):
    """Columns by name of fields [B, C, H, W]."""
    found = columns(u[:, None])[:, 0]
    return dict(zip(TEMPORAL, found.unbind(-1), strict=True))


def modes_of(u):
    """Share of every mode of a field in its variance, with ky and kx: both signs, by NumPy."""
    share = np.abs(np.fft.fft2(u)) ** 2
    share[0, 0] = 0
    k = np.fft.fftfreq(len(u), 1 / len(u))
    return share / share.sum(), k[:, None] + 0 * k, k + 0 * k[:, None]


def test_there_are_24_and_27_documented_columns():
    assert len(names.names("temporal", ["spatial"])) == 24
    assert len(names.names("temporal", ["spectral"])) == 27
    assert len(set(TEMPORAL)) == 51
    assert all(c.formula and c.unit and c.source for c in names.columns("temporal", OF_FIELDS))


@given(seed=seeds)
def test_moments_and_quantiles_are_those_of_scipy(seed):
    u = noise(seed, (1, 1, 32, 32), torch.float64).exp()
    x = u.flatten().numpy()
    z, found = stats.zscore(x), describe(u)
    q = np.quantile(z, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    expected = {
        "mean": x.mean(),
        "deviation": np.log10(x.std()),
        "skewness": stats.skew(x),
        "kurtosis": stats.kurtosis(x),
        "absolute_deviation": np.abs(z).mean(),
        "median": q[3],
        "minimum": z.min(),
        "maximum": z.max(),
        "quantile_05": q[1],
        "quantile_95": q[5],
        "interquartile_range": stats.iqr(z),
        "quartile_skewness": (q[4] + q[2] - 2 * q[3]) / (q[4] - q[2]),
        "tail_weight": np.log10((q[6] - q[0]) / (q[4] - q[2])),
        "entropy": np.log(16 * np.diff(np.quantile(z, np.arange(17) / 16))).mean(),
    }
    for name, value in expected.items():
        assert float(found[f"spatial.{name}"]) == pytest.approx(value, rel=2e-5), name


def test_quantile_entropy_is_that_of_a_uniform_distribution():
    ramp = torch.arange(1024.0).reshape(1, 1, 32, 32)[:, :, :, torch.randperm(32)]
    width = math.sqrt(12)  # of a uniform distribution of variance 1
    assert float(describe(ramp)["spatial.entropy"]) == pytest.approx(math.log(width), abs=2e-3)


@pytest.mark.parametrize(("ky", "kx"), [(0, 3), (4, 0), (3, 4), (-2, 5)])
def test_gradient_of_a_plane_wave_is_known(ky, kx):
    k = math.hypot(ky, kx)
    found = describe(wave(ky, kx)[None])
    assert float(found["spatial.gradient_scale"]) == pytest.approx(math.log10(k), abs=1e-6)
    assert float(found["spatial.laplacian_scale"]) == pytest.approx(math.log10(k), abs=1e-6)
    assert float(found["spatial.gradient_anisotropy"]) == pytest.approx(1, abs=1e-6)
    # of a cosine: <s^4> / <s^2>^2 = 3/2
    assert float(found["spatial.gradient_kurtosis"]) == pytest.approx(math.log10(1.5), abs=1e-6)
    assert float(found["spatial.laplacian_kurtosis"]) == pytest.approx(math.log10(1.5), abs=1e-6)
    assert float(found["spatial.laplacian_skewness"]) == pytest.approx(0, abs=1e-6)


def test_gradient_of_a_gaussian_field_has_the_moments_of_a_gaussian():
    found = describe(smooth(3, (40, 1), 32, reach=6))
    # |grad z|^2 / 2 of an isotropic Gaussian field is exponential: <g^4> / <g^2>^2 = 2,
    # <|g|> / rms = sqrt(pi) / 2
    assert float(found["spatial.gradient_kurtosis"].mean()) == pytest.approx(0.28, abs=0.06)
    assert float(found["spatial.gradient_mean"].mean()) == pytest.approx(0.886, abs=0.02)


@given(seed=seeds)
def test_gradients_are_exact_for_the_fourier_series(seed):
    """Closed forms of u = sin(2πx) + cos(2π(2x + y)), shifted."""
    shift = seed % 7 / 10
    x = torch.arange(32, dtype=torch.float64) / 32 + shift
    y = x[:, None]
    u = torch.sin(2 * math.pi * x) + torch.cos(2 * math.pi * (2 * x + y))
    dx = torch.cos(2 * math.pi * x) - 2 * torch.sin(2 * math.pi * (2 * x + y))
    dy = -torch.sin(2 * math.pi * (2 * x + y))
    found_y, found_x = fields.measure(u[None]).gradient
    torch.testing.assert_close(found_x[0], 2 * math.pi * dx)  # the mean square of u is 1
    torch.testing.assert_close(found_y[0], (2 * math.pi * dy).expand(32, 32))


def test_a_stripe_crosses_its_mean_twice_a_wavelength():
    found = describe(wave(0, 4)[None])
    assert float(found["spatial.crossing_density"]) == pytest.approx(8 / 2)  # none along y


@given(seed=seeds)
def test_spectral_columns_are_those_of_the_full_spectrum(seed):
    u = smooth(seed, (1, 1), 32, reach=15)
    p, ky, kx = modes_of(u[0, 0].numpy())
    k, phi, found = np.hypot(ky, kx), np.arctan2(ky, kx), describe(u)
    octave = np.log2(np.where(k > 0, k, 1))
    center = (p * octave).sum()
    inside = (k > 0) & (k < 16)
    pair = 2 * p[inside] + 1e-11  # no mode below the Nyquist wavenumber is its own conjugate
    share = pair / pair.sum()
    expected = {
        "centroid": (p * k).sum(),
        "bandwidth": math.sqrt((p * (octave - center) ** 2).sum()),
        "anisotropy": abs((p * np.exp(2j * phi)).sum()),
        "dominant_wavenumber": (p**2 * k).sum() / (p**2).sum(),
        "direction_cos": (p**2 * np.cos(2 * phi)).sum() / (p**2).sum(),
        "direction_sin": (p**2 * np.sin(2 * phi)).sum() / (p**2).sum(),
        "low_mid_ratio": np.log10(p[k < 3].sum() / p[(k >= 3) & (k < 10)].sum()),
        "mid_high_ratio": np.log10(p[(k >= 3) & (k < 10)].sum() / p[k >= 10].sum()),
        "flatness": np.log10(stats.gmean(pair) / pair.mean()),
        "entropy": (stats.entropy(share) - math.log(2)) / math.log(inside.sum() / 2),
    }
    for number, (low, high) in enumerate([(1, 2), (2, 4), (4, 8), (8, 16)], 1):
        band = p[(k >= low) & (k < high)]
        expected[f"band_{number}_mean"] = np.log10(band.sum())
        expected[f"band_{number}_max"] = np.log10(2 * band.max() / band.sum())
        expected[f"band_{number}_std"] = np.log10(2 * band + 1e-11).std()
    for name, value in expected.items():
        assert float(found[f"spectral.{name}"]) == pytest.approx(value, rel=1e-5, abs=1e-6), name


def test_slope_is_the_exponent_of_a_power_law():
    ky, kx = np.fft.fftfreq(64, 1 / 64)[:, None], np.fft.rfftfreq(64, 1 / 64)
    k = np.hypot(ky, kx)
    white = np.fft.rfft2(noise(2, (64, 64)).numpy())  # its phases are those of a real field
    modes = np.where(k > 0, np.where(k > 0, k, 1) ** -1.5, 0) * white / np.abs(white)
    u = torch.from_numpy(np.fft.irfft2(modes))
    assert float(describe(u[None, None])["spectral.slope"]) == pytest.approx(-3, abs=0.05)


@pytest.mark.parametrize(("k", "low", "high"), [(1, 1, 2), (4, 4, 5), (9, 8, 10)])
def test_roll_off_of_a_plane_wave_lies_in_its_annulus(k, low, high):
    assert low <= float(describe(wave(0, k)[None])["spectral.roll_off"]) <= high


@given(seed=seeds, size=st.sampled_from([15, 16, 24, 32]))
def test_the_power_of_the_waves_sums_to_one(seed, size):
    found = fields.measure(noise(seed, (2, 3, size, size)))
    torch.testing.assert_close(found.power.sum(-1), torch.ones(2, 3))
    assert (found.modes.k.diff() >= 0).all()


@given(seed=seeds, dy=st.integers(0, 31), dx=st.integers(0, 31))
def test_nothing_depends_on_the_origin(seed, dy, dx):
    u = smooth(seed, (2, 3), 32)
    moved = columns(u.roll((dy, dx), (-2, -1)))
    torch.testing.assert_close(moved, columns(u), rtol=1e-6, atol=1e-6)


@given(seed=seeds)
def test_a_quarter_turn_turns_the_direction_only(seed):
    u = noise(seed, (2, 3, 32, 32), torch.float64)
    still, turned = describe(u), describe(u.rot90(1, (-2, -1)))
    for name, values in still.items():
        expected = -values if name in SIGNED else values
        torch.testing.assert_close(turned[name], expected, rtol=1e-6, atol=1e-6, msg=name)


@given(seed=seeds, scale=st.floats(0.01, 100), offset=st.floats(-10, 10))
def test_shape_knows_no_scale_and_no_offset(seed, scale, offset):
    u = smooth(seed, (2, 3), 16)
    still, changed = describe(u), describe(scale * u + offset)
    for name, values in still.items():
        expected = values
        if name == "spatial.mean":
            expected = scale * values + offset
        if name == "spatial.deviation":
            expected = values + math.log10(scale)
        torch.testing.assert_close(changed[name], expected, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_skewed_columns_change_sign_with_the_field_and_others_do_not():
    u = smooth(8, (1, 3), 32).exp()
    up, down = describe(u), describe(-u)
    odd = {"mean", "skewness", "median", "quartile_skewness", "laplacian_skewness"}
    for name in (f"spatial.{statistic}" for statistic in (*sorted(odd), "gradient_height")):
        torch.testing.assert_close(down[name], -up[name], rtol=1e-6, atol=1e-6)
    for name in (n for n in up if n.startswith("spectral.")):
        torch.testing.assert_close(down[name], up[name], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(down["spatial.minimum"], -up["spatial.maximum"])


def test_the_same_field_on_a_finer_grid_has_the_same_features():
    coarse, fine = (describe(smooth(4, (3, 2), size, reach=7)) for size in (32, 64))
    of_points = (
        {"minimum", "maximum", "median", "quantile_05", "quantile_95", "interquartile_range"}
        | {"quartile_skewness", "tail_weight", "entropy", "absolute_deviation"}
        | {"crossing_density", "gradient_maximum", "gradient_mean"}
    )  # functions of the values at the points: the grid's error is theirs
    for name, values in coarse.items():
        loose = name.split(".")[1] in of_points
        tolerance = 0.15 if loose else 1e-6
        torch.testing.assert_close(fine[name], values, rtol=tolerance, atol=tolerance, msg=name)


def test_a_grid_too_small_for_a_band_has_none():
    found = describe(noise(1, (1, 3, 16, 16)))
    missing = {name for name, values in found.items() if values.isnan().any()}
    assert missing == {f"spectral.band_5_{statistic}" for statistic in ("mean", "max", "std")}


def test_a_constant_field_has_a_mean_and_nothing_else():
    found = describe(torch.full((1, 3, 16, 16), 1.7))
    assert float(found.pop("spatial.mean")) == pytest.approx(1.7)
    assert all(values.isnan().all() for values in found.values())


def test_a_constant_channel_does_not_count():
    u = noise(3, (1, 3, 32, 32))
    u[:, 1] = 4.0
    partly, rest = columns(u), columns(u[:, [0, 2]])
    torch.testing.assert_close(partly[:, 1:], rest[:, 1:])


def test_a_square_grid_is_required():
    with pytest.raises(ValueError, match="square"):
        columns(torch.zeros(1, 3, 16, 8))
