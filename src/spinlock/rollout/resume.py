"""The rest of a rollout whose first steps are known."""

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.operators.build import build
from spinlock.rollout.config import Settings
from spinlock.rollout.engine import (
    Rollout,
    divergence,
    initial_condition,
    mask_diverged,
    step_map,
)
from spinlock.sampling.table import Operators


@torch.no_grad()
def roll_on(
    operators: Operators, row: int, settings: Settings, known: Float[Tensor, "R k C H W"]
) -> Rollout:
    """Continue a rollout (draw 0, the data) from its state u_k, to the bits that it would have had.

    A step depends on the state before and on its own noise alone. A realization that diverged
    before step k is NaN from there on, here as in `engine.roll_out`.

    Args:
        operators: the operator table.
        row: row (not id).
        settings: those of the rollout.
        known: its steps u_1 … u_k.
    """
    operator = build(operators, row, settings.precision)
    advance = step_map(operator)
    first, steps = known.shape[1], settings.steps
    frames = torch.cat([known, known.new_empty(len(known), steps - first, *known.shape[2:])], 1)
    u = known[:, -1].contiguous()  # a convolution rounds strided states in another order
    for step in range(first + 1, steps + 1):
        u = advance(u, operator.chance.at(step, steps, settings.realizations, draw=0))
        frames[:, step - 1] = u
    diverged_at = divergence(frames, settings.bound)
    mask_diverged(frames, diverged_at)
    u0 = initial_condition(operators, row)
    return Rollout(operator=operator.id, u0=u0, u=frames, diverged_at=diverged_at)
