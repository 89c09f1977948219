"""From a row of the operator table to the map u → O(u)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spinlock.operators import cnn, noise, weights
from spinlock.operators.draws import Chance, Draws
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """One random stochastic neural operator; its weights never change."""

    id: int
    theta: Theta
    hidden: Callable[[Tensor, tuple[Tensor, ...]], Tensor]  # u, dropout masks → hidden features
    output: Float[Tensor, "C width 1 1"]
    mixing: Float[Tensor, "C C 1 1"]  # noise fields → output; see `noise.mixing`
    chance: Chance

    @torch.no_grad()
    def apply(self, u: Float[Tensor, "R C H W"], draws: Draws) -> Float[Tensor, "R C H W"]:
        """O(u) for every realization: hidden features, stochastic block, 1×1 convolution."""
        mean = functional.conv2d(self.hidden(u, draws.masks), self.output)
        return mean + functional.conv2d(draws.noise, self.mixing)


def build(operators: Operators, index: int) -> Operator:
    """Build the operator of one row of the table.

    Args:
        operators: the operator table.
        index: row (not id).
    """
    theta, grid_size = operators.theta[index], operators.grid_size
    layer_widths = cnn.widths(theta.num_layers, theta.base_channels, operators.max_width)
    output = weights.draw(operators, index, "output", *_output_shapes(operators, layer_widths[-1]))
    return Operator(
        id=int(operators.ids[index]),
        theta=theta,
        hidden=cnn.build(operators, index),
        output=output,
        mixing=noise.mixing(output),
        chance=Chance(
            seed=operators.seed,
            operator=int(operators.ids[index]),
            theta=theta,
            shape=(operators.channels, grid_size, grid_size),
            widths=layer_widths,
            response=noise.transfer(grid_size, theta.spatial_correlation),
        ),
    )


def _output_shapes(operators: Operators, width: int) -> tuple[weights.Shape, weights.Shape]:
    """Shape of the output convolution for hidden features of a width, and the widest one."""
    largest = cnn.widths(operators.max_layers, operators.max_base_channels, operators.max_width)
    channels = operators.channels
    return (channels, width, 1, 1), (channels, largest[-1], 1, 1)
