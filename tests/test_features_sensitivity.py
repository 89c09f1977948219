"""SUMMARY sensitivity: maps whose gains, linearity, saturation and compression are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feature_cases import noise, smooth
from spinlock.features.declare import statistic
from spinlock.features.summary.sensitivity import COLUMNS, SCALES, SIZES, compute
from spinlock.features.summary.trajectories import Trajectories

NAMES = [statistic(column) for column in COLUMNS]
KICKED = {*NAMES[:3], "linearity", "saturation"}  # the columns that perturb the state
seeds = st.integers(0, 2**31)


def trajectory(start, step, steps=3):
    """u_0 = `start` [*B, C, H, W], followed by `steps` equal steps, for `compute`."""
    frames = [start]
    for _ in range(steps):
        frames.append(step(frames[-1]))
    return Trajectories(u=torch.stack(frames[1:], -4), u0=start, numbers={}, step=step)


def describe(start, step, steps=3):
    """Columns by name of one trajectory."""
    return dict(zip(NAMES, compute(trajectory(start, step, steps)).tolist(), strict=True))


def decades(growth):
    """Signed decades of a growth in nats."""
    return math.asinh(1000 * growth) / math.log(10)


def stencil(u):
    """A network of one hidden layer: nearest neighbors, a bend, another mixing of channels."""
    hidden = sum(
        weight * u.roll((shift, dy, dx), (-3, -2, -1))
        for weight, shift, dy, dx in ((0.9, 0, 0, 0), (-0.7, 1, 1, 0), (0.5, -1, 0, -1))
    )
    return torch.tanh(hidden + 0.2) - 0.3 * u.roll(1, -3)


MAPS = {
    "tanh": torch.tanh,
    "cubic": lambda u: 0.9 * u - 0.02 * u**3,
    "network": stencil,
    "slow": lambda u: u + 1e-3 * stencil(u),
    "normalizing": lambda u: 0.5 * u + u / u.square().mean((-2, -1), keepdim=True).sqrt(),
}


# the definitions, again: one cell after the other, or as a fit of a library, in float64


def kick(b):
    """v of a state [C, H, W], cell by cell."""
    channels, height, width = b.shape
    v = np.empty_like(b)
    for c, y, x in np.ndindex(*b.shape):
        other = b[(c + 1) % channels]
        v[c, y, x] = other[y - height // 2, x - width // 2] - other.mean()
    return v


def rms(x):
    return math.sqrt(np.mean(np.square(x)))


def gain(size):
    def value(f, b):
        ratio = rms(f(b + size * kick(b)) - f(b)) / (size * rms(kick(b)))
        return decades(math.log(ratio))

    return value


def scaled_gain(scale):
    return lambda f, b: decades(math.log(rms(f(scale * b)) / (scale * rms(b))))


def linearity(f, b):
    """A fit of f(b + e v) - f(b) = e g in every cell, with weights 1 / e²."""
    v, sizes = kick(b), np.array([1 / 8, 1, 4])
    response = np.stack([(f(b + e * v) - f(b)).ravel() for e in sizes])
    weight = 1 / sizes[:, None]
    slope = np.linalg.lstsq(weight * sizes[:, None], weight * response, rcond=None)[0]
    unexplained = np.square(weight * (response - sizes[:, None] * slope)).sum()
    return -math.log10(unexplained / np.square(weight * response).sum() + 1e-10)


def saturation(f, b):
    """The leading coefficients of the parabolas through three sizes, e = 0 among them."""

    def curvature(sizes):
        values = np.stack([f(b + e * kick(b)).ravel() for e in sizes])
        return math.hypot(rms(np.polyfit(sizes, values, 2)[0]) / rms(kick(b)), 1e-5)

    return math.log10(curvature([0, 1 / 8, 1]) / curvature([0, 1, 4]))


def compression(f, b):
    change = (f(8 * b) - 8 * b).ravel()
    return -change @ b.ravel() / (np.linalg.norm(change) * np.linalg.norm(b))


ORACLES = {
    "gain_eighth": gain(1 / 8),
    "gain_unit": gain(1),
    "gain_fourfold": gain(4),
    "scaled_gain_64th": scaled_gain(1 / 64),
    "scaled_gain_eighth": scaled_gain(1 / 8),
    "scaled_gain_unit": scaled_gain(1),
    "scaled_gain_eightfold": scaled_gain(8),
    "linearity": linearity,
    "saturation": saturation,
    "compression": compression,
}


def oracle(step, state):
    """All columns of a map at a state, by their definitions."""

    def f(u):
        return step(torch.from_numpy(u)).numpy()

    return {name: function(f, state.double().numpy()) for name, function in ORACLES.items()}


def test_each_column_has_an_oracle():
    assert set(ORACLES) == set(NAMES)
    assert len(NAMES) == 10
    assert all(c.formula and c.unit and c.source and c.purpose for c in COLUMNS)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("start", [smooth(1, (3,), 12, reach=4), noise(2, (2, 9, 9)).double()])
def test_columns_are_those_of_their_definitions(kind, start):
    found = trajectory(start, MAPS[kind])
    values = dict(zip(NAMES, compute(found).tolist(), strict=True))
    for name, value in oracle(MAPS[kind], found.u[-2]).items():
        # the floors of the formulas, 1e-12 of a square, are beside the definitions
        assert values[name] == pytest.approx(value, rel=1e-5, abs=1e-8), name


@pytest.mark.parametrize("kind", MAPS)
def test_single_precision_is_enough(kind):
    start = 2 + smooth(1, (3,), 16)
    exact, found = describe(start, MAPS[kind]), describe(start.float(), MAPS[kind])
    for name, value in exact.items():
        assert found[name] == pytest.approx(value, rel=2e-3, abs=2e-3), name


def test_the_identity_keeps_everything():
    found = describe(smooth(1, (3,), 16), lambda u: u)
    assert found.pop("linearity") == pytest.approx(10)
    assert found == pytest.approx(dict.fromkeys(found, 0.0), abs=1e-8)


@pytest.mark.parametrize("factor", [0.25, 0.999, 1.001, 3.0, -0.5, -2.0])
def test_a_multiple_has_its_factor_as_every_gain(factor):
    found = describe(smooth(1, (3,), 16), lambda u: factor * u)
    gains = [value for name, value in found.items() if "gain" in name]
    assert gains == pytest.approx([decades(math.log(abs(factor)))] * 7, rel=1e-6)
    assert found["linearity"] == pytest.approx(10)
    assert found["saturation"] == pytest.approx(0, abs=1e-8)
    assert found["compression"] == pytest.approx(1 if factor < 1 else -1)


def test_a_linear_map_has_the_gain_of_each_direction():
    matrix = torch.tensor([[0.5, 2.0], [0.0, 1.0]], dtype=torch.float64)
    start = torch.stack([smooth(1, (), 16), torch.zeros(16, 16)])

    def step(u):
        return torch.einsum("ij,...jhw->...ihw", matrix, u)

    found = describe(start, step)
    # the state lies in the first channel, the perturbation in the second
    assert found["scaled_gain_64th"] == pytest.approx(decades(math.log(0.5)))
    assert found["scaled_gain_eightfold"] == pytest.approx(decades(math.log(0.5)))
    for name in ("gain_eighth", "gain_unit", "gain_fourfold"):
        assert found[name] == pytest.approx(decades(math.log(5) / 2))
    assert found["linearity"] == pytest.approx(10)
    assert found["saturation"] == pytest.approx(0, abs=1e-8)
    assert found["compression"] == pytest.approx(1)


@pytest.mark.parametrize("height", [0.3, 1.0, 2.5])
def test_a_saturating_map_has_the_gains_of_its_curve(height):
    sign = (torch.arange(16) < 8).double() * 2 - 1
    start = height * sign.expand(1, 16, 16)  # half a domain away it is its own negative
    tanh, found = math.tanh, describe(start, torch.tanh, steps=1)
    for name, size in SIZES.items():
        ratio = abs(tanh((1 - size) * height) - tanh(height)) / (size * height)
        assert found[f"gain_{name}"] == pytest.approx(decades(math.log(ratio)), rel=1e-6)
    for name, scale in SCALES.items():
        ratio = tanh(scale * height) / (scale * height)
        assert found[f"scaled_gain_{name}"] == pytest.approx(decades(math.log(ratio)), rel=1e-5)
    assert found["compression"] == pytest.approx(1)


def test_an_additive_constant_is_no_response():
    start = smooth(1, (3,), 16)
    found = describe(start, lambda u: 0 * u + 7, steps=1)
    lowest = decades(math.log(1e-6))
    assert [found[f"gain_{name}"] for name in SIZES] == pytest.approx([lowest] * 3)
    assert found["linearity"] == pytest.approx(10)
    assert found["saturation"] == pytest.approx(0, abs=1e-8)
    forced = describe(start, lambda u: 0.5 * u + 7)
    assert forced["gain_unit"] == pytest.approx(decades(math.log(0.5)))
    assert forced["scaled_gain_64th"] > forced["scaled_gain_eightfold"]


def test_curvature_tells_leveling_off_from_even_and_growing_bends():
    start = smooth(1, (3,), 16)
    kinds = {"tanh": torch.tanh, "square": torch.square, "cube": lambda u: u**3}
    found = {kind: describe(start, step, steps=1) for kind, step in kinds.items()}
    assert found["tanh"]["saturation"] > 0.2
    assert found["square"]["saturation"] == pytest.approx(0, abs=1e-9)
    assert found["cube"]["saturation"] < -0.2
    assert found["tanh"]["compression"] > 0.9
    # far out the cube alone counts: the cosine of u^3 and u
    moment = {n: float(start.pow(n).mean()) for n in (2, 4, 6)}
    cosine = moment[4] / math.sqrt(moment[6] * moment[2])
    assert found["cube"]["compression"] == pytest.approx(-cosine, abs=0.01)


@pytest.mark.parametrize("dt", [1e-1, 1e-3])
def test_what_is_kept_of_the_state_hides_neither_bend_nor_direction(dt):
    start = smooth(1, (3,), 16)
    fast = describe(start, lambda u: u + stencil(u), steps=1)
    slow = describe(start, lambda u: u + dt * stencil(u), steps=1)
    for name in ("saturation", "compression"):
        assert slow[name] == pytest.approx(fast[name], abs=2e-3), name
    assert slow["linearity"] > fast["linearity"] + math.log10(1 / dt)


def test_the_first_step_starts_from_u0():
    start = smooth(1, (3,), 16)
    one = trajectory(start, stencil, steps=1)
    three = trajectory(start, stencil, steps=3)
    late = Trajectories(u=three.u[2:], u0=three.u[1], numbers={}, step=stencil)
    assert torch.equal(compute(late), compute(three))
    assert not torch.equal(compute(one), compute(three))


def test_the_map_is_applied_six_times_to_all_trajectories_together():
    shapes = []

    def step(u):
        shapes.append(tuple(u.shape))
        return torch.tanh(u)

    found = trajectory(smooth(1, (2, 3, 3), 8), step)
    shapes.clear()
    assert compute(found).shape == (2, 3, 10)
    assert shapes == [(2, 3, 3, 8, 8)] * 6


@pytest.mark.parametrize("size", [16, 32])
def test_one_trajectory_has_the_same_bits_alone_and_among_others(size):
    every = trajectory(smooth(1, (5, 3), size).float(), stencil)
    found = compute(every)
    for row in range(5):
        alone = Trajectories(u=every.u[row], u0=every.u0[row], numbers={}, step=stencil)
        assert torch.equal(compute(alone), found[row])
    order = torch.tensor([3, 0, 4, 1, 2])
    turned = Trajectories(u=every.u[order], u0=every.u0[order], numbers={}, step=stencil)
    assert torch.equal(compute(turned), found[order])


@given(seed=seeds, dy=st.integers(0, 15), dx=st.integers(0, 15), quarters=st.integers(0, 3))
def test_nothing_depends_on_the_origin_or_on_a_turn(seed, dy, dx, quarters):
    start = smooth(seed, (3,), 16)
    moved = start.roll((dy, dx), (-2, -1)).rot90(quarters, (-2, -1))
    for kind in ("tanh", "cubic", "normalizing"):  # they commute with both
        assert describe(moved, MAPS[kind]) == pytest.approx(
            describe(start, MAPS[kind]), rel=1e-8, abs=1e-8
        )


@given(seed=seeds, scale=st.sampled_from([-20.0, 1e-3, 0.3, 7.0]))
def test_a_change_of_unit_changes_nothing(seed, scale):
    start = smooth(seed, (3,), 16)
    found = describe(scale * start, lambda u: scale * stencil(u / scale))
    assert found == pytest.approx(describe(start, stencil), rel=1e-7, abs=1e-7)


def test_a_field_has_the_same_columns_on_every_grid():
    # waves up to 5, cubed and squared, are still below the 32 cycles of the coarsest grid
    coarse, *finer = (describe(smooth(3, (3,), size), MAPS["cubic"], 1) for size in (32, 64, 128))
    for found in finer:
        assert found == pytest.approx(coarse, rel=1e-9, abs=1e-9)


@given(seed=seeds, kind=st.sampled_from(sorted(MAPS)))
def test_values_lie_between_their_bounds(seed, kind):
    found = describe(noise(seed, (3, 8, 8)), MAPS[kind])
    for column in COLUMNS:
        assert column.low - 1e-6 <= found[statistic(column)] <= column.high + 1e-6, column.name


def missing(found):
    return {name for name, value in found.items() if math.isnan(value)}


def test_without_a_map_nothing_exists():
    known = trajectory(smooth(1, (2, 3), 8), torch.tanh)
    found = compute(Trajectories(u=known.u, u0=known.u0, numbers={}, step=None))
    assert found.shape == (2, 10)
    assert found.isnan().all()


@pytest.mark.parametrize("value", [0.0, 1e-20, math.nan, math.inf])
def test_a_state_that_is_zero_or_not_finite_has_no_column(value):
    start = smooth(1, (2, 3), 16).float()
    whole = compute(trajectory(start, torch.tanh, steps=1))
    start[1] = value
    found = compute(trajectory(start, torch.tanh, steps=1))
    assert found[1].isnan().all()
    assert torch.equal(found[0], whole[0])


def test_a_constant_state_has_no_perturbed_one():
    start = torch.tensor([2.0, -1.0, 0.1])[:, None, None].expand(3, 16, 16)
    assert missing(describe(start, torch.tanh)) == KICKED


def test_what_needs_a_response_that_is_not_finite_is_missing_and_nothing_else():
    start = smooth(1, (3,), 16)
    start = start / start.square().mean().sqrt()

    def explosive(limit):
        return lambda u: torch.where(u.square().mean() > limit**2, torch.inf, 0.5 * u)

    assert missing(describe(start, explosive(6), 1)) == {"scaled_gain_eightfold", "compression"}
    found = describe(start, explosive(3), 1)
    assert missing(found) == {
        *("gain_fourfold", "linearity", "saturation", "scaled_gain_eightfold", "compression")
    }
    assert not any(math.isinf(value) for value in found.values())


def test_a_last_state_that_is_not_finite_leaves_what_does_not_need_it():
    known = trajectory(smooth(1, (3,), 16), torch.tanh)
    u = known.u.clone()
    u[-1] = torch.nan
    found = compute(Trajectories(u=u, u0=known.u0, numbers={}, step=torch.tanh))
    assert missing(dict(zip(NAMES, found.tolist(), strict=True))) == KICKED | {"scaled_gain_unit"}


def test_gradients_are_those_of_finite_differences():
    weight = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    start = smooth(1, (2,), 6, reach=2).requires_grad_()

    def columns(state, factor):
        return compute(trajectory(state, lambda u: stencil(factor * u), steps=2))

    assert torch.autograd.gradcheck(columns, (start, weight))


@pytest.mark.parametrize("kind", [*MAPS, "identity", "constant", "double"])
@pytest.mark.parametrize("state", ["smooth", "constant", "zero", "nan"])
def test_gradients_are_finite(kind, state):
    more = {"identity": lambda u: 1 * u, "constant": lambda u: 0 * u + 1, "double": lambda u: 2 * u}
    start = smooth(1, (2, 3), 8).float()
    if state != "smooth":
        start[1] = {"constant": 0.5, "zero": 0.0, "nan": math.nan}[state]
    step = (MAPS | more)[kind]
    frames = torch.stack([start, step(start)], 1).requires_grad_()
    found = compute(Trajectories(u=frames[:, 1:], u0=frames[:, 0], numbers={}, step=step))
    assert not found.isinf().any()
    for column, values in zip(COLUMNS, found.unbind(-1), strict=True):
        (gradient,) = torch.autograd.grad(values.sum(), frames, retain_graph=True)
        divides_by_zero = kind == "normalizing" and state in {"zero", "nan"}
        assert gradient[: 1 if divides_by_zero else 2].isfinite().all(), column.name
