"""The one-step map that a rollout ended with, as operator sensitivity asks for it."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from spinlock.operators.build import build
from spinlock.rollout.config import Settings
from spinlock.rollout.engine import step_map
from spinlock.sampling.table import Operators

Step = Callable[[Float[Tensor, "R C H W"]], Float[Tensor, "R C H W"]]


def last_step(operators: Operators, row: int, settings: Settings, draw: int = 0) -> Step:
    """The map u_(T-1) → u_T of all realizations of one operator, with the noise of step T.

    Applied to the states before the last ones of a rollout it gives the last ones, to the bit;
    applied to others, what the same weights, masks and noise make of those. It has no gradient
    through the operator, whose weights are built once.

    Args:
        operators: the operator table.
        row: row (not id).
        settings: those of the rollout; its bound is not used.
        draw: that of the rollout; see `engine.roll_out`.
    """
    operator = build(operators, row, settings.precision)
    advance = step_map(operator)
    steps = settings.steps
    draws = operator.chance.at(steps, steps, settings.realizations, draw)
    return lambda u: advance(u, draws)
