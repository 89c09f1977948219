"""SUMMARY drift features: each against an independent computation, and known conservation laws."""

import math
from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from feature_cases import noise, relaxing, smooth, wave
from spinlock.features import fields
from spinlock.features.summary import drift
from spinlock.features.summary.trajectories import Trajectories

STATISTICS = [column.name.removeprefix("summary.drift.") for column in drift.COLUMNS]
VERSIONS = ("raw", "low", "high")
NORMS = ("l1", "l2", "linf", "entropy", "tv")
STEPS = 24
time = torch.arange(STEPS, dtype=torch.float64)
seeds = st.integers(0, 2**31)
few = settings(max_examples=10, phases=[Phase.generate])
FROZEN = {"mean_drift": -5, "drift_variance": -2, "final_initial_ratio": 0, "monotonicity": 0}
STEADY = FROZEN | {"monotonicity": 1 / math.sqrt(1.01)}  # of equal steps


def compute(u):
    """The columns of trajectories [*B, T, C, H, W]."""
    numbers = drift.of_fields(fields.measure(u.flatten(0, -4))).unflatten(0, u.shape[:-3])
    u0 = u[..., 0, :, :, :]
    return drift.compute(Trajectories(u=u, u0=u0, numbers={"drift": numbers}, step=None))


def describe(u):
    """Columns by name of one trajectory [T, C, H, W]."""
    return dict(zip(STATISTICS, compute(u).tolist(), strict=True))


def of_one(found, version, norm):
    """The four statistics of one norm."""
    return {name: found[f"{version}_{norm}_{name}"] for name in FROZEN}


def numbers_of(u):
    """Norms by version and name of one field [C, H, W]."""
    found = drift.of_fields(fields.measure(u[None]))[0].tolist()
    return dict(zip(product(VERSIONS, NORMS), found, strict=True))


def modes_of(u, version):
    """Both signs of the modes of a version of a field, and their wavenumbers, by NumPy."""
    k = np.fft.fftfreq(u.shape[-1], 1 / u.shape[-1])
    length = np.hypot(k[:, None], k)
    kept = {"raw": length >= 0, "low": (length > 0) & (length < 4), "high": length >= 4}
    return np.fft.fft2(u) * kept[version], k


def rms(v):
    return math.sqrt(np.mean(v**2))


def entropy(modes):
    """Of waves: a pair of modes of opposite sign is one; the mean is one by itself."""
    power = (np.abs(modes) ** 2).sum(0).flatten()
    paired = 1 - power[0] / power.sum()
    return stats.entropy(power) - math.log(2) * paired


def series_value(u, version, norm):
    """x of one field from the definitions."""
    modes, k = modes_of(u, version)
    v = np.fft.ifft2(modes).real
    if norm == "l2":
        return math.log(rms(v) / (1 if version == "raw" else rms(u)))
    if norm == "entropy":
        return entropy(modes)
    dy, dx = (np.fft.ifft2(2j * np.pi * q * modes).real for q in (k[:, None], k))
    size = {
        "l1": np.abs(v).mean(),
        "linf": np.mean(v**8) ** (1 / 8),
        "tv": np.hypot(dy, dx).mean() / (8 * np.pi),
    }
    return math.log(size[norm] / rms(v))


def mean_drift(x):
    return math.log10(np.mean([abs(b - a) for a, b in pairwise(x)]) + 1e-5)


def drift_variance(x):
    speed = [abs(b - a) for a, b in pairwise(x)]
    return math.log10(np.var(speed) / (np.mean(speed) + 1e-5) ** 2 + 0.01)


def final_initial_ratio(x):
    return x[-1] - x[0]


def monotonicity(x):
    steps = [b - a for a, b in pairwise(x)]
    width = 0.01 * sum(d * d for d in steps) / len(steps) + 1e-10
    return sum(d / math.sqrt(d * d + width) for d in steps) / len(steps)


def expected(u, version, norm, statistic):
    return statistic([series_value(field, version, norm) for field in u.numpy()])


ORACLES = {
    f"{version}_{norm}_{statistic.__name__}": partial(
        expected, version=version, norm=norm, statistic=statistic
    )
    for version in VERSIONS
    for norm in NORMS
    for statistic in (mean_drift, drift_variance, final_initial_ratio, monotonicity)
}


