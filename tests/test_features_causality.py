"""SUMMARY causality: each column in plain space; drives, delays and flows that are known."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feature_cases import noise, relaxing, smooth
from spinlock.features import fields
from spinlock.features.declare import statistic
from spinlock.features.summary import causality
from spinlock.features.summary.trajectories import Trajectories

NAMES = [statistic(column) for column in causality.COLUMNS]
PAIRS = [name for name in NAMES if name.startswith(("asymmetry", "granger"))]
STEPS = 24
seeds = st.integers(0, 2**31)


def compute(u):
    """The columns of trajectories [*B, T, C, H, W]."""
    frames = u.reshape(-1, *u.shape[-3:])
    numbers = causality.of_fields(fields.measure(frames)).unflatten(0, u.shape[:-3])
    start = u[..., 0, :, :, :]
    return causality.compute(Trajectories(u=u, u0=start, numbers={"causality": numbers}, step=None))


def describe(u):
    """Columns by name of one trajectory [T, C, H, W]."""
    return dict(zip(NAMES, compute(u).tolist(), strict=True))


def reacting(seed, steps=STEPS, channels=3, size=32):
    """A trajectory of coupled fields that fade, move and are pushed; all waves, float64."""
    u = smooth(seed, (channels,), size) ** 2 + 0.3
    push = 0.05 * (noise(seed + 1, (steps, channels, size, size), torch.float64) ** 2 - 1)
    frames = []
    for kick in push:
        other = u.roll(1, -3)
        u = 0.9 * u.roll((1, 2), (-2, -1)) + 0.1 * other - 0.02 * u * other + kick
        frames.append(u)
    return torch.stack(frames)


# --- the definitions in plain space: NumPy, float64, loops -------------------------------------


def low_pass(u, below):
    """The part of fields with 1 <= k < below."""
    k = np.fft.fftfreq(u.shape[-1], 1 / u.shape[-1])
    length = np.hypot(k[:, None], k)
    return np.fft.ifft2(np.fft.fft2(u) * ((length > 0) & (length < below))).real


def large(u):
    return low_pass(u.numpy(), 8)


def asymmetries(u, lag):
    x = large(u) - large(u).mean(0)
    level = (u.numpy() ** 2).mean((0, 2, 3))
    steps, size = len(x), x[0, 0].size
    found = []
    for a, b in combinations(range(x.shape[1]), 2):
        ab = sum((x[t + lag, a] * x[t, b]).sum() for t in range(steps - lag)) / (size * steps)
        ba = sum((x[t + lag, b] * x[t, a]).sum() for t in range(steps - lag)) / (size * steps)
        change = [
            sum(((x[t + lag, c] - x[t, c]) ** 2).sum() for t in range(steps - lag)) / (size * steps)
            + 1e-13 * level[c]
            for c in (a, b)
        ]
        square = [np.mean(x[:, c] ** 2) for c in (a, b)]
        found.append(abs(ab - ba) / math.sqrt(change[0] * square[1] + change[1] * square[0]))
    return found


def log_ratios(u, order):
    v, level = large(u), (u.numpy() ** 2).mean((0, 2, 3))
    found = []

    def left(a, channels):
        target = (v[2:, a] - v[1:-1, a]).ravel()
        rows = [v[1:-1, c].ravel() for c in channels]
        if order == 2:
            rows += [(v[1:-1, c] - v[:-2, c]).ravel() for c in channels]
        rows = np.stack(rows, 1)
        weights, *_ = np.linalg.lstsq(rows, target, rcond=None)
        return np.mean((target - rows @ weights) ** 2) + 1e-13 * level[a]

    for a, b in permutations(range(v.shape[1]), 2):
        found.append(math.log(left(a, [a]) / left(a, [a, b])))
    return found


def third_moments(u):
    v, level = low_pass(u.numpy(), 5), (u.numpy() ** 2).mean((0, 2, 3))
    x = v - v.mean(0)
    forward, backward = x[1:] ** 2 * x[:-1], x[1:] * x[:-1] ** 2
    rise = (forward - backward).mean((0, 2, 3))
    scale = ((x**2).mean((0, 2, 3)) + 1e-13 * level) ** 1.5
    cube = (np.diff(v, axis=0) ** 3).mean((0, 2, 3))
    change = ((np.diff(v, axis=0) ** 2).mean((0, 2, 3)) + 1e-13 * level) ** 1.5
    return rise / scale, cube / change


def standardized(u):
    u = u.numpy() - u.numpy().mean((-2, -1), keepdims=True)
    return low_pass(u / u.std((-2, -1), keepdims=True), 8)


def flow_speed(u):
    z = standardized(u)
    k = 2j * math.pi * np.fft.fftfreq(z.shape[-1], 1 / z.shape[-1])
    dy = np.fft.ifft2(np.fft.fft2(z) * k[:, None]).real
    dx = np.fft.ifft2(np.fft.fft2(z) * k).real
    slope = np.stack([((d[1:] + d[:-1]) / 2).ravel() for d in (dy, dx)], 1)
    ridge = math.sqrt(1e-6 * ((dy**2).sum() + (dx**2).sum()))
    rows = np.concatenate([slope, ridge * np.eye(2)])
    target = np.concatenate([-(z[1:] - z[:-1]).ravel(), [0, 0]])
    velocity, *_ = np.linalg.lstsq(rows, target, rcond=None)
    return math.log10(math.hypot(math.hypot(*velocity), 1e-7))


def flow_direction(u):
    waves = np.fft.fft2(standardized(u), norm="forward")
    flux = (waves[:-1].conj() * waves[1:]).imag.sum((0, 1))
    k = np.fft.fftfreq(u.shape[-1], 1 / u.shape[-1])
    length = np.hypot(k[:, None], k)
    length[0, 0] = 1
    net = math.hypot((flux * k[:, None] / length).sum(), (flux * k / length).sum())
    return net / (np.abs(flux).sum() + 1e-8 * (np.abs(waves) ** 2).sum())


ORACLES = {
    **{
        f"asymmetry_{lag}_mean": lambda u, lag=lag: np.mean(asymmetries(u, lag))
        for lag in (1, 2, 3)
    },
    **{f"asymmetry_{lag}_max": lambda u, lag=lag: np.max(asymmetries(u, lag)) for lag in (1, 2, 3)},
    **{f"granger_{p}_mean": lambda u, p=p: np.mean(log_ratios(u, p)) for p in (1, 2)},
    **{f"granger_{p}_max": lambda u, p=p: np.max(log_ratios(u, p)) for p in (1, 2)},
    "irreversibility": lambda u: math.log10(np.mean(third_moments(u)[0] ** 2) + 1e-6) / 2,
    "irreversibility_index": lambda u: np.mean(third_moments(u)[1]),
    "flow_magnitude": flow_speed,
    "flow_anisotropy": flow_direction,
}


def test_every_column_has_an_oracle_and_is_documented():
    assert set(ORACLES) == set(NAMES)
    assert len(NAMES) == 14
    assert all(c.formula and c.unit and c.source and c.purpose for c in causality.COLUMNS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("seed", "channels", "size"), [(1, 3, 32), (2, 2, 24), (3, 5, 16)])
def test_columns_are_those_of_plain_space(name, seed, channels, size):
    u = reacting(seed, channels=channels, size=size)
    assert describe(u)[name] == pytest.approx(ORACLES[name](u), rel=1e-5, abs=1e-9)


@given(seed=seeds)
def test_values_lie_within_their_bounds(seed):
    u = relaxing(seed % 1000, 16, 0.9, 0.3).double()
    for column, value in zip(causality.COLUMNS, compute(u)[0].tolist(), strict=True):
        assert column.low <= value <= column.high, column.name


# --- delays and drives -------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_a_delayed_copy_is_asymmetric_at_its_delay_and_at_no_other(delay):
    """x white in time: S_ba = s^2 at the delay, S = 2 s^2, hence 1 / sqrt(4)."""
    white = noise(delay, (128, 32, 32), torch.float64)
    found = describe(torch.stack([white[delay:], white[:-delay]], 1))
    for lag in (1, 2, 3):
        expected = 0.5 if lag == delay else 0.0
        assert found[f"asymmetry_{lag}_max"] == pytest.approx(expected, abs=0.03)


def coupled(drive, past=0.0, steps=128):
    """Channel b follows a: b' = 0.6 b + drive a + past a(t - 1) + noise, a' = 0.5 a + noise."""
    kicks = noise(7, (steps, 2, 32, 32), torch.float64)
    before, frames = torch.zeros(2, 32, 32, dtype=torch.float64), [kicks[0]]
    for kick in kicks[1:]:
        a, b = frames[-1]
        after = torch.stack([0.5 * a, 0.6 * b + drive * a + past * before[0]]) + kick
        before = frames[-1]
        frames.append(after)
    return torch.stack(frames)


@pytest.mark.parametrize("drive", [0.0, 0.3, 0.8])
def test_granger_is_that_of_an_autoregression_with_a_known_drive(drive):
    """What b alone leaves of b' is 1 + drive^2 (V_a - C^2 / V_b), of the stationary moments."""
    own_a = 1 / (1 - 0.5**2)
    cross = 0.5 * drive * own_a / (1 - 0.5 * 0.6)
    own_b = (2 * 0.6 * drive * cross + drive**2 * own_a + 1) / (1 - 0.6**2)
    expected = math.log(1 + drive**2 * (own_a - cross**2 / own_b))
    found = describe(coupled(drive))
    assert found["granger_1_max"] == pytest.approx(expected, abs=0.02)
    assert found["granger_1_mean"] == pytest.approx(expected / 2, abs=0.01)


