"""One operator's rollout: T applications from u0, all realizations in one batch."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.initial_conditions import families
from spinlock.operators.build import Operator, build
from spinlock.operators.draws import Draws
from spinlock.randomness import stream
from spinlock.refusals import Refusal
from spinlock.rollout import policies
from spinlock.rollout.config import Settings
from spinlock.sampling.table import Operators


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """All realizations of one operator, float32."""

    operator: int  # id
    u0: Float[Tensor, "C H W"]
    u: Float[Tensor, "R T C H W"]  # u_1 … u_T; NaN from the step of divergence on
    diverged_at: Int[Tensor, "R"]  # step in 1 … T at which a realization diverged, 0 = never


@torch.no_grad()
def roll_out(operators: Operators, index: int, settings: Settings, draw: int = 0) -> Rollout:
    """Roll out one operator from its initial condition.

    Every random number is a function of (root seed, operator id, purpose, realization, step): the
    result depends on nothing that was computed before. The batch of all realizations is the unit:
    the last bits of a convolution depend on the shape of its batch.

    Args:
        operators: the operator table.
        index: row (not id).
        settings: steps T, realizations R, bound and precision.
        draw: 0 is the data; other numbers give another u0 and other noise of the same operator.
    """
    operator = build(operators, index, settings.precision)
    advance = step_map(operator)
    steps, realizations = settings.steps, settings.realizations
    u0 = initial_condition(operators, index, draw)
    u = u0.expand(realizations, *u0.shape).contiguous()
    frames = torch.empty(realizations, steps, *u0.shape)
    for step in range(1, steps + 1):
        u = advance(u, operator.chance.at(step, steps, realizations, draw))
        frames[:, step - 1] = u
    return finished(operator.id, u0, frames, settings.bound)


def finished(
    operator: int, u0: Float[Tensor, "C H W"], u: Float[Tensor, "R T C H W"], bound: float
) -> Rollout:
    """The rollout of an operator from its frames, which are masked in place."""
    diverged_at = divergence(u, bound)
    mask_diverged(u, diverged_at)
    return Rollout(operator=operator, u0=u0, u=u, diverged_at=diverged_at)


def step_map(operator: Operator) -> Callable[[Tensor, Draws], Tensor]:
    """The one-step map (u, draws) → u' of an operator, its update policy included."""
    keep, gain = policies.coefficients(operator.theta)
    return lambda u, draws: policies.advance(u, operator.apply(u, draws), keep, gain)


def initial_condition(operators: Operators, index: int, draw: int = 0) -> Float[Tensor, "C H W"]:
    """u0 of one operator, from its own stream."""
    rng = stream(operators.seed, f"initial_condition/{draw}", int(operators.ids[index]))
    variant, size = operators.ic_types[index], operators.grid_size
    return families.draw(variant, operators.channels, size, rng)


def check(operators: Operators) -> None:
    """Refuse a table that cannot be rolled out, before any work is done.

    Raises:
        Refusal: an initial condition is unknown or too fine for the grid, or a kernel is wider
            than the periodic domain.
    """
    for variant in sorted(set(operators.ic_types)):
        initial_condition(operators, operators.ic_types.index(variant))
    kernels = (t.kernel_size for t in operators.theta if t.operator_type == "cnn")
    margin = max(kernels, default=1) // 2
    if margin > operators.grid_size:
        raise Refusal(
            f"sample.dimensions: kernel_size: expected at most {2 * operators.grid_size + 1} on a "
            f"grid of {operators.grid_size}, got {2 * margin + 1}"
        )


def divergence(u: Float[Tensor, "R T C H W"], bound: float) -> Int[Tensor, "R"]:
    """The first step in 1 … T at which |u| exceeds the bound or is not a number; 0 = never."""
    beyond = ~(u.abs().amax((-3, -2, -1)) <= bound)  # amax passes NaN on, and NaN is not <=
    first = beyond.int().argmax(1) + 1
    return torch.where(beyond.any(1), first, 0)


def mask_diverged(u: Float[Tensor, "R T C H W"], diverged_at: Int[Tensor, "R"]) -> None:
    """Set the frames from the step of divergence on to NaN, in place."""
    for frames, step in zip(u, diverged_at.tolist(), strict=True):
        if step:
            frames[step - 1 :] = torch.nan