def test_every_column_has_an_oracle():
    assert len(STATISTICS) == 60
    assert set(ORACLES) == set(STATISTICS)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_column_is_that_of_its_oracle(seed):
    u = relaxing(seed, 10, 0.9, 0.3, size=24)[0].double() + 0.3
    u = u + 0.05 * smooth(seed, tuple(u.shape[:2]), 24, reach=8)
    found = describe(u)
    for name, oracle in ORACLES.items():
        assert found[name] == pytest.approx(oracle(u), rel=1e-5, abs=1e-6), name


@few
@given(seed=seeds)
def test_norms_are_those_of_their_definitions(seed):
    u = noise(seed, (2, 16, 16), torch.float64).exp()
    found = numbers_of(u)
    for (version, norm), value in found.items():
        x = value if norm == "entropy" else math.log(value)
        if norm in ("entropy", "tv") and version != "low":
            continue  # waves of the grid's own wavenumber have no partner, and no slope
        assert x == pytest.approx(series_value(u.numpy(), version, norm), rel=1e-6), (version, norm)


@pytest.mark.parametrize(("k", "version", "empty"), [(2, "low", "high"), (6, "high", "low")])
def test_norms_of_a_plane_wave_are_known(k, version, empty):
    found = numbers_of(wave(0, k, size=256))
    for here in (version, "raw"):
        assert found[here, "l1"] == pytest.approx(2 * math.sqrt(2) / math.pi, rel=1e-3)
        assert found[here, "linf"] == pytest.approx(math.sqrt(2) * (35 / 128) ** (1 / 8))
        assert found[here, "entropy"] == pytest.approx(0, abs=1e-7)
        length = 2 * math.sqrt(2) / math.pi * k / 4
        assert found[here, "tv"] == pytest.approx(length, rel=1e-3)
    assert found["raw", "l2"] == pytest.approx(math.sqrt(0.5))
    assert found[version, "l2"] == pytest.approx(1)
    assert found[empty, "l2"] == pytest.approx(1e-5, rel=1e-3)
    for norm in ("l1", "linf", "tv"):
        assert found[empty, norm] == pytest.approx(1, abs=1e-4)
    assert found[empty, "entropy"] == pytest.approx(0, abs=1e-6)


def test_equal_waves_have_the_logarithm_of_their_number_as_entropy():
    u = wave(0, 1) + wave(2, 0) + wave(3, 5) + wave(0, 7) + wave(6, -6)
    found = numbers_of(u)
    for version, waves in (("low", 2), ("high", 3), ("raw", 5)):
        assert found[version, "entropy"] == pytest.approx(math.log(waves), abs=1e-6)


def test_a_gaussian_field_has_the_norms_of_a_normal_distribution():
    found = drift.of_fields(fields.measure(noise(0, (8, 3, 64, 64), torch.float64))).mean(0)
    raw = dict(zip(NORMS, found.tolist(), strict=False))
    assert raw["l1"] == pytest.approx(math.sqrt(2 / math.pi), rel=1e-2)
    assert raw["linf"] == pytest.approx(105 ** (1 / 8), rel=1e-2)  # <z^8> = 105
    assert raw["l2"] == pytest.approx(1, rel=1e-2)


def test_a_mean_belongs_to_the_raw_field_only():
    still = smooth(1, (3,), 32) * 0.1
    found, lifted = numbers_of(still), numbers_of(still + 50)
    for (version, norm), value in found.items():
        if version == "raw" or norm == "l2":
            continue
        # relative to the field they are 500 times smaller: the floor is nearer
        assert lifted[version, norm] == pytest.approx(value, rel=1e-2), (version, norm)
    for norm in ("l1", "linf"):
        assert lifted["raw", norm] == pytest.approx(1, abs=1e-4)
    assert lifted["raw", "entropy"] < 1e-3


def test_growth_of_the_amplitude_drifts_the_amplitude_and_nothing_else():
    u = torch.exp(0.03 * time)[:, None, None, None] * (smooth(1, (3,), 32) + 0.4)
    found = describe(u)
    for version, norm in product(VERSIONS, NORMS):
        truth = FROZEN
        if (version, norm) == ("raw", "l2"):
            ratio = 0.03 * (STEPS - 1)
            truth = STEADY | {"mean_drift": math.log10(0.03001), "final_initial_ratio": ratio}
        assert of_one(found, version, norm) == pytest.approx(truth, abs=1e-4), (version, norm)


