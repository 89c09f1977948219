r"""Where the weights of an operator come from: a shared random basis, or its own stream.

Weights are random and never trained: $W \sim N(0, 2 / \text{fan-in})$ (He et al. 2015, eq. 10),
biases zero as there, so they are left out. With a basis, $W(z) = \sum_j z_j W^j$ with z on the
unit sphere has exactly the law of an independent draw, and (θ, z) identifies the operator.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.randomness import stream
from spinlock.sampling.table import Operators

VARIANCE_GAIN = 2.0  # variance of a weight times its fan-in
Shape = tuple[int, int, int, int]  # channels out, channels in, kernel, kernel


def draw(
    operators: Operators, index: int, layer: str, shape: Shape, widest: Shape
) -> Float[Tensor, "out in k k"]:
    """The Kaiming-scaled weights of one layer of one operator.

    Args:
        operators: the operator table.
        index: row of the operator.
        layer: name of the layer, part of the purpose of its random stream.
        shape: of this operator's weights.
        widest: shape of the layer in the widest, largest-kernel operator of the declared space.
    """
    if operators.weights == "basis":
        sets = basis(operators.seed, operators.weights_z.shape[1], layer, widest)
        unit = combine(centre(sets, shape), torch.from_numpy(operators.weights_z[index]))
    else:
        rng = stream(operators.seed, f"weights/own/{layer}", int(operators.ids[index]))
        unit = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    return (unit * math.sqrt(VARIANCE_GAIN / math.prod(shape[1:]))).contiguous()


@lru_cache(maxsize=128)
def basis(seed: int, num_sets: int, layer: str, widest: Shape) -> Float[Tensor, "m out in k k"]:
    """The m weight sets that all operators share in one layer: independent unit normals.

    Set j does not depend on how many sets there are. Kept in memory for as long as a process runs.
    """
    rngs = (stream(seed, f"weights/{j}/{layer}") for j in range(num_sets))
    return torch.from_numpy(
        np.stack([rng.standard_normal(widest, dtype=np.float32) for rng in rngs])
    )


def centre(
    sets: Float[Tensor, "m widest_out widest_in K K"], shape: Shape
) -> Float[Tensor, "m out in k k"]:
    """The leading channels and the centre of the kernel."""
    out, into, size, _ = shape
    first = (sets.shape[-1] - size) // 2
    return sets[:, :out, :into, first : first + size, first : first + size]


def combine(
    sets: Float[Tensor, "m out in k k"], z: Float[Tensor, "m"]
) -> Float[Tensor, "out in k k"]:
    r"""$\sum_j z_j W^j$, summed in the order of j."""
    total = sets[0] * z[0]
    for weights, weight in zip(sets[1:], z[1:], strict=True):
        total = total + weights * weight
    return total
