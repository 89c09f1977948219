"""The U-shaped operator: spectral mixing on a coarse grid, and skips around it.

A 3×3 stem; `encoder_levels` levels of residual blocks that end with a skip and a stride of 2; AFNO
blocks at the bottleneck (see `spectral.mix`); a decoder that interpolates bilinearly and adds the
skips; a last normalization and activation. A 1×1 convolution to C channels follows; see `build`.
It is the network that the agent trains (`u_afno`), made of the blocks of a `cnn`.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn import functional

from spinlock.operators import spectral, u_shape, weights
from spinlock.operators.blocks import ACTIVATIONS, NORMALIZATIONS, ConvBlock
from spinlock.operators.convolution import Convolution, Direct, Precision
from spinlock.operators.u_afno_layers import Kind, Layer, Plan, layers, plan, widest
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta

Drops = Iterator[Tensor | None]  # dropout masks, in the order in which they are used


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomUAfno:
    """One operator up to its output convolution: u → hidden features."""

    plan: Plan
    modes: int  # largest wavenumber that is mixed
    normalize: Callable[[Tensor], Tensor]
    activate: Callable[[Tensor], Tensor]
    weights: Mapping[str, Tensor]  # of all layers, as `_draw` lays them out
    blocks: Mapping[str, ConvBlock]
    linear: Mapping[str, Convolution]  # down, contract and up, which ends with interpolation

    @property
    def masked(self) -> tuple[int, ...]:
        """Channels of each dropout mask: those that each block puts out."""
        return tuple(len(block.weight) for block in self.blocks.values())

    @property
    def structure(self) -> Hashable:
        """Everything but the weights."""
        return self.plan, self.modes, self.normalize, self.activate

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The weights, in the order of use."""
        return tuple(self.weights.values())

    def with_parameters(self, parameters: Sequence[Tensor]) -> "RandomUAfno":
        """The same operator with other weights: differentiable, and batched over them by vmap."""
        found = dict(zip(self.weights, parameters, strict=True))
        named = layers(self.plan)
        return replace(
            self,
            weights=found,
            blocks={name: block.with_weight(found[name]) for name, block in self.blocks.items()},
            linear={name: _plain(named[name].kind, found[name]) for name in self.linear},
        )

    def __call__(
        self, u: Float[Tensor, "R C H W"], masks: Sequence[Float[Tensor, "R width 1 1"]]
    ) -> Float[Tensor, "R width H W"]:
        """Apply all layers; `masks` holds one dropout mask for each block, or is empty."""
        drops: Drops = iter(masks) if masks else repeat(None)
        skips, x = self._encode(u, drops)
        for level in reversed(self.plan.levels):
            below = self.linear[f"up/{level}"](x)
            x = torch.add(below, skips[level], alpha=self.plan.skip_weight(level))
            x = self._residual("decoder", level, x, drops)
        return self.activate(self.normalize(x))

    def intermediate_features(
        self,
        u: Float[Tensor, "R C H W"],
        extract_from: u_shape.Place,
        skip_levels: Sequence[int] | None = None,
        masks: Sequence[Float[Tensor, "R width 1 1"]] = (),
    ) -> dict[str, Tensor]:
        """What the operator sees inside; see `u_shape.features`."""
        drops: Drops = iter(masks) if masks else repeat(None)
        return u_shape.features(*self._encode(u, drops), extract_from, skip_levels)

    def _encode(self, u: Tensor, drops: Drops) -> tuple[list[Tensor], Tensor]:
        """Skips of the levels, finest first, and the bottleneck."""
        x, skips = self.blocks["stem"](u, next(drops)), []
        for level in self.plan.levels:
            skips.append(self._residual("encoder", level, x, drops))
            x = self.linear[f"down/{level}"](skips[-1])
        for i in range(self.plan.afno_blocks):
            x = self._mix(i, x, drops)
        return skips, x

    def _residual(self, side: str, level: int, x: Tensor, drops: Drops) -> Tensor:
        for i in range(self.plan.blocks_per_level):
            x = self.blocks[f"{side}/{level}/{i}"](x, next(drops))
        return x

    def _mix(self, i: int, x: Tensor, drops: Drops) -> Tensor:
        """One AFNO block: spectral mixing, then a network of one hidden layer for each cell."""
        first, second = self.weights[f"first/{i}"], self.weights[f"second/{i}"]
        x = x + spectral.mix(self.normalize(x), first, second, self.modes)
        hidden = self.blocks[f"expand/{i}"](x, next(drops))
        return x + self.linear[f"contract/{i}"](hidden)


