"""The convolutional operator: conv blocks of growing width at full resolution.

Block i = 0 … num_layers - 1 has width b · 2^min(i, 2), at most `max_width`; block 0 is the input
block C → b. With more than three blocks, those whose width equals that of their input are
residual. A 1×1 convolution to C channels follows the last block; see `build`.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from spinlock.operators import weights
from spinlock.operators.blocks import ACTIVATIONS, NORMALIZATIONS, ConvBlock, Precision
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta

RESIDUAL_ABOVE = 3  # blocks; deeper networks get residual ones


@dataclass(frozen=True, slots=True, eq=False)
class Cnn:
    """The blocks of one operator: u → hidden features."""

    blocks: tuple[ConvBlock, ...]

    @property
    def masked(self) -> tuple[int, ...]:
        """Channels of each dropout mask: those that each block puts out."""
        return tuple(len(block.weight) for block in self.blocks)

    @property
    def structure(self) -> Hashable:
        """What operators share that differ in nothing but the numbers in their weights."""
        return tuple(
            (block.weight.shape, block.normalize, block.activate, block.residual)
            for block in self.blocks
        )

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The weights of the blocks, in their order."""
        return tuple(block.weight for block in self.blocks)

    def with_parameters(self, parameters: Sequence[Tensor]) -> "Cnn":
        """The same operator with other weights: differentiable, and batched over them by vmap."""
        pairs = zip(self.blocks, parameters, strict=True)
        return Cnn(tuple(block.with_weight(weight) for block, weight in pairs))

    def __call__(
        self, u: Float[Tensor, "R C H W"], masks: Sequence[Float[Tensor, "R width 1 1"]]
    ) -> Float[Tensor, "R width H W"]:
        """Apply the blocks; `masks` holds one dropout mask each, or is empty."""
        x = u
        for block, mask in zip(self.blocks, masks or (None,) * len(self.blocks), strict=True):
            x = block(x, mask)
        return x


def widths(num_layers: int, base_channels: int, max_width: int) -> tuple[int, ...]:
    """Channels that each block puts out."""
    return tuple(min(base_channels * 2 ** min(i, 2), max_width) for i in range(num_layers))


def shapes(
    layer_widths: tuple[int, ...], kernel_size: int, channels: int
) -> tuple[weights.Shape, ...]:
    """Shapes of the weights of all blocks."""
    inputs = (channels, *layer_widths[:-1])
    return tuple(
        (out, into, kernel_size, kernel_size)
        for into, out in zip(inputs, layer_widths, strict=True)
    )


def num_parameters(theta: Theta, channels: int, max_width: int) -> int:
    """Number of weights of the blocks of an operator."""
    layer_widths = widths(theta.num_layers, theta.base_channels, max_width)
    return sum(map(math.prod, shapes(layer_widths, theta.kernel_size, channels)))


def receptive_field(theta: Theta, grid_size: int) -> int:
    """Side of the square of cells that one output cell sees through the convolutions.

    At most the periodic grid. A normalization sees the whole domain besides, through its moments.
    """
    return min(1 + theta.num_layers * (theta.kernel_size - 1), grid_size)


def widest(operators: Operators) -> tuple[int, ...]:
    """Channels that each block of the widest and deepest operator of the space puts out."""
    depth, base = operators.largest("num_layers"), operators.largest("base_channels")
    return widths(depth, base, operators.max_width)


def output_shapes(operators: Operators, theta: Theta) -> tuple[weights.Shape, weights.Shape]:
    """Shape of the 1×1 output convolution of one operator, and of the widest one."""
    own = widths(theta.num_layers, theta.base_channels, operators.max_width)
    channels = operators.channels
    return (channels, own[-1], 1, 1), (channels, widest(operators)[-1], 1, 1)


def build(operators: Operators, index: int, precision: Precision) -> Cnn:
    """The blocks of one operator, with their weights."""
    theta = operators.theta[index]
    own = widths(theta.num_layers, theta.base_channels, operators.max_width)
    pairs = zip(
        shapes(own, theta.kernel_size, operators.channels),
        shapes(widest(operators), operators.largest("kernel_size"), operators.channels),
        strict=False,  # the deepest operator of the space has more blocks
    )
    return Cnn(
        tuple(
            ConvBlock(
                weight=weights.draw(operators, index, str(layer), shape, widest),
                normalize=NORMALIZATIONS[theta.normalization],
                activate=ACTIVATIONS[theta.activation],
                residual=theta.num_layers > RESIDUAL_ABOVE and shape[0] == shape[1],
            ).prepared(operators.grid_size, precision)
            for layer, (shape, widest) in enumerate(pairs)
        )
    )