def test_a_drive_that_takes_two_steps_is_seen_by_the_second_order():
    found = describe(coupled(0.0, past=0.8))
    assert found["granger_2_max"] > 1.5 * found["granger_1_max"] > 0.1


def test_what_is_wholly_determined_leaves_rounding_and_no_infinity():
    a, b = smooth(1, (2, 1), 32)
    angle = 0.3 * torch.arange(STEPS, dtype=torch.float64)[:, None, None]
    u = torch.cat([a * angle.cos() + b * angle.sin(), b * angle.cos() - a * angle.sin()], 0)
    found = describe(u.reshape(2, STEPS, 32, 32).transpose(0, 1))
    assert 20 < found["granger_1_max"] < 35  # b is the rate of change of a
    assert 0 <= found["granger_2_max"] < 35


# --- the arrow of time -------------------------------------------------------------------------


@given(seed=seeds)
def test_a_film_run_backwards_turns_the_index_and_nothing_else_that_knows_no_past(seed):
    u = relaxing(seed % 1000, STEPS, 0.8, 0.3)[0].double()
    there, back = describe(u), describe(u.flip(0))
    assert back["irreversibility_index"] == pytest.approx(-there["irreversibility_index"])
    for name in NAMES:
        if not name.startswith(("granger", "irreversibility_index")):
            assert back[name] == pytest.approx(there[name], rel=1e-9, abs=1e-9), name


