"""SUMMARY nonlinear features: noise, cycles and chaos whose complexity is known."""

import gzip
import math
from itertools import combinations

import numpy as np
import ordpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from feature_cases import noise, relaxing, smooth
from spinlock.features.declare import statistic
from spinlock.features.summary import nonlinear
from spinlock.features.summary.trajectories import Trajectories

NAMES = [statistic(column) for column in nonlinear.COLUMNS]
SYMBOLS = {"gzip_ratio", "lempel_ziv"}
STATES = {"recurrence_rate", "determinism", "laminarity", "correlation_dimension"}
SERIES = {"sample_entropy", "dfa_exponent", "chaos_test"}  # of what a line leaves
seeds = st.integers(0, 2**31)
basis = torch.linalg.qr(noise(0, (64, 2), torch.float64)).Q.T.reshape(2, 1, 8, 8)


def compute(frames):
    """Columns of trajectories with their u_0, [*B, T + 1, C, H, W]."""
    u, u0 = frames[..., 1:, :, :, :], frames[..., 0, :, :, :]
    return nonlinear.compute(Trajectories(u=u, u0=u0, numbers={}, step=None))


def describe(frames):
    """Columns by name of one trajectory."""
    return dict(zip(NAMES, compute(frames).tolist(), strict=True))


def of_energy(x):
    """Columns of a trajectory with one shape and the log energy x_0 … x_T."""
    x = torch.as_tensor(np.asarray(x), dtype=torch.float64)
    return describe((x / 2).exp()[:, None, None, None] * basis[0] * 8)


def of_path(y, x):
    """Columns of a trajectory in the plane of two orthonormal fields."""
    y, x = (torch.as_tensor(np.asarray(part))[:, None, None, None] for part in (y, x))
    return describe(y * basis[0] + x * basis[1])


def logistic(rate, steps, start=0.4):
    x = [start]
    for _ in range(steps - 1):
        x.append(rate * x[-1] * (1 - x[-1]))
    return np.array(x)


def levels(u):
    """Each channel on 32² points, from 0 to 1 over its range."""
    assert u.shape[-1] == 32
    return np.stack([(c - c.min()) / (c.max() - c.min()) for c in u.swapaxes(0, 1)], 1)


def archive(u):
    data = bytes(min(254, math.floor(255 * level)) for level in levels(u).flat)
    return (len(gzip.compress(data, 6)) - 12) / len(data)  # its header is 12 longer


def phrases(u):
    """Walk a tree that grows by a leaf where the walk leaves it."""
    count = total = 0
    place = tree = {}
    level = levels(u)
    above = level > np.median(level, (0, 2, 3), keepdims=True)
    for c in range(u.shape[1]):
        for y in range(0, 32, 2):
            for x in range(0, 32, 2):
                for symbol in above[:, c, y, x]:
                    total += 1
                    if symbol in place:
                        place = place[symbol]
                    else:
                        place[symbol] = {}
                        place, count = tree, count + 1
    count += place is not tree
    return count * math.log2(count) / total


def apart(u):
    """D_ij, by subtraction."""
    return {
        (i, j): math.sqrt(((u[i] - u[j]) ** 2).mean()) for i, j in combinations(range(len(u)), 2)
    }


def scale(distances):
    return math.sqrt(np.mean([d**2 for d in distances.values()]))


def rate(u):
    distances = apart(u)
    near = scale(distances) / 4
    return sum(d < near for d in distances.values()) / len(distances)


def dimension(u):
    distances = apart(u)
    radii = [scale(distances) * 2 ** (-j / 2) for j in range(7)]
    counts = [1 + sum(d < radius for d in distances.values()) for radius in radii]
    return stats.linregress(np.log(radii), np.log(counts)).slope


def lines(u, steps):
    """Share of recurrent (i, j), both ways round, with a recurrent neighbor along `steps`."""
    distances = apart(u)
    closest = sorted(distances, key=distances.get)[: math.ceil(len(distances) / 10)]
    recurrent = {(i, j) for i, j in closest} | {(j, i) for i, j in closest}
    long = [
        any((i + s * di, j + s * dj) in recurrent for s in (1, -1) for di, dj in steps)
        for i, j in recurrent
    ]
    return np.mean(long)


def remainder(u):
    x = np.log((u**2).mean((1, 2, 3)))
    time = np.arange(len(x))
    line = stats.linregress(time, x)
    return x - line.intercept - line.slope * time


def samples(u):
    r = remainder(u)
    tolerance = 0.2 * r.std()
    found = {2: 1, 3: 1}
    for length in found:
        for i, j in combinations(range(len(r) - 2), 2):
            found[length] += max(abs(r[i : i + length] - r[j : j + length])) <= tolerance
    return -math.log(found[3] / found[2])


def fluctuation(u):
    profile = np.cumsum(remainder(u))
    boxes = [n for n in (4, 5, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128) if n <= len(u) / 4]
    logs = []
    for n in boxes:
        left = []
        for start in range(len(profile) - n + 1):
            inside = profile[start : start + n]
            left += list((inside - np.polyval(np.polyfit(range(n), inside, 1), range(n))) ** 2)
        logs.append(math.log(np.mean(left)) / 2)
    return stats.linregress(np.log(boxes), logs).slope


