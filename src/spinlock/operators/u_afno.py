"""A U-shaped network with adaptive Fourier mixing at its bottleneck, periodic throughout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spinlock.operators import spectral, u_shape
from spinlock.operators.conditioned import Conv, Norm
from spinlock.operators.periodic import drop_channels, upsample
from spinlock.refusals import Refusal

Weights = Mapping[nn.Module, Tensor]  # what an embedding makes of each layer; see `UAFNO.condition`


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The sizes of a `UAFNO`."""

    in_channels: int
    out_channels: int
    base_channels: int  # width at full resolution
    stem_kernel: int
    block_kernel: int  # of the blocks at full resolution
    dilations: tuple[int, ...]  # of those before the first stride: local maps are learnt there
    encoder_levels: int
    blocks_per_level: int  # of the deeper levels and of the decoder
    afno_blocks: int
    modes: int
    mixing_groups: int
    kernels: int  # kernels of a convolution at full resolution, mixed by the embedding
    embedding_dim: int  # 0: no conditioning
    dropout: float

    def width(self, level: int) -> int:
        """Channels at a level; level `encoder_levels` is the bottleneck."""
        return u_shape.width(self.base_channels, level)

    @property
    def receptive_field(self) -> int:
        """Side, in cells, of the square that a cell sees before the first stride."""
        return self.stem_kernel + (self.block_kernel - 1) * sum(self.dilations)


class Block(nn.Module):
    """Residual block: x + conv(gelu(norm(x))), with dropout of whole channels."""

    def __init__(self, level: int, dilation: int, shape: Shape) -> None:
        super().__init__()
        width, full = shape.width(level), level == 0
        self.norm = Norm(width, shape.embedding_dim)
        self.conv = Conv(
            width,
            width,
            shape.block_kernel if full else 3,
            dilation=dilation,
            kernels=shape.kernels if full else 1,
            embedding_dim=shape.embedding_dim,
        )
        self.dropout = shape.dropout

    def forward(
        self, x: Float[Tensor, "n C H W"], weights: Weights, generator: torch.Generator | None
    ) -> Float[Tensor, "n C H W"]:
        """Apply to fields; drop channels if there is a generator."""
        h = F.gelu(self.norm(x, weights[self.norm]))
        h = self.conv(h, weights[self.conv])
        return x + drop_channels(h, self.dropout, generator)


class Blocks(nn.ModuleList):
    """Blocks of one level, one after the other."""

    def forward(
        self, x: Float[Tensor, "n C H W"], weights: Weights, generator: torch.Generator | None
    ) -> Float[Tensor, "n C H W"]:
        """Apply to fields."""
        for block in self:
            x = block(x, weights, generator)
        return x


class AFNOBlock(nn.Module):
    r"""Adaptive Fourier neural operator block (Guibas et al. 2022), residual.

    $x \leftarrow x + F^{-1} W_2\, g(W_1 F x)$ (see `spectral.mix`), then
    $x \leftarrow x + \mathrm{MLP}(x)$.
    """

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.modes = shape.modes
        self.norm = Norm(width, shape.embedding_dim)
        block = width // shape.mixing_groups
        size = (2, shape.mixing_groups, block, block, 2)  # layer, group, in, out, (real, imaginary)
        self.mixing = nn.Parameter(torch.randn(size) * (2 * block) ** -0.5)
        self.mlp_norm = Norm(width, shape.embedding_dim)
        self.expand = Conv(width, 2 * width, 1)
        self.contract = Conv(2 * width, width, 1)

    def forward(self, x: Float[Tensor, "n C H W"], weights: Weights) -> Float[Tensor, "n C H W"]:
        """Apply to fields."""
        x = x + self._mix(self.norm(x, weights[self.norm]))
        h = self.expand(self.mlp_norm(x, weights[self.mlp_norm]), weights[self.expand])
        return x + self.contract(F.gelu(h), weights[self.contract])

    def _mix(self, x: Tensor) -> Tensor:
        first, second = torch.view_as_complex(self.mixing)
        return spectral.mix(x.float(), first, second, self.modes).to(x.dtype)