def test_a_moving_pattern_conserves_every_norm():
    """It moves by part of a cell a step: exact but for the kinks of |v| and |∇v|."""
    x = torch.arange(32, dtype=torch.float64) / 32
    frames = []
    for step in range(STEPS):
        y = 2 * math.pi * (x - 0.0137 * step)
        frames.append((y.cos()[:, None] + 0.5 * (2 * y).sin()[None, :] + (3 * y).cos())[None])
    found = describe(torch.stack(frames))
    for version, norm in product(VERSIONS, NORMS):
        drifts = of_one(found, version, norm)
        if norm in ("l1", "tv"):
            assert drifts["mean_drift"] < -2.5, (version, norm)
        else:
            assert drifts == pytest.approx(FROZEN, abs=1e-4), (version, norm)


def test_a_diffusing_field_loses_its_small_scales_at_the_known_rate():
    decay = torch.exp(-0.05 * time)[:, None, None, None]
    u = 10 + wave(1, 0) + decay * wave(0, 5)
    found = describe(u)
    square = 100 + 0.5 + 0.5 * torch.exp(-0.1 * time)
    share = 0.5 * torch.exp(-0.1 * time) / square
    x = 0.5 * share.log()
    high = of_one(found, "high", "l2")
    assert high["final_initial_ratio"] == pytest.approx(float(x[-1] - x[0]), abs=1e-5)
    assert high["mean_drift"] == pytest.approx(math.log10(x.diff().abs().mean() + 1e-5), abs=1e-5)
    assert high["monotonicity"] == pytest.approx(-1 / math.sqrt(1.01), abs=1e-5)
    assert found["low_l2_final_initial_ratio"] == pytest.approx(
        float(-0.5 * (square[-1] / square[0]).log()), abs=1e-5
    )
    for version, norm in product(("low", "high"), ("l1", "linf", "entropy", "tv")):
        assert found[f"{version}_{norm}_final_initial_ratio"] == pytest.approx(0, abs=1e-4)


def test_one_jump_is_a_burst_and_a_straight_line_is_none():
    shape = smooth(1, (3,), 16)
    jump, line = torch.exp((time > 10).double()), torch.exp(0.1 * time)
    amplitude = [describe(size[:, None, None, None] * shape) for size in (jump, line)]
    bursts = [found["raw_l2_drift_variance"] for found in amplitude]
    # one step of n = 23 is the only one: variance over square of the mean is n - 1
    assert bursts == pytest.approx([math.log10(STEPS - 2), -2], abs=1e-3)
    assert amplitude[0]["raw_l2_final_initial_ratio"] == pytest.approx(1)


def test_monotonicity_tells_one_way_from_to_and_fro_and_from_a_walk():
    shape = smooth(1, (3,), 16)
    rise = torch.exp(0.2 * time)
    swing = torch.exp(0.2 * (-1.0) ** time)
    walk = torch.exp(0.2 * noise(3, (STEPS,), torch.float64).cumsum(0))
    up, down, to_and_fro, wandering = (
        describe(size[:, None, None, None] * shape)["raw_l2_monotonicity"]
        for size in (rise, 1 / rise, swing, walk)
    )
    assert up == pytest.approx(1 / math.sqrt(1.01))
    assert down == pytest.approx(-up)
    assert to_and_fro == pytest.approx(-up / (STEPS - 1))  # one step down more than up
    assert abs(wandering) < 0.5


def test_a_frozen_trajectory_has_no_drift():
    found = describe(smooth(1, (3,), 32).float().expand(STEPS, 3, 32, 32))
    for version, norm in product(VERSIONS, NORMS):
        assert of_one(found, version, norm) == FROZEN


@pytest.mark.parametrize("level", [0.0, 30.0])
def test_rounding_is_no_drift(level):
    """Positions and the last bits of a field change, what it conserves does not.

    ε is ten times what rounding leaves, so rounding may add a hundredth, as much as `STEADY`, to
    the relative variance, whose logarithm then grows by that of 2. How much it adds depends on the
    processor: 0.22 decades on one with AMX, below 0.2 on one without.
    """
    still = smooth(1, (3,), 32, reach=10) + level
    frames = [(still * (1 + 1e-8 * step)).float().roll(step, -1) for step in range(STEPS)]
    found = describe(torch.stack(frames))
    for version, norm in product(VERSIONS, NORMS):
        truth = {name: pytest.approx(value, abs=0.2) for name, value in FROZEN.items()}
        truth["drift_variance"] = pytest.approx(FROZEN["drift_variance"], abs=math.log10(2))
        assert of_one(found, version, norm) == truth, (version, norm)


@pytest.mark.parametrize("seed", [1, 2])
def test_single_precision_is_enough(seed):
    u = relaxing(seed, 16, 0.9, 0.1, size=32)
    torch.testing.assert_close(compute(u), compute(u.double()), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("steps", "missing"), [(1, 60), (2, 30), (3, 0)])
