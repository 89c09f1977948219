"""The map of the last step continues a rollout to the bit, with the noise that step had."""

from dataclasses import dataclass

import pytest
import torch

from operator_cases import roll_out, table, theta, variety, variety_u_afno
from spinlock.operators import build as building
from spinlock.rollout import last_step as module
from spinlock.rollout.last_step import last_step

POLICIES = ["autoregressive", "residual", "convex"]


@dataclass(frozen=True)
class Size:
    steps: int
    realizations: int
    bound: float = 1e9
    precision: str = "float32"


def ends(operators, row, size, draw=0):
    """The states before the last step, as slices of the rollout are, and after it."""
    rollout = roll_out(operators, row, size.steps, size.realizations, 1e9, draw=draw)
    start = rollout.u0.expand(size.realizations, *rollout.u0.shape)
    return (rollout.u[:, -2] if size.steps > 1 else start), rollout.u[:, -1]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("realizations", [1, 3])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_it_is_the_last_step_of_the_rollout_to_the_bit(policy, realizations, steps):
    operators = table(*(theta(update_policy=policy, kernel_size=kernel) for kernel in (1, 3)))
    size = Size(steps, realizations)
    for row in range(2):
        before, after = ends(operators, row, size)
        assert torch.equal(last_step(operators, row, size)(before), after)


@pytest.mark.parametrize("make", [variety, variety_u_afno])
@pytest.mark.parametrize("row", range(6))
def test_it_is_so_for_every_architecture(make, row):
    size = Size(4, 3)
    before, after = ends(make(), row, size)
    assert torch.equal(last_step(make(), row, size)(before), after)


@pytest.mark.parametrize("draw", [1, 2])
def test_another_draw_has_its_own_noise(draw):
    size = Size(3, 2)
    before, after = ends(table(), 0, size, draw)
    assert torch.equal(last_step(table(), 0, size, draw)(before), after)
    assert not torch.equal(last_step(table(), 0, size)(before), after)


def test_noise_is_that_of_the_step_and_shared_by_all_calls():
    operators, zero = table(theta(noise_scale=1.0)), torch.zeros(2, 3, 8, 8)
    step = last_step(operators, 0, Size(3, 2))
    assert torch.equal(step(zero), step(zero))
    assert not torch.equal(step(zero)[0], step(zero)[1])
    assert not torch.equal(step(zero), last_step(operators, 0, Size(4, 2))(zero))


def test_weights_are_built_once(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "build", lambda *args: calls.append(1) or building.build(*args))
    step = last_step(table(), 0, Size(3, 2))
    for _ in range(3):
        step(torch.zeros(2, 3, 8, 8))
    assert calls == [1]