def diffusion(u):
    r, longest, found = remainder(u), len(u) // 8, []
    for c in np.linspace(math.pi / 5, 4 * math.pi / 5, 40):
        p = np.cumsum([value * math.cos(c * (t + 1)) for t, value in enumerate(r)])
        q = np.cumsum([value * math.sin(c * (t + 1)) for t, value in enumerate(r)])
        starts = range(len(r) - longest)
        spread = [
            np.mean([(p[t + n] - p[t]) ** 2 + (q[t + n] - q[t]) ** 2 for t in starts])
            for n in range(1, longest + 1)
        ]
        found.append(stats.pearsonr(range(longest), spread).statistic)
    return np.median(found)


def orders(u):
    return ordpy.permutation_entropy(np.log((u**2).mean((1, 2, 3))), dx=3)


ORACLES = {  # of u, [T, C, 32, 32]
    "gzip_ratio": archive,
    "lempel_ziv": phrases,
    "recurrence_rate": rate,
    "determinism": lambda u: lines(u, [(1, 1)]),
    "laminarity": lambda u: lines(u, [(1, 0)]),
    "correlation_dimension": dimension,
    "permutation_entropy": orders,
    "sample_entropy": samples,
    "dfa_exponent": fluctuation,
    "chaos_test": diffusion,
}


def test_every_column_has_an_oracle_and_a_purpose():
    assert set(ORACLES) == set(NAMES)
    assert all(column.purpose and not column.differentiable for column in nonlinear.COLUMNS)


@pytest.mark.parametrize(
    ("steps", "memory", "jitter"), [(40, 0.9, 0.3), (33, 0.5, 1.0), (64, 0.99, 0.02)]
)
def test_columns_are_those_of_the_definitions(steps, memory, jitter):
    frames = relaxing(steps, steps, memory, jitter, size=32)[0, :, :2].double()
    found = describe(frames)
    for name, oracle in ORACLES.items():
        assert found[name] == pytest.approx(oracle(frames[1:].numpy()), rel=1e-5), name


def test_noise_cannot_be_compressed_and_repetition_can():
    uniform = (noise(0, (17, 3, 32, 32)) / math.sqrt(2)).erf()
    found = describe(uniform)
    assert 0.98 < found["gzip_ratio"] <= 1.01
    assert found["lempel_ziv"] > 1
    frozen = describe(uniform[:1].expand_as(uniform))
    assert frozen["gzip_ratio"] == pytest.approx(1 / 16, rel=0.2)  # the window spans a frame
    assert frozen["lempel_ziv"] < 0.5
    constant = describe(torch.full((17, 3, 32, 32), 1.7))
    assert constant["gzip_ratio"] < 0.005
    assert constant["lempel_ziv"] < 0.1


def test_two_states_in_turn_have_no_dimension_and_no_rest():
    swing = (-1.0) ** np.arange(65)
    found = of_path(swing, np.ones(65))
    assert found["correlation_dimension"] == pytest.approx(0, abs=1e-9)
    assert found["recurrence_rate"] == pytest.approx(31 / 63)  # half of the rest
    assert found["determinism"] == 1
    assert found["laminarity"] == 0


def test_a_state_that_rests_is_laminar():
    step = (np.arange(65) > 32).astype(float)
    found = of_path(step, np.ones(65))
    # but for points beside the diagonal, which does not count, and in the corners
    assert found["laminarity"] > 0.99
    assert found["determinism"] > 0.99
    assert found["correlation_dimension"] == pytest.approx(0, abs=1e-9)


def test_dimension_of_a_line_and_of_a_circle_is_one_and_of_a_square_two():
    time = np.arange(401)
    golden, silver = (time * 0.6180339887) % 1, (time * 0.7548776662) % 1
    line, circle = of_path(golden, 1 + 0 * time), of_path(np.sin(9 * time), np.cos(9 * time))
    square = of_path(golden, 1 + silver)
    assert line["correlation_dimension"] == pytest.approx(1, abs=0.1)
    assert circle["correlation_dimension"] == pytest.approx(1, abs=0.1)
    assert square["correlation_dimension"] == pytest.approx(2, abs=0.3)


def test_recurrences_of_noise_are_isolated():
    found = [describe(noise(seed, (65, 1, 8, 8))) for seed in range(10)]
    # a neighbor on a line recurs, too, with probability 1 - (1 - 0.1)^2
    determinism = np.mean([values["determinism"] for values in found])
    assert determinism == pytest.approx(0.19, abs=0.03)
    assert all(values["recurrence_rate"] == 0 for values in found)


