"""A rollout follows its policy, depends on nothing but the table, and marks divergence."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import roll_out, table, theta, variety
from spinlock.operators.build import build
from spinlock.rollout import policies
from spinlock.rollout.engine import divergence, mask_diverged

EXPLOSIVE = theta(normalization="none", activation="relu", update_policy="residual", dt=1.0)


def exact(first, second):
    """Equal to the bit, NaN at the same places."""
    return torch.equal(torch.nan_to_num(first, nan=-7e33), torch.nan_to_num(second, nan=-7e33))


def bits(rollout):
    return (rollout.operator, rollout.u0, rollout.u, rollout.diverged_at)


def test_each_policy_is_its_formula():
    u, output = torch.tensor([2.0]), torch.tensor([10.0])
    expected = {"autoregressive": 10.0, "residual": 2 + 0.05 * 10, "convex": 0.25 * 2 + 0.75 * 10}
    for policy, value in expected.items():
        pair = policies.coefficients(theta(update_policy=policy, dt=0.05, alpha=0.25))
        assert policies.advance(u, output, *pair).item() == pytest.approx(value)


def test_coefficients_may_differ_along_the_batch():
    u, output = torch.ones(2, 1, 4, 4), 3 * torch.ones(2, 1, 4, 4)
    keep, gain = torch.tensor([[0.0, 1.0], [1.0, 0.5]])[..., None, None, None]
    after = policies.advance(u, output, keep, gain)
    assert after[0].unique().item() == 3.0
    assert after[1].unique().item() == 2.5


@pytest.mark.parametrize("row", range(6))
def test_a_frame_is_the_policy_applied_to_the_frame_before(row):
    operators = variety()
    rollout, operator = roll_out(operators, row, 4, 2, 1e9), build(operators, row, "float32")
    for step in (1, 4):
        before = rollout.u[:, step - 2] if step > 1 else rollout.u0.expand(2, -1, -1, -1)
        output = operator.apply(before.contiguous(), operator.chance.at(step, 4, 2, 0))
        after = policies.advance(before, output, *policies.coefficients(operator.theta))
        assert torch.equal(after, rollout.u[:, step - 1])


WIDE = replace(table(theta(base_channels=32, kernel_size=7)), max_width=128, grid_size=16)


@pytest.mark.parametrize("row", range(7))
def test_precision_changes_a_step_as_little_as_rounding_of_factors_does(row):
    operators, row = (variety(), row) if row < 6 else (WIDE, 0)
    u = roll_out(operators, row, 1, 2, 1e9).u[:, 0]
    full, half = (
        operator.apply(u, operator.chance.at(2, 4, 2, 0))
        for operator in (build(operators, row, p) for p in ("float32", "bfloat16"))
    )
    # factors of 8 bits: off by 2^-9 at most, independently in every layer
    assert 0 < (full - half).norm() < 5 * 2**-9 * full.norm()


@pytest.mark.parametrize("row", range(7))
def test_in_either_precision_a_rollout_can_be_repeated_and_continued_to_the_bit(row):
    operators, row = (variety(), row) if row < 6 else (WIDE, 0)
    long, again = (roll_out(operators, row, 4, 2, 1e9, precision="bfloat16") for _ in range(2))
    short = roll_out(operators, row, 2, 2, 1e9, precision="bfloat16")
    assert exact(long.u, again.u)
    assert exact(short.u, long.u[:, :2])


@pytest.mark.parametrize("row", range(6))
def test_a_shorter_rollout_is_the_beginning_of_a_longer_one(row):
    short, long = (roll_out(variety(), row, steps, 2, 1e3) for steps in (3, 8))
    assert exact(short.u, long.u[:, :3])


@pytest.mark.parametrize("row", range(6))
def test_a_rollout_depends_on_its_operator_alone(row):
    operators = variety()
    alone = roll_out(operators.take([row]), 0, 4, 2, 1e3)
    for other in range(6):
        roll_out(operators, other, 1, 1, 1e3)
    again = roll_out(operators.take(slice(None, None, -1)), 5 - row, 4, 2, 1e3)
    assert exact(alone.u, again.u)
    assert torch.equal(alone.u0, again.u0)
    assert alone.operator == again.operator == row


def test_no_global_generator_is_read_or_moved():
    before_torch, before_numpy = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    first = roll_out(variety(), 1, 3, 2, 1e3)
    assert torch.equal(before_torch, torch.get_rng_state())
    assert np.array_equal(before_numpy[1], np.random.get_state()[1])  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert exact(first.u, roll_out(variety(), 1, 3, 2, 1e3).u)


def test_realizations_share_u0_and_nothing_else():
    rollout = roll_out(variety(), 0, 2, 3, 1e3)
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert all((rollout.u[a] - rollout.u[b]).abs().mean() > 1e-3 for a, b in pairs)


def test_without_chance_realizations_are_equal():
    quiet = theta(noise_scale=1e-30, dropout_rate=0.0)
    rollout = roll_out(table(quiet), 0, 4, 2, 1e3)
    assert torch.equal(rollout.u[0], rollout.u[1])


def test_another_draw_is_another_start_and_other_noise():
    first, second = (roll_out(variety(), 0, 2, 1, 1e3, draw=draw) for draw in (0, 1))
    assert (first.u0 - second.u0).abs().mean() > 1e-3
    assert (first.u - second.u).abs().mean() > 1e-3


def test_operators_that_are_alike_start_apart():
    operators = table(theta(), theta())
    first, second = (roll_out(operators, row, 1, 1, 1e3) for row in (0, 1))
    assert (first.u0 - second.u0).abs().mean() > 1e-3


@given(
    at=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    value=st.sampled_from([float("nan"), float("inf"), -float("inf"), 2.5, -2.5]),
)
def test_divergence_is_the_first_bad_frame(at, value):
    u = torch.linspace(-2, 2, len(at) * 6 * 2 * 9).reshape(len(at), 6, 2, 3, 3)
    for realization, step in enumerate(at):
        if step:
            u[realization, step - 1 :, 1, 2, 0] = value
    assert divergence(u, 2.0).tolist() == at
    mask_diverged(u, torch.tensor(at))
    for realization, step in enumerate(at):
        dead = u[realization].isnan().all((1, 2, 3)).tolist()
        assert dead == [bool(step) and t >= step for t in range(1, 7)]


def test_an_explosive_operator_is_marked_and_masked():
    rollout = roll_out(table(EXPLOSIVE), 0, 300, 2, 1e3)
    for frames, step in zip(rollout.u, rollout.diverged_at.tolist(), strict=True):
        assert 1 < step < 300
        assert frames[step - 1 :].isnan().all()
        assert frames[: step - 1].abs().max() <= 1e3
        assert frames[step - 2].abs().max() > 100  # it grows at most severalfold a step


def test_a_realization_that_diverges_leaves_the_others_alone_to_the_bit():
    free = roll_out(table(theta(noise_scale=1.0)), 0, 30, 3, 1e9)
    peaks = free.u.abs().amax((1, 2, 3, 4)).sort()
    bound = float(peaks.values[1:].mean())  # only the wildest realization exceeds it
    bounded = roll_out(table(theta(noise_scale=1.0)), 0, 30, 3, bound)
    assert (bounded.diverged_at > 0).sum() == 1
    for realization in peaks.indices[:2]:
        assert torch.equal(bounded.u[realization], free.u[realization])
    wild = peaks.indices[2]
    step = int(bounded.diverged_at[wild])
    assert torch.equal(bounded.u[wild, : step - 1], free.u[wild, : step - 1])
    assert free.u[wild, step - 1].abs().max() > bound


def test_blown_up_numbers_leave_the_others_alone_to_the_bit():
    # One realization starts beyond float32's range; the batch goes on to infinity and NaN with it.
    operators = table(EXPLOSIVE)
    operator = build(operators, 0, "float32")
    u0 = roll_out(operators, 0, 1, 2, 1e3).u[:, 0]
    spoiled = torch.stack([u0[0], torch.full_like(u0[1], 1e38)])
    for step in range(1, 6):
        drawn = operator.chance.at(step, 5, 2, 0)
        u0, spoiled = (u + operator.apply(u, drawn) for u in (u0, spoiled))
        assert torch.equal(u0[0], spoiled[0])
    assert not spoiled[1].isfinite().all()