class UAFNO(nn.Module):
    """Map periodic fields [n, in_channels, H, W] to [n, out_channels, H, W].

    Stem; residual blocks at full resolution; `encoder_levels` levels that end with a skip and a
    stride of 2; AFNO blocks; a decoder that interpolates bilinearly and adds the skips; 1×1
    output. It commutes with translations by multiples of 2^encoder_levels cells. The last
    normalization bounds the output, whatever the input.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        levels, width = range(shape.encoder_levels), shape.width
        dilations = (shape.dilations, *((1,) * shape.blocks_per_level for _ in levels[1:]))
        mixed = {"kernels": shape.kernels, "embedding_dim": shape.embedding_dim}
        self.stem = Conv(shape.in_channels, width(0), shape.stem_kernel, **mixed)
        self.encoder = nn.ModuleList(
            Blocks(Block(level, d, shape) for d in dilations[level]) for level in levels
        )
        self.down = nn.ModuleList(Conv(width(i), width(i + 1), 3, stride=2) for i in levels)
        self.afno = nn.ModuleList(
            AFNOBlock(width(shape.encoder_levels), shape) for _ in range(shape.afno_blocks)
        )
        self.up = nn.ModuleList(Conv(width(i + 1), width(i), 1) for i in reversed(levels))
        self.decoder = nn.ModuleList(
            Blocks(Block(level, 1, shape) for _ in range(shape.blocks_per_level))
            for level in reversed(levels)
        )
        self.norm = Norm(width(0), shape.embedding_dim)
        self.output = Conv(width(0), shape.out_channels, 1, **mixed)

    def condition(self, embedding: Float[Tensor, "n embedding"] | None = None) -> Weights:
        """The weights of every layer; they depend on the embedding alone."""
        layers = (layer for layer in self.modules() if isinstance(layer, Norm | Conv))
        return {layer: layer.condition(embedding) for layer in layers}

    def forward(
        self,
        x: Float[Tensor, "n channels H W"],
        weights: Weights,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n out H W"]:
        """Apply to fields.

        Args:
            x: periodic fields.
            weights: from `condition`.
            generator: source of dropout; none, no dropout.

        Raises:
            Refusal: the encoder levels do not divide the grid.
        """
        skips, x = self._encode(x, weights, generator)
        for up, blocks, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = blocks(skip + upsample(up(x, weights[up])), weights, generator)
        x = F.gelu(self.norm(x, weights[self.norm]))
        return self.output(x, weights[self.output])

    def _encode(
        self, x: Tensor, weights: Weights, generator: torch.Generator | None
    ) -> tuple[list[Tensor], Tensor]:
        """Skips of the levels, finest first, and the bottleneck."""
        check_grid(self.shape.encoder_levels, *x.shape[-2:])
        x, skips = self.stem(x, weights[self.stem]), []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            skips.append(blocks(x, weights, generator))
            x = down(skips[-1], weights[down])
        for block in self.afno:
            x = block(x, weights)
        return skips, x

    def intermediate_features(
        self,
        x: Float[Tensor, "n channels H W"],
        weights: Weights,
        extract_from: u_shape.Place,
        skip_levels: Sequence[int] | None = None,
    ) -> dict[str, Tensor]:
        """What the network sees inside, without dropout; see `u_shape.features`."""
        return u_shape.features(*self._encode(x, weights, None), extract_from, skip_levels)


def check_grid(encoder_levels: int, *sides: int) -> None:
    """Refuse a grid whose sides the encoder levels do not divide."""
    for side in sides:
        if side % 2**encoder_levels:
            raise Refusal(
                f"grid_size: {encoder_levels} encoder levels need a multiple of "
                f"{2**encoder_levels}, got {side}"
            )