def test_order_of_the_chaotic_logistic_map_is_known():
    share = np.array([5, 1, 2, 3, 4]) / 15  # it never falls twice (Amigo et al. 2006)
    expected = stats.entropy(share) / math.log(6)
    found = of_energy(logistic(4, 1024))
    assert found["permutation_entropy"] == pytest.approx(expected, abs=0.01)
    assert found["sample_entropy"] == pytest.approx(math.log(2), abs=0.15)  # its Lyapunov exponent


def test_growth_has_one_order_and_noise_has_all():
    assert of_energy(0.03 * np.arange(65))["permutation_entropy"] == 0
    assert of_energy(-0.03 * np.arange(65))["permutation_entropy"] == 0
    random = of_energy(noise(1, (400,), torch.float64))
    assert random["permutation_entropy"] == pytest.approx(1, abs=0.01)


def test_rounding_has_no_order():
    x = 1e-8 * noise(1, (65,), torch.float64)
    assert of_energy(x)["permutation_entropy"] == 0


def test_chaos_is_told_from_cycles():
    chaotic, cycle = (of_energy(logistic(rate, 257)) for rate in (4, 3.5))
    assert chaotic["chaos_test"] > 0.95
    assert abs(cycle["chaos_test"]) < 0.3
    assert cycle["sample_entropy"] < 0.1
    assert cycle["permutation_entropy"] < 0.8


def test_exponent_of_noise_is_a_half_and_of_its_sums_three_halves():
    white = [noise(seed, (513,), torch.float64) for seed in range(8)]
    of_noise = np.mean([of_energy(0.1 * x)["dfa_exponent"] for x in white])
    of_walk = np.mean([of_energy(0.1 * x.cumsum(0))["dfa_exponent"] for x in white])
    assert of_noise == pytest.approx(0.5, abs=0.1)
    assert of_walk == pytest.approx(1.5, abs=0.1)


@settings(max_examples=5)
@given(seed=seeds)
def test_nothing_depends_on_the_scale_and_states_not_on_origin_and_direction(seed):
    frames = relaxing(seed, 32, 0.9, 0.3)[0].double()
    still = describe(frames)
    for name, value in describe(3 * frames).items():
        assert value == pytest.approx(still[name], rel=1e-6, abs=1e-9), name
    for moved in (frames.roll((5, 2), (-2, -1)), frames.rot90(1, (-2, -1))):
        for name, value in describe(moved).items():
            assert name in SYMBOLS or value == pytest.approx(still[name], rel=1e-6, abs=1e-9), name


def test_a_finer_grid_changes_nothing():
    coarse, fine = (
        describe(torch.cat([smooth(seed, (1, 2), size, reach=3) for seed in range(30)]))
        for size in (32, 64)
    )
    for name, value in coarse.items():
        assert fine[name] == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("size", [16, 32])
def test_one_trajectory_has_the_same_bits_alone_and_among_others(size):
    frames = torch.cat([relaxing(seed, 32, 0.9, 0.1, size) for seed in range(5)])
    together = compute(frames)
    assert together.shape == (5, 10)
    assert compute(frames[None]).shape == (1, 5, 10)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.equal(compute(frames[order]), together[order])
    for row in range(5):
        assert torch.equal(compute(frames[row]), together[row])


@pytest.mark.parametrize(
    ("steps", "missing"),
    [(1, set(NAMES) - SYMBOLS), (7, set(NAMES) - SYMBOLS), (8, SERIES), (23, SERIES), (24, set())],
)
def test_what_needs_more_steps_is_missing_by_name(steps, missing):
    found = describe(relaxing(0, steps, 0.9, 0.3)[0])
    assert {name for name, value in found.items() if math.isnan(value)} == missing


def test_a_frozen_trajectory_has_no_recurrence_and_no_chaos():
    found = describe(relaxing(0, 32, 0.9, 0.3)[0, :1].expand(33, -1, -1, -1))
    assert {name for name, value in found.items() if math.isnan(value)} == STATES | SERIES
    assert found["permutation_entropy"] == 0


@pytest.mark.parametrize("value", [0.0, torch.nan, torch.inf])
def test_a_trajectory_with_an_undefined_state_has_no_features_and_others_keep_theirs(value):
    frames = torch.cat([relaxing(seed, 32, 0.9, 0.1) for seed in range(2)])
    expected = compute(frames)
    frames[0, 7] = value
    expected[0] = torch.nan
    torch.testing.assert_close(compute(frames), expected, equal_nan=True, rtol=0, atol=0)


def test_a_trajectory_that_wants_a_gradient_gets_values_without_one():
    frames = relaxing(1, 32, 0.9, 0.1)
    found = compute(frames.clone().requires_grad_())
    assert not found.requires_grad
    torch.testing.assert_close(found, compute(frames), rtol=0, atol=0)


@settings(max_examples=5)
@given(seed=seeds, memory=st.floats(0, 1), jitter=st.floats(1e-9, 10))
def test_values_lie_within_the_declared_bounds(seed, memory, jitter):
    found = compute(relaxing(seed, 24, memory, jitter)[0])
    for column, value in zip(nonlinear.COLUMNS, found.tolist(), strict=True):
        assert math.isnan(value) or column.low <= value <= column.high, column.name
