"""Operators of equal architecture in one batch, for a device that one operator does not fill.

Initial conditions and random numbers are those of `engine.roll_out`; only the arithmetic is the
device's own. So both agree to `TOLERANCE` at one step, not to the bit, and a rollout that amplifies
small differences ends elsewhere.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spinlock.operators.build import Operator, build
from spinlock.operators.draws import Draws
from spinlock.rollout import policies
from spinlock.rollout.config import Settings
from spinlock.rollout.engine import Rollout, finished, initial_condition
from spinlock.sampling.table import Operators

TOLERANCE = 1e-4  # of the largest value of a frame, after one step


@torch.no_grad()
def roll_out_together(
    operators: Operators, settings: Settings, device: torch.device
) -> list[Rollout]:
    """Roll out all operators of a table, those of equal architecture at the same time.

    Args:
        operators: the operator table, or some of its rows.
        settings: steps T, realizations R and bound; the precision must be float32.
        device: where they are computed; the results are on the CPU.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    built = [build(operators, row, settings.precision) for row in range(len(operators))]
    for row, operator in enumerate(built):
        groups[structure(operator)].append(row)
    rollouts = {}
    for rows in groups.values():
        starts = torch.stack([initial_condition(operators, row) for row in rows])
        frames = _roll_out_group([built[row] for row in rows], starts, settings, device)
        for row, u0, u in zip(rows, starts, frames, strict=True):
            rollouts[row] = finished(built[row].id, u0, u, settings.bound)
    return [rollouts[row] for row in range(len(operators))]


def structure(operator: Operator) -> Hashable:
    """What operators must share to be computed in one batch: all but numbers."""
    theta = operator.theta
    return operator.hidden.structure, theta.noise_type, theta.dropout_rate > 0


def _roll_out_group(
    group: Sequence[Operator],
    u0: Float[Tensor, "B C H W"],
    settings: Settings,
    device: torch.device,
) -> Float[Tensor, "B R T C H W"]:
    """The rollouts of operators of one structure."""
    steps, realizations = settings.steps, settings.realizations
    frames = torch.empty(len(u0), realizations, steps, *u0.shape[1:])
    advance = _step_map(group, device)
    u = u0.to(device)[:, None].expand(-1, realizations, -1, -1, -1)
    for step in range(1, steps + 1):
        draws = [one.chance.at(step, steps, realizations, 0) for one in group]
        u = advance(u, *_stacked(draws, device))
        frames[:, :, step - 1] = u.cpu()
    return frames


def _step_map(group: Sequence[Operator], device: torch.device) -> Callable[..., Tensor]:
    """The one-step map of a group: (u, noise, masks) → u', all [B, R, …]."""
    first = group[0]
    layers = zip(*(one.hidden.parameters for one in group), strict=True)
    parameters = tuple(torch.stack(layer).to(device) for layer in layers)
    output, mixing = (
        torch.stack(weights).to(device)
        for weights in ([one.output for one in group], [one.mixing for one in group])
    )
    pairs = torch.tensor([policies.coefficients(one.theta) for one in group], device=device)
    keep, gain = pairs.float().T[..., None, None, None, None]
    apply = torch.vmap(partial(_apply, first))

    def advance(u: Tensor, noise: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
        return policies.advance(u, apply(parameters, output, mixing, u, noise, masks), keep, gain)

    return advance


def _apply(
    like: Operator,
    parameters: tuple[Tensor, ...],
    output: Float[Tensor, "C width 1 1"],
    mixing: Float[Tensor, "C C 1 1"],
    u: Float[Tensor, "R C H W"],
    noise: Float[Tensor, "R F H W"],
    masks: tuple[Float[Tensor, "R width 1 1"], ...],
) -> Float[Tensor, "R C H W"]:
    """`Operator.apply` of an operator like another, with weights of its own."""
    hidden = like.hidden.with_parameters(parameters)(u, masks)
    return like.enter(functional.conv2d(hidden, output), noise, mixing)


def _stacked(
    draws: Sequence[Draws], device: torch.device
) -> tuple[Float[Tensor, "B R F H W"], tuple[Float[Tensor, "B R width 1 1"], ...]]:
    """The noise and the masks of a group."""
    noise = torch.stack([one.noise for one in draws]).to(device)
    layers = zip(*(one.masks for one in draws), strict=True)
    return noise, tuple(torch.stack(layer).to(device) for layer in layers)
