"""From a row of the operator table to the map u → O(u)."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spinlock.operators import cnn, noise, random_u_afno, u_afno_layers, weights
from spinlock.operators.blocks import Precision
from spinlock.operators.draws import Chance, Draws
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta


class Hidden(Protocol):
    """What an architecture is to the rest: u, dropout masks → hidden features."""

    @property
    def masked(self) -> tuple[int, ...]:
        """Channels of each dropout mask, in the order in which they are used."""

    @property
    def structure(self) -> Hashable:
        """What operators share that differ in nothing but the numbers in their weights."""

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """All weights, in a fixed order."""

    def with_parameters(self, parameters: Sequence[Tensor]) -> "Hidden":
        """The same operator with other weights: differentiable, and batched over them by vmap."""

    def __call__(
        self, u: Float[Tensor, "R C H W"], masks: Sequence[Float[Tensor, "R width 1 1"]]
    ) -> Float[Tensor, "R width H W"]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A type of operator, up to its output convolution, whose weights all types draw alike."""

    build: Callable[[Operators, int, Precision], Hidden]
    output_layer: str  # name of the output convolution in the streams of the weights
    output_shapes: Callable[[Operators, Theta], tuple[weights.Shape, weights.Shape]]
    num_parameters: Callable[[Theta, int, int], int]  # θ, C, max_width → weights up to there
    receptive_field: Callable[[Theta, int], int]  # θ, grid → side of what a cell sees


ARCHITECTURES = {
    "cnn": Architecture(
        build=cnn.build,
        output_layer="output",
        output_shapes=cnn.output_shapes,
        num_parameters=cnn.num_parameters,
        receptive_field=cnn.receptive_field,
    ),
    "u_afno": Architecture(
        build=random_u_afno.build,
        output_layer="u_afno/output",
        output_shapes=u_afno_layers.output_shapes,
        num_parameters=u_afno_layers.num_parameters,
        receptive_field=u_afno_layers.receptive_field,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """One random stochastic neural operator; its weights never change."""

    id: int
    theta: Theta
    hidden: Hidden
    output: Float[Tensor, "C width 1 1"]
    mixing: Float[Tensor, "C C 1 1"]  # of the noise; see `noise.mixing`
    enter: Callable[[Tensor, Tensor, Tensor], Tensor]  # mean output, noise, mixing → output
    chance: Chance

    @torch.no_grad()
    def apply(self, u: Float[Tensor, "R C H W"], draws: Draws) -> Float[Tensor, "R C H W"]:
        """O(u) for every realization: hidden features, stochastic block, 1×1 convolution."""
        mean = functional.conv2d(self.hidden(u, draws.masks), self.output)
        return self.enter(mean, draws.noise, self.mixing)


def build(operators: Operators, index: int, precision: Precision) -> Operator:
    """Build the operator of one row of the table.

    Args:
        operators: the operator table.
        index: row (not id).
        precision: of the convolutions.
    """
    theta, grid_size = operators.theta[index], operators.grid_size
    architecture = ARCHITECTURES[theta.operator_type]
    shapes = architecture.output_shapes(operators, theta)
    output = weights.draw(operators, index, architecture.output_layer, *shapes)
    hidden = architecture.build(operators, index, precision)
    kind = noise.TYPES[theta.noise_type]
    return Operator(
        id=int(operators.ids[index]),
        theta=theta,
        hidden=hidden,
        output=output,
        mixing=noise.mixing(output),
        enter=kind.enter,
        chance=Chance(
            seed=operators.seed,
            operator=int(operators.ids[index]),
            theta=theta,
            shape=(kind.fields(operators.channels), grid_size, grid_size),
            widths=hidden.masked,
            response=noise.transfer(grid_size, theta.spatial_correlation),
        ),
    )


def num_parameters(operators: Operators, theta: Theta) -> int:
    """Number of weights of an operator, with those of the 1×1 output convolution."""
    architecture = ARCHITECTURES[theta.operator_type]
    output, _ = architecture.output_shapes(operators, theta)
    hidden = architecture.num_parameters(theta, operators.channels, operators.max_width)
    return hidden + math.prod(output)


def receptive_field(theta: Theta, grid_size: int) -> int:
    """Side of the square of cells that one output cell sees in one step, at most the grid.

    A normalization sees the whole domain besides, through its moments.
    """
    return ARCHITECTURES[theta.operator_type].receptive_field(theta, grid_size)
