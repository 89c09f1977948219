"""The stochastic block inside the agent: noise of θ's own law, for ensembles."""

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.noa.model import Agent, Hooks
from spinlock.operators import noise
from spinlock.operators.draws import Chance
from spinlock.operators.weights import VARIANCE_GAIN
from spinlock.sampling.table import Operators

DRAW = 2  # of the streams of noise; 0 and 1 are those of rollouts


@torch.no_grad()
def ensemble(
    agent: Agent,
    theta: Operators,
    u0: Float[Tensor, "n C H W"],
    steps: int,
    members: int,
    context: Float[Tensor, "n k C H W"] | None = None,
) -> Float[Tensor, "n M T C H W"]:
    r"""Rollouts of the agent with noise that enters as in the operators.

    Type, scale, schedule and correlation length are θ's. The matrix L that mixes the fields of
    additive noise belongs to an operator's weights, which the agent does not see; their law gives
    $\mathbb E\,V V^\top = 2 I$, so $L = \sqrt 2\,I$. A member is a trajectory, not a mean: its
    pattern does not fade (`certainty`). Dropout inside an operator is a noise that it leaves out.

    Args:
        agent: the trained one.
        theta: the operators.
        u0: a field of each to start from.
        steps: T − c, after the context.
        members: M, independent draws for each operator.
        context: as in `Agent.rollout`.
    """
    found = []
    for row in range(len(theta)):
        one = theta.take([row])
        given = agent.given(one, None if context is None else context[[row]])
        found.append(
            agent.unroll(
                given.repeated(members),
                u0[[row]].expand(members, -1, -1, -1),
                steps=steps,
                gradient_steps=steps,
                hooks=Hooks(disturb=Disturbance(one, steps, members, agent.context_steps)),
            )
        )
    return torch.stack(found)


class Disturbance:
    """What the stochastic block makes of the agent's output, for M members of one operator.

    θ's schedule runs over all T steps of a rollout, of which an agent with a context sees the first
    c as they were.
    """

    def __init__(self, one: Operators, steps: int, members: int, seen: int = 0) -> None:
        theta = one.theta[0]
        kind = noise.TYPES[theta.noise_type]
        size = one.grid_size
        self.enter, self.members = kind.enter, members
        self.seen, self.steps = seen, seen + steps
        self.mixing = VARIANCE_GAIN**0.5 * torch.eye(one.channels)[:, :, None, None]
        self.chance = Chance(
            seed=one.seed,
            operator=int(one.ids[0]),
            theta=theta,
            shape=(kind.fields(one.channels), size, size),
            widths=(),
            response=noise.transfer(size, theta.spatial_correlation),
        )

    def __call__(self, output: Float[Tensor, "M C H W"], step: int) -> Float[Tensor, "M C H W"]:
        """Disturb the outputs of step t in 1 … T − c."""
        fields = self.chance.at(self.seen + step, self.steps, self.members, DRAW).noise
        return self.enter(output, fields, self.mixing)