def test_an_equilibrium_is_reversible():
    frames = [noise(0, (3, 32, 32), torch.float64)]
    for step in range(200):
        kick = noise(1 + step, (3, 32, 32), torch.float64)
        frames.append(0.8 * frames[-1] + 0.6 * kick)
    found = describe(torch.stack(frames))
    assert found["irreversibility"] < -1.5
    assert found["irreversibility_index"] == pytest.approx(0, abs=0.05)


def test_index_of_a_sawtooth_is_the_skewness_of_its_rises_times_that_of_its_shape():
    """u = p(x) s(t), p = cos + cos 2: <p^2> = 1, <p^3> = 3/4."""
    x = 2 * math.pi * torch.arange(32, dtype=torch.float64) / 32
    shape = (x.cos() + (2 * x).cos()).expand(1, 32, 32)
    saw = torch.arange(41, dtype=torch.float64) % 5  # four small rises, one large fall
    rise = saw.diff()
    expected = 0.75 * float(rise.pow(3).mean() / rise.square().mean() ** 1.5)
    u = saw[:, None, None, None] * shape
    assert describe(u + 1)["irreversibility_index"] == pytest.approx(expected)
    assert describe(1 - u)["irreversibility_index"] == pytest.approx(-expected)


# --- flow --------------------------------------------------------------------------------------


