"""SUMMARY temporal features: series whose growth, period, memory and jumps are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal, stats

from feature_cases import OF_PATHS, SUMMARY, breathing, noise, relaxing, smooth
from spinlock.features import declare, extract, names
from spinlock.features.summary import temporal, temporal_columns

STEPS = 64
time = torch.arange(STEPS + 1, dtype=torch.float64)
seeds = st.integers(0, 2**31)


def columns(frames):
    """Columns of trajectories [*B, T + 1, C, H, W] with their u_0."""
    return extract.summary(frames[..., 1:, :, :, :], frames[..., 0, :, :, :], OF_PATHS)


def describe(frames):
    """Columns by name of a trajectory [T + 1, C, H, W] with its u_0."""
    found = columns(frames)
    return dict(zip(SUMMARY, found.tolist(), strict=True))


def of_log_energy(x):
    """Columns of a trajectory whose log energy is x_0 … x_T."""
    return describe(breathing(torch.as_tensor(x, dtype=torch.float64).exp()))


def walk(seed):
    """A log energy that wanders."""
    return noise(seed, (STEPS + 1,), torch.float64).cumsum(0) * 0.1


def test_there_are_36_documented_columns():
    assert len(set(SUMMARY)) == 36
    assert all(c.formula and c.unit and c.source for c in names.columns("summary", OF_PATHS))


def test_the_functions_stand_in_the_order_of_the_columns():
    own = [declare.statistic(column) for column in temporal_columns.COLUMNS]
    assert [function.__name__ for function in temporal.FUNCTIONS] == own


def test_growth_of_an_exponential_is_its_rate():
    found = of_log_energy(0.03 * time)
    assert found["energy_growth"] == pytest.approx(0.03)
    assert found["variance_growth"] == pytest.approx(0.03)
    assert found["acceleration"] == pytest.approx(0, abs=1e-9)
    assert found["trend_strength"] == pytest.approx(1)
    assert found["final_initial_energy"] == pytest.approx(0.03 * STEPS)
    assert found["time_to_double"] == pytest.approx(math.log10(math.log(2) / 0.03))
    assert found["time_to_half"] == pytest.approx(math.log10(STEPS))  # never
    assert found["eighth_persistence"] == pytest.approx(1, abs=1e-4)


def test_halving_time_of_a_decay_and_doubling_time_of_its_mirror_image():
    down, up = of_log_energy(-0.1 * time), of_log_energy(0.1 * time)
    assert down["time_to_half"] == pytest.approx(math.log10(math.log(2) / 0.1))
    assert down["time_to_half"] == pytest.approx(up["time_to_double"])


def test_variance_grows_apart_from_energy_when_the_mean_moves():
    frames = smooth(1, (3,), 16) + 0.1 * time[:, None, None, None]
    found = describe(frames)
    assert found["variance_growth"] == pytest.approx(0, abs=1e-9)
    assert found["energy_growth"] > 0.01


def test_acceleration_is_the_curvature_over_the_trajectory():
    x = 0.001 * time**2 - 0.02 * time
    assert of_log_energy(x)["acceleration"] == pytest.approx(2 * 0.001 * STEPS)


@given(seed=seeds)
def test_line_and_remainder_are_those_of_scipy(seed):
    x = walk(seed)
    found, late = of_log_energy(x), x[1:].numpy()
    remainder = signal.detrend(late)
    assert found["energy_growth"] == pytest.approx(stats.linregress(time[1:], late).slope)
    assert found["trend_strength"] == pytest.approx(stats.linregress(time[1:], late).rvalue ** 2)
    assert found["detrended_variance"] == pytest.approx(math.log10(remainder.var()))
    crossings = np.count_nonzero(np.diff(np.sign(remainder)))
    assert found["zero_crossings"] == pytest.approx(crossings / (STEPS - 1))
    frequency, power = signal.periodogram(remainder, detrend=False)
    weight = power[1:] ** 2 / (power[1:] ** 2).sum()
    assert found["dominant_frequency"] == pytest.approx((weight * frequency[1:]).sum(), rel=1e-4)
    assert found["amplitude"] == pytest.approx(math.sqrt(power[1:].max() / power[1:].sum()))
    jumps = np.abs(np.diff(late) - np.median(np.diff(late)))
    assert found["spikes"] == pytest.approx(math.log10(jumps.max() / np.median(jumps)), abs=1e-4)


@pytest.mark.parametrize("period", [4.0, 8.0, 16.0])
def test_an_oscillation_has_its_frequency_and_its_period(period):
    x = 0.2 * torch.sin(2 * math.pi * time / period)
    found = of_log_energy(x)
    assert found["dominant_frequency"] == pytest.approx(1 / period, rel=0.03)
    assert found["period"] == pytest.approx(period, rel=0.15)  # the ends have no neighbors
    assert found["amplitude"] == pytest.approx(1, abs=0.05)


def test_one_jump_is_a_spike_and_a_burst():
    x = 1e-3 * noise(0, (STEPS + 1,), torch.float64)
    calm, jump = of_log_energy(x), of_log_energy(x + (time > 40))
    assert jump["spikes"] > calm["spikes"] + 1
    assert jump["bursts"] > calm["bursts"] + 0.3
    assert jump["eighth_burst"] == pytest.approx(math.log10((STEPS - 1) / 8), abs=0.01)
    assert jump["quarter_burst"] == pytest.approx(math.log10((STEPS - 1) / 16), abs=0.01)
    assert jump["eighth_shift"] > calm["eighth_shift"] + 0.2


def test_noise_that_dies_out_settles():
    x = noise(0, (STEPS + 1,), torch.float64) * torch.exp(-0.1 * time)
    found = of_log_energy(x)
    # the deviation falls by exp(-0.1) a step, from the first window to the last
    assert found["half_settling"] == pytest.approx(-0.1 * 32 / math.log(10), abs=0.3)
    assert found["half_unevenness"] > 0.5


def test_window_statistics_are_those_of_a_loop():
    x = walk(3)
    late, found = x[1:].numpy(), of_log_energy(x)
    remainder = signal.detrend(late)
    for name, width in (("eighth", 8), ("quarter", 16), ("half", 32)):
        starts = range(STEPS - width + 1)
        inside = [late[j : j + width] for j in starts]
        spread = np.array([part.std() for part in inside])
        level = np.array([part.mean() for part in inside])
        slopes = np.array([np.polyfit(np.arange(width), part, 1)[0] for part in inside])
        rest = np.mean([remainder[j : j + width].std() for j in starts])
        shift = np.abs(level[width:] - level[:-width]).max() / np.sqrt((spread**2).mean())
        expected = {
            "deviation": np.log10(rest / remainder.std()),
            "unevenness": spread.std() / spread.mean(),
            "shift": np.log10(shift),
            "persistence": slopes.mean() / np.sqrt((slopes**2).mean()),
            "settling": np.log10(spread[-1] / spread[0]),
        }
        for statistic, value in expected.items():
            assert found[f"{name}_{statistic}"] == pytest.approx(value, rel=1e-4, abs=1e-5)


def test_two_levels_of_activity_are_two_regimes():
    size = torch.where((time // 16) % 2 == 0, 0.01, 0.3)  # it changes at 16, 32, 48 and 64
    frames = size.cumsum(0)[:, None, None, None] + smooth(2, (3,), 16)
    assert describe(frames)["regime_switches"] == pytest.approx(4 / (STEPS - 2))


def test_distance_grows_as_time_to_the_exponent_of_diffusion():
    direction, start = smooth(1, (3,), 16), smooth(2, (3,), 16)
    for exponent in (0.0, 1.0, 2.0):
        away = torch.where(time > 0, time ** (exponent / 2), 0.0)
        frames = start + 0.1 * away[:, None, None, None] * direction
        assert describe(frames)["divergence_rate"] == pytest.approx(exponent, abs=1e-6)


def test_smoothness_tells_a_straight_path_from_a_random_walk_and_from_noise():
    jumps = noise(4, (STEPS + 1, 3, 16, 16), torch.float64)
    straight = time[:, None, None, None] * jumps[:1]
    assert describe(straight + 5)["smoothness"] == pytest.approx(1)
    assert describe(jumps.cumsum(0))["smoothness"] == pytest.approx(0, abs=0.02)
    assert describe(jumps)["smoothness"] == pytest.approx(-0.5, abs=0.02)


def test_memory_of_the_start_decays_as_that_of_an_autoregression():
    memory = 0.9
    frames = [noise(0, (3, 32, 32), torch.float64)]
    for step in range(STEPS):
        kick = noise(1 + step, (3, 32, 32), torch.float64)
        frames.append(memory * frames[-1] + math.sqrt(1 - memory**2) * kick)
    expected = 1 - (memory ** time[1:]).mean()
    found = describe(torch.stack(frames))["autocorrelation_decay"]
    assert found == pytest.approx(float(expected), abs=0.02)


def test_bursts_are_the_gini_coefficient_of_activity():
    activity = noise(5, (STEPS,), torch.float64).square().numpy()
    path = torch.from_numpy(np.concatenate([[0.0], np.sqrt(activity).cumsum()]))
    found = describe(path[:, None, None, None] + smooth(2, (3,), 16))["bursts"]
    late = activity[1:]  # the step from u_0 to u_1 is no activity of the trajectory
    gini = np.abs(late[:, None] - late).mean() / (2 * late.mean())
    assert found == pytest.approx(gini, rel=1e-5)


@given(seed=seeds, steps=st.sampled_from([16, 24, 64]))
def test_random_trajectories_have_every_column(seed, steps):
    frames = relaxing(seed % 1000, steps, 0.9, 0.1)
    found = columns(frames)
    assert found.dtype == torch.float32
    assert found.isfinite().all()


@pytest.mark.parametrize(
    ("steps", "missing"), [(1, 32), (2, 29), (3, 24), (4, 12), (8, 6), (15, 6), (16, 0)]
)
def test_what_needs_more_steps_is_missing_and_nothing_else(steps, missing):
    frames = relaxing(1, steps, 0.9, 0.1)
    found = columns(frames)
    assert int(found.isnan().sum()) == missing
    assert not found.isinf().any()


@pytest.mark.parametrize("dt", [1e-3, 1e-5])
def test_a_slow_trajectory_is_described_beyond_rounding(dt):
    """u_t = u_0 + t dt v in float32 has the features of the same in float64."""
    start, velocity = smooth(1, (3,), 16), smooth(2, (3,), 16)
    frames = start + dt * time[:, None, None, None] * velocity
    exact, found = describe(frames), describe(frames.float())
    for name in ("energy_growth", "divergence_rate", "autocorrelation_decay", "trend_strength"):
        assert found[name] == pytest.approx(exact[name], rel=2e-2, abs=1e-6), name


def test_a_frozen_trajectory_has_no_oscillation_but_finite_columns():
    frames = smooth(1, (3,), 16).expand(STEPS + 1, 3, 16, 16)
    found = describe(frames)
    missing = {name for name, value in found.items() if math.isnan(value)}
    oscillation = {"dominant_frequency", "amplitude", "period", "zero_crossings"}
    assert missing == oscillation | {"trend_strength"}
    assert found["energy_growth"] == pytest.approx(0, abs=1e-12)
    assert found["regime_switches"] == 0


def test_constant_fields_have_no_variance_and_zero_fields_nothing():
    level = (1 + 0.1 * torch.sin(time))[:, None, None, None].expand(STEPS + 1, 3, 16, 16)
    found = describe(level.float())
    missing = {name for name, value in found.items() if math.isnan(value)}
    assert missing == {"variance_growth", "autocorrelation_decay"}
    assert all(math.isnan(value) for value in describe(level * 0).values())


@given(seed=seeds)
def test_nothing_depends_on_origin_scale_or_sign(seed):
    frames = relaxing(seed % 1000, 16, 0.8, 0.3).double()
    still = columns(frames)
    moved = -3 * frames.roll((3, 5), (-2, -1)).rot90(1, (-2, -1))
    torch.testing.assert_close(columns(moved), still, rtol=1e-6, atol=1e-6)
