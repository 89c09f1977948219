"""What the trained agent is told of θ instead of the truth, to see whether θ matters."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.noa.model import Agent
from spinlock.randomness import stream
from spinlock.sampling.table import Operators


def inputs(agent: Agent, operators: Operators) -> dict[str, Float[Tensor, "N P"]]:
    """Columns of θ in place of an operator's own, by the name of the ablation.

    `no_theta`: their mean over the training operators. `shuffled_theta`: those of another operator,
    drawn once for all. The update policy, which is applied exactly, stays the operator's own in
    both: they ask what the network makes of θ.
    """
    own = agent.told(operators)
    other = torch.from_numpy(partners(operators.seed, len(operators)))
    return {"no_theta": agent.neutral.expand_as(own), "shuffled_theta": own[other]}


def partners(seed: int, count: int) -> Int[np.ndarray, " N"]:
    """Another position for each, every one once: a random cycle through all."""
    order = stream(seed, "evaluate/shuffled_theta").permutation(count)
    found = np.empty(count, dtype=np.int64)
    found[order] = np.roll(order, 1)
    return found