def carried(vy, vx, steps=STEPS, size=32):
    """Some waves that all move with one velocity, [T, 1, H, W]."""
    y = torch.arange(size, dtype=torch.float64) / size
    t = torch.arange(steps, dtype=torch.float64)[:, None, None, None]
    u = torch.zeros(steps, 1, size, size, dtype=torch.float64)
    for ky, kx in [(0, 1), (1, 0), (1, 1), (1, -2), (2, 1)]:
        phase = ky * (y[:, None] - vy * t) + kx * (y - vx * t)
        u = u + torch.cos(2 * math.pi * phase + 3 * ky + kx)
    return u


@pytest.mark.parametrize(("vy", "vx"), [(0.01, 0.0), (0.004, -0.007), (1e-5, 0.0), (0.0, 1e-6)])
def test_flow_of_a_carried_pattern_is_its_velocity(vy, vx):
    found = describe(carried(vy, vx))
    assert found["flow_magnitude"] == pytest.approx(math.log10(math.hypot(vy, vx)), abs=0.005)


def test_waves_that_travel_one_way_or_all_ways():
    def travel(*directions):
        x = torch.arange(32, dtype=torch.float64) / 32
        t = torch.arange(STEPS, dtype=torch.float64)[:, None, None, None]
        return sum(
            torch.cos(2 * math.pi * (ky * x[:, None] + kx * x) - 0.2 * t) for ky, kx in directions
        )

    one, opposite, corner = (
        describe(travel(*ways)) for ways in ([(0, 2)], [(0, 2), (0, -3)], [(0, 2), (2, 0)])
    )
    assert one["flow_anisotropy"] == pytest.approx(1, abs=1e-6)
    assert opposite["flow_anisotropy"] == pytest.approx(0, abs=1e-6)
    assert corner["flow_anisotropy"] == pytest.approx(math.sqrt(0.5))


def test_what_grows_in_place_does_not_flow():
    u = 1.1 ** torch.arange(STEPS)[:, None, None, None] * smooth(1, (3,), 32)
    found = describe(u)
    assert found["flow_magnitude"] == pytest.approx(-7, abs=1e-6)
    assert found["flow_anisotropy"] == pytest.approx(0, abs=1e-6)


# --- laws --------------------------------------------------------------------------------------


@given(seed=seeds, scale=st.floats(0.01, 100))
def test_nothing_depends_on_origin_scale_or_direction(seed, scale):
    u = relaxing(seed % 1000, 16, 0.8, 0.3).double()
    moved = scale * u.roll((3, 5), (-2, -1)).rot90(1, (-2, -1))
    torch.testing.assert_close(compute(moved), compute(u), rtol=1e-6, atol=1e-8)


