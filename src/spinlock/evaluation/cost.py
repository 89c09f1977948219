"""What a step of the agent costs beside a step of the operator, by counting, not by timing."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from spinlock.noa.model import Agent
from spinlock.operators.build import build
from spinlock.sampling.table import Operators


def flops(compute: Callable[[], Tensor]) -> int:
    """Floating-point operations of the convolutions and matrix products that a call makes.

    A multiplication and an addition are two, and a product of complex numbers counts as one of
    real ones. Fourier transforms, norms and activations are not counted.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        compute()
    return counter.get_total_flops()


def operator_flops(operators: Operators, row: int) -> int:
    """Operations of one application of an operator to one realization.

    Convolutions count as they are defined, cell by cell, as the agent's do, whichever algorithm
    is the faster way to the same result.
    """
    operator = build(operators, row, "float32")
    hidden = operator.hidden.with_parameters(operator.hidden.parameters)
    operator = replace(operator, hidden=hidden)
    u = torch.zeros(1, operators.channels, operators.grid_size, operators.grid_size)
    draws = operator.chance.at(1, 1, 1, 0)
    return flops(lambda: operator.apply(u, draws))


def agent_flops(agent: Agent, operators: Operators) -> int:
    """Operations of one step of the agent for one operator; what is done once a rollout is apart.

    Once a rollout, it reads θ and the context, if it has one.
    """
    u0 = torch.zeros(1, operators.channels, operators.grid_size, operators.grid_size)
    seen = u0[:, None].expand(-1, agent.context_steps + 1, -1, -1, -1)
    context = seen if agent.context_steps else None

    def whole(steps: int) -> int:
        return flops(lambda: agent.rollout(operators.take([0]), u0, steps, context))

    return whole(2) - whole(1)