def modes(mode_share: float, encoder_levels: int, grid_size: int) -> int:
    """Largest wavenumber that is mixed: a share of the bottleneck's Nyquist one, at least 1."""
    return max(1, round(mode_share * (grid_size // 2**encoder_levels) / 2))


def build(operators: Operators, index: int, precision: Precision) -> RandomUAfno:
    """One operator up to its output convolution, with its weights; mixing is always in float32."""
    theta, side = operators.theta[index], operators.grid_size
    own = plan(theta, operators.channels, operators.max_width)
    drawn, named = _draw(operators, index, own), layers(own)
    return RandomUAfno(
        plan=own,
        modes=modes(theta.mode_share, theta.encoder_levels, side),
        normalize=NORMALIZATIONS[theta.normalization],
        activate=ACTIVATIONS[theta.activation],
        weights=drawn,
        blocks={
            name: _block(theta, layer, drawn[name]).prepared(side // 2**layer.level, precision)
            for name, layer in named.items()
            if layer.kind in ("block", "residual")
        },
        linear={
            name: _prepared(layer.kind, drawn[name], precision)
            for name, layer in named.items()
            if layer.kind in ("down", "cell", "up")
        },
    )


def _draw(operators: Operators, index: int, own: Plan) -> dict[str, Tensor]:
    """The weights of all layers, in the order of use; those of mixing are complex."""
    basis, drawn = layers(widest(operators)), {}
    for name, layer in layers(own).items():
        he = weights.draw(operators, index, f"u_afno/{name}", layer.shape, basis[name].shape)
        weight = he * layer.gain
        drawn[name] = _complex(weight, own.group) if layer.kind == "mixing" else weight
    return drawn


def _complex(
    weight: Float[Tensor, "width twice_group 1 1"], group: int
) -> Complex[Tensor, "groups in out"]:
    """The mixing matrices of consecutive groups of channels."""
    pairs = weight.reshape(-1, group, group, 2)  # group, out, in, (real, imaginary)
    return torch.view_as_complex(pairs).transpose(1, 2).contiguous()


def _block(theta: Theta, layer: Layer, weight: Float[Tensor, "out in k k"]) -> ConvBlock:
    return ConvBlock(
        weight=weight,
        normalize=NORMALIZATIONS[theta.normalization],
        activate=ACTIVATIONS[theta.activation],
        residual=layer.kind == "residual",
    )


def _prepared(kind: Kind, weight: Float[Tensor, "out in k k"], precision: Precision) -> Convolution:
    convolve = Direct.of(weight, precision, stride=2 if kind == "down" else 1)
    return (lambda x: interpolated(convolve(x))) if kind == "up" else convolve


def _plain(kind: Kind, weight: Float[Tensor, "out in k k"]) -> Convolution:
    """The same from torch's own operations."""
    if kind == "down":
        return lambda x: functional.conv2d(_wrapped(x), weight, stride=2)
    if kind == "up":
        return lambda x: _doubled(_wrapped(functional.conv2d(x, weight)))
    return lambda x: functional.conv2d(x, weight)


def _wrapped(x: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C padded_H padded_W"]:
    return functional.pad(x, (1,) * 4, mode="circular")


def _doubled(
    padded: Float[Tensor, "R C padded_H padded_W"],
) -> Float[Tensor, "R C twice_H twice_W"]:
    return functional.interpolate(padded, scale_factor=2, mode="bilinear")[..., 2:-2, 2:-2]


def interpolated(x: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C twice_H twice_W"]:
    """Bilinear interpolation of square periodic fields to twice the grid, channels last.

    A product with a small matrix along each axis is up to four times faster than torch's own.
    """
    matrix = doubling(x.shape[-1], x.device)
    along_y = matrix @ x.permute(0, 2, 3, 1).flatten(2)
    return (matrix @ along_y.unflatten(2, (x.shape[-1], -1))).permute(0, 3, 1, 2)


@cache
def doubling(size: int, device: torch.device) -> Float[Tensor, "twice size"]:
    """Values at x ± 1/4 from those at x, linearly."""
    near, before, after = (torch.eye(size).roll(shift, 1) for shift in (0, -1, 1))
    rows = 0.75 * near + 0.25 * before, 0.75 * near + 0.25 * after
    return torch.stack(rows, 1).flatten(0, 1).to(device)
