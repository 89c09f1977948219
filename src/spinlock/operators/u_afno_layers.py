r"""The layers of a U-shaped operator: their names, their shapes, and the size of their weights.

Weights keep a signal's size on its way. He's factor 2 (`weights.draw`) makes up for the activation
after a matrix; where none follows, the variance is halved. Where no normalization keeps a sum of n
residual branches from growing like 2^n, the variance of the last matrix of each is divided by n
(De & Smith 2020, "Batch normalization biases residual blocks towards the identity function"). On
the way up, the sums with the skips are weighted so that all levels have equal shares in the last.
"""

import math
from dataclasses import dataclass
from typing import Literal

from spinlock.operators import u_shape
from spinlock.operators.weights import Shape
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta

GROUP = 8  # channels that are mixed with each other; what it shares with a width it does not divide
HALF = 0.5**0.5  # gain of a matrix that no activation follows
# The first two are convolution blocks. The next three have no activation: with a stride of 2, cell
# by cell, and cell by cell before interpolation. Mixing is complex, with an activation of its own.
Kind = Literal["block", "residual", "down", "cell", "up", "mixing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of an operator."""

    channels: int  # C
    widths: tuple[int, ...]  # of the levels, finest first; the last one is the bottleneck's
    blocks_per_level: int
    afno_blocks: int
    group: int  # channels that are mixed with each other
    normalized: bool

    @property
    def levels(self) -> range:
        """The levels that have a skip."""
        return range(len(self.widths) - 1)

    def skip_weight(self, level: int) -> float:
        """Square root of the share of a level in its sum with those below."""
        return (len(self.widths) - level) ** -0.5


@dataclass(frozen=True, slots=True)
class Layer:
    """One matrix or convolution."""

    kind: Kind
    level: int  # of the fields that it is applied to
    shape: Shape  # a mixing matrix has 2 · group columns: real and imaginary parts in turn
    gain: float  # of its weights, beside He's


def widths(encoder_levels: int, base_channels: int, max_width: int) -> tuple[int, ...]:
    """Channels of the levels, finest first, and of the bottleneck: doubling up to both caps."""
    levels = range(encoder_levels + 1)
    return tuple(min(u_shape.width(base_channels, level), max_width) for level in levels)


def plan(theta: Theta, channels: int, max_width: int) -> Plan:
    """The sizes of an operator with some parameters."""
    own = widths(theta.encoder_levels, theta.base_channels, max_width)
    return Plan(
        channels=channels,
        widths=own,
        blocks_per_level=theta.blocks_per_level,
        afno_blocks=theta.afno_blocks,
        group=math.gcd(own[-1], GROUP),
        normalized=theta.normalization != "none",
    )


def widest(operators: Operators) -> Plan:
    """The sizes of the largest operator of the declared space: those of the basis of weights."""
    levels, base, blocks, afno = (
        operators.largest(name)
        for name in ("encoder_levels", "base_channels", "blocks_per_level", "afno_blocks")
    )
    return Plan(
        channels=operators.channels,
        widths=widths(levels, base, operators.max_width),
        blocks_per_level=blocks,
        afno_blocks=afno,
        group=GROUP,
        normalized=True,
    )


def layers(plan: Plan) -> dict[str, Layer]:
    """All layers up to the output convolution, in the order in which they are used."""
    branches = 2 * (len(plan.levels) * plan.blocks_per_level + plan.afno_blocks)
    branch = 1.0 if plan.normalized else branches**-0.5
    found = {"stem": Layer("block", 0, (plan.widths[0], plan.channels, 3, 3), 1.0)}
    for level in plan.levels:
        found |= _blocks("encoder", level, plan, branch)
        shape = (plan.widths[level + 1], plan.widths[level], 3, 3)
        found[f"down/{level}"] = Layer("down", level, shape, HALF)
    for i in range(plan.afno_blocks):
        found |= _afno(i, plan, branch)
    for level in reversed(plan.levels):
        shape = (plan.widths[level], plan.widths[level + 1], 1, 1)
        below = (1 - plan.skip_weight(level) ** 2) ** 0.5
        found[f"up/{level}"] = Layer("up", level + 1, shape, HALF * below)
        found |= _blocks("decoder", level, plan, branch)
    return found


def _blocks(side: str, level: int, plan: Plan, branch: float) -> dict[str, Layer]:
    width = plan.widths[level]
    layer = Layer("residual", level, (width, width, 3, 3), branch)
    return {f"{side}/{level}/{i}": layer for i in range(plan.blocks_per_level)}


def _afno(i: int, plan: Plan, branch: float) -> dict[str, Layer]:
    level, width = len(plan.levels), plan.widths[-1]
    mixing = (width, 2 * plan.group, 1, 1)
    return {
        f"first/{i}": Layer("mixing", level, mixing, 1.0),
        f"second/{i}": Layer("mixing", level, mixing, HALF * branch),
        f"expand/{i}": Layer("block", level, (2 * width, width, 1, 1), 1.0),
        f"contract/{i}": Layer("cell", level, (width, 2 * width, 1, 1), HALF * branch),
    }


def num_parameters(theta: Theta, channels: int, max_width: int) -> int:
    """Number of weights up to the output convolution; a complex one counts as two."""
    found = layers(plan(theta, channels, max_width))
    return sum(math.prod(layer.shape) for layer in found.values())


def receptive_field(theta: Theta, grid_size: int) -> int:
    """Side of the square of cells that one output cell sees: the grid, through the mixing."""
    return grid_size


def output_shapes(operators: Operators, theta: Theta) -> tuple[Shape, Shape]:
    """Shape of the 1×1 output convolution of one operator, and of the widest one."""
    own = plan(theta, operators.channels, operators.max_width).widths[0]
    channels = operators.channels
    return (channels, own, 1, 1), (channels, widest(operators).widths[0], 1, 1)