def test_what_needs_more_steps_is_missing_and_nothing_else(steps, missing):
    found = compute(relaxing(1, steps, 0.9, 0.1)[:, 1:])
    assert int(found.isnan().sum()) == missing


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf, 1e30])
def test_a_field_that_is_zero_or_not_finite_has_no_norms(value):
    u = relaxing(1, 8, 0.9, 0.1)[0]
    u[4] = value
    assert compute(u).isnan().all()
    u = relaxing(1, 8, 0.9, 0.1)[0]
    u[4, 1, 3, 5] = value
    assert bool(compute(u).isnan().all()) == (value != 0)


def test_a_channel_that_is_constant_adds_its_mean_only():
    u = smooth(1, (3,), 32)
    level = u.clone()
    level[1] = 0.7
    found = numbers_of(level.float())
    for version, norm in product(VERSIONS, NORMS):
        value = found[version, norm] if norm == "entropy" else math.log(found[version, norm])
        truth = series_value(level.numpy(), version, norm)
        assert value == pytest.approx(truth, rel=1e-4, abs=1e-5), (version, norm)


def test_a_constant_field_is_its_mean_and_conserves_it():
    found = numbers_of(torch.full((3, 16, 16), 1.7))
    assert found["raw", "l2"] == pytest.approx(1.7)
    assert found["raw", "l1"] == found["raw", "linf"] == pytest.approx(1)
    assert found["raw", "tv"] == pytest.approx(1e-5)
    assert found["low", "l2"] == found["high", "l2"] == pytest.approx(1e-5)
    columns = describe(torch.full((STEPS, 3, 16, 16), 1.7))
    assert all(of_one(columns, *pair) == FROZEN for pair in product(VERSIONS, NORMS))


@pytest.mark.parametrize("size", [16, 32])
def test_one_trajectory_has_the_same_bits_alone_and_among_others(size):
    u = torch.cat([relaxing(seed, 12, 0.9, 0.1, size) for seed in range(4)])
    together = compute(u)
    for row in range(4):
        assert torch.equal(compute(u[row]), together[row])
    order = torch.tensor([3, 0, 2, 1])
    assert torch.equal(compute(u[order]), together[order])
    watched = u.clone().requires_grad_()
    assert torch.equal(compute(watched).detach(), together)


@few
@given(seed=seeds, scale=st.floats(0.02, 50))
def test_nothing_depends_on_origin_scale_or_orientation(seed, scale):
    u = relaxing(seed % 1000, 8, 0.8, 0.3, size=16)[0].double()
    moved = -scale * u.roll((3, 5), (-2, -1)).rot90(1, (-2, -1))
    torch.testing.assert_close(compute(moved), compute(u), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_fields_on_a_finer_grid_have_the_same_norms(seed):
    """Those of |v| and |∇v|, which have kinks, to 0.5 %; the others exactly, up to k = N / 8."""
    coarse, fine = (drift.of_fields(fields.measure(smooth(seed, (4, 3), n, 4))) for n in (33, 128))
    for (_, norm), one, other in zip(product(VERSIONS, NORMS), coarse.T, fine.T, strict=True):
        rtol = 5e-3 if norm in ("l1", "tv") else 1e-7
        torch.testing.assert_close(one, other, rtol=rtol, atol=1e-7)


def test_gradients_are_those_of_finite_differences():
    u = relaxing(2, 4, 0.7, 0.5, size=8)[0, 1:, :2].double() + noise(1, (4, 2, 8, 8)).double()
    assert torch.autograd.gradcheck(compute, u.requires_grad_())


@pytest.mark.parametrize("kind", ["constant", "zero", "frozen", "nan", "wave", "one channel"])
def test_gradients_are_finite_where_values_are_missing_or_extreme(kind):
    u = relaxing(2, 8, 0.9, 0.3)[0]
    if kind == "frozen":
        u = u[:1].expand_as(u).clone()
    elif kind == "one channel":
        u[3:5, 1] = 0.5
    else:
        points = torch.cos(2 * math.pi * torch.arange(16) / 16)
        u[3:5] = {"constant": torch.tensor(2.0), "zero": torch.tensor(0.0)}.get(
            kind, torch.tensor(torch.nan) if kind == "nan" else points
        )
    u.requires_grad_()
    found = compute(u)
    assert not found.isinf().any()
    (gradient,) = torch.autograd.grad(found.nansum(), u)
    assert gradient.isfinite().all()