def test_channels_of_another_scale_change_no_pair_and_no_skewness():
    u = reacting(4) - 0.3
    scaled = u * torch.tensor([1.0, 100.0, 0.01], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(compute(scaled), compute(u), rtol=1e-6, atol=1e-8)


def test_the_grid_has_no_say():
    def on(size):
        frames = [smooth(seed, (3,), size, reach=7) for seed in range(10)]
        return compute(torch.stack(frames).cumsum(0))

    torch.testing.assert_close(on(64), on(32), rtol=1e-9, atol=1e-9)


def test_one_trajectory_has_the_same_bits_alone_and_among_others():
    u = torch.cat([relaxing(seed, 16, 0.9, 0.2, size=32) for seed in range(5)])
    together = compute(u)
    for row in range(5):
        assert torch.equal(compute(u[row]), together[row])
    assert torch.equal(compute(u.flip(0)), together.flip(0))


@pytest.mark.parametrize("dt", [1e-3, 1e-4])
def test_a_slow_trajectory_is_described_beyond_rounding(dt):
    """u' = u + dt f(u, t) in float32 has the columns of the same in float64."""
    u, frames = smooth(1, (3,), 32), []
    for step in range(STEPS):
        push = smooth(2 + step, (3,), 32)
        u = u + dt * (u.roll(1, -3) - u + 0.5 * u.roll(1, -1) + push)
        frames.append(u)
    exact, found = describe(torch.stack(frames)), describe(torch.stack(frames).float())
    for name, value in exact.items():
        assert found[name] == pytest.approx(value, rel=1e-2, abs=1e-4), name


def test_gradients_are_those_of_finite_differences():
    u = torch.stack([smooth(seed, (2,), 8, reach=3) for seed in range(9)]).requires_grad_()
    assert compute(u).isfinite().all()
    assert torch.autograd.gradcheck(compute, u, fast_mode=True)


@pytest.mark.parametrize("kind", ["frozen", "constant", "zero", "nan", "parallel", "no channel"])
def test_gradients_are_finite_where_values_are_missing(kind):
    u = relaxing(2, 16, 0.9, 0.3, size=32)[0]
    if kind == "frozen":
        u = u[:1].expand_as(u)
    elif kind == "parallel":
        u = u[:, :1].expand_as(u)
    elif kind == "no channel":
        u[:, 1] = 0
    else:
        u[5:9] = {"constant": 2.0, "zero": 0.0, "nan": math.nan}[kind]
    u = u.clone().requires_grad_()
    found = compute(u)
    (gradient,) = torch.autograd.grad(found.nansum(), u)
    assert not found.isinf().any()
    assert gradient.isfinite().all()


# --- what is missing ---------------------------------------------------------------------------


def missing(u):
    return {name for name, value in describe(u).items() if math.isnan(value)}


def test_one_channel_has_no_pairs():
    u = reacting(1)
    assert missing(u) == set()
    assert missing(u[:, :1]) == set(PAIRS)


def test_columns_that_need_more_steps_are_missing_and_nothing_else():
    u = reacting(1)
    pairs = {
        1: set(NAMES),
        2: {*PAIRS, "irreversibility", "irreversibility_index"},
        3: set(PAIRS),
        4: {f"asymmetry_{lag}_{over}" for lag in (2, 3) for over in ("mean", "max")},
        6: {"asymmetry_3_mean", "asymmetry_3_max"},
        8: set(),
    }
    for steps, names in pairs.items():
        assert missing(u[:steps]) == names


def test_a_frozen_trajectory_neither_drives_nor_ages_nor_flows():
    u = smooth(1, (3,), 32).float().expand(STEPS, 3, 32, 32)
    found = describe(u)
    assert missing(u) == {*PAIRS, "irreversibility", "irreversibility_index"}
    assert found["flow_magnitude"] == pytest.approx(-7)
    assert found["flow_anisotropy"] == 0


def test_constant_fields_and_small_waves_have_no_causality():
    time = torch.arange(STEPS)[:, None, None, None]
    checkerboard = (-1.0) ** (torch.arange(32)[:, None] + torch.arange(32))
    assert missing((1 + time).expand(STEPS, 3, 32, 32).float()) == set(NAMES)
    assert missing((1 + time) * checkerboard.expand(3, 32, 32)) == set(NAMES)
    assert missing(torch.zeros(STEPS, 3, 32, 32)) == set(NAMES)


def test_a_value_that_is_not_finite_makes_its_trajectory_undefined_and_no_other():
    u = torch.stack([reacting(1), reacting(2)])
    whole = compute(u)
    for value in (math.nan, math.inf):
        u[0, 3, 1, 2, 2] = value
        found = compute(u)
        assert found[0].isnan().all()
        assert torch.equal(found[1], whole[1])


def test_a_constant_channel_does_not_count():
    u = reacting(1)
    with_constant = u.clone()
    with_constant[:, 1] = 4.0
    found, rest = describe(with_constant), describe(u[:, [0, 2]])
    for name in NAMES:
        assert found[name] == pytest.approx(rest[name]), name


def test_a_frozen_channel_may_drive_but_is_not_driven():
    u = reacting(1)[:, :2]
    u[:, 1] = u[0, 1]
    assert missing(u) == {name for name in NAMES if name.startswith("asymmetry")}
    found = describe(u)
    assert found["granger_1_max"] == found["granger_1_mean"] > 0
