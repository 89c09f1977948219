"""A U-shaped network with adaptive Fourier mixing at its bottleneck, periodic throughout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spinlock.operators.periodic import Conv, drop_channels, upsample
from spinlock.refusals import Refusal

MAX_WIDENING = 8  # widths double from level to level up to this multiple of the base
NORM_EPSILON = 1e-5

Modulation = tuple[Float[Tensor, "n pair width 1 1"], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The sizes of a `UAFNO`.

    `kernel_size` and `dilations` are those of the stem and of the blocks at full resolution
    (one 3x3 block each), before the first stride: local maps are learnt there.
    """

    in_channels: int
    out_channels: int
    base_channels: int
    kernel_size: int
    dilations: tuple[int, ...]
    encoder_levels: int
    blocks_per_level: int
    afno_blocks: int
    modes: int
    mixing_groups: int
    embedding_dim: int  # 0: no conditioning
    dropout: float

    def width(self, level: int) -> int:
        """Channels at a level; level `encoder_levels` is the bottleneck."""
        return self.base_channels * min(2**level, MAX_WIDENING)

    @property
    def receptive_field(self) -> int:
        """Side, in grid points, of the square that a point sees before the first stride."""
        return self.kernel_size + 2 * sum(self.dilations)


class Norm(nn.Module):
    """Normalize each channel over space, then scale and shift it (adaptively, or by parameters).

    Adaptive: FiLM, Perez et al. 2018; y = (1 + s) x̂ + b with (s, b) a linear map of the embedding.
    """

    def __init__(self, width: int, embedding_dim: int) -> None:
        super().__init__()
        self.width = width
        if embedding_dim:
            self.film = nn.Linear(embedding_dim, 2 * width)
            nn.init.normal_(self.film.weight, std=0.1 * embedding_dim**-0.5)
            nn.init.zeros_(self.film.bias)
        else:
            self.affine = nn.Parameter(torch.zeros(1, 2 * width))

    def modulation(
        self, embedding: Float[Tensor, "n embedding"] | None
    ) -> Float[Tensor, "n pair width 1 1"]:
        """Scale and shift; they depend on the embedding alone, so a rollout computes them once."""
        pair = self.affine if embedding is None else self.film(embedding)
        return pair.reshape(-1, 2, self.width, 1, 1)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Apply to x [n, width, h, w]."""
        scale, shift = modulation.unbind(1)
        # group_norm with one channel a group is instance_norm, several times faster on the CPU
        return torch.addcmul(shift, F.group_norm(x, self.width, eps=NORM_EPSILON), 1 + scale)


class Block(nn.Module):
    """Residual block: x + conv(gelu(norm(x))); dropout of whole channels before the sum."""

    def __init__(self, width: int, dilation: int, shape: Shape) -> None:
        super().__init__()
        self.norm = Norm(width, shape.embedding_dim)
        self.conv = Conv(width, width, 3, dilation=dilation)
        self.dropout = shape.dropout

    def forward(self, x: Tensor, modulation: Tensor, generator: torch.Generator | None) -> Tensor:
        """Apply to x [n, width, h, w]; drop channels if a generator is given."""
        h = self.conv(F.gelu(self.norm(x, modulation)))
        return x + drop_channels(h, self.dropout, generator)


class AFNOBlock(nn.Module):
    r"""Adaptive Fourier neural operator block (Guibas et al. 2022) with residuals.

    $x \leftarrow x + F^{-1} W_2\, g(W_1 F x)$, $x \leftarrow x + \mathrm{MLP}(x)$. W₁ and W₂ are
    complex, block-diagonal over channels and shared by the retained modes (|k| ≤ `modes` in both
    directions, both signs of the row wavenumber). The shrinkage $g(z) = z |z|^2 / (1 + |z|^2)$
    acts on the modulus: one that acts on real and imaginary parts would tell apart two fields
    that differ by a translation.
    """

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.modes, self.groups = shape.modes, shape.mixing_groups
        self.norm = Norm(width, shape.embedding_dim)
        block = width // self.groups
        size = (2, self.groups, block, block, 2)  # layer, group, in, out, (real, imaginary)
        self.mixing = nn.Parameter(torch.randn(size) * (2 * block) ** -0.5)
        self.mlp_norm = Norm(width, shape.embedding_dim)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.contract = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor, modulation: Tensor, mlp_modulation: Tensor) -> Tensor:
        """Apply to x [n, width, h, w]."""
        x = x + self._mix(self.norm(x, modulation))
        return x + self.contract(F.gelu(self.expand(self.mlp_norm(x, mlp_modulation))))

    def _mix(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        modes = torch.fft.rfft2(x, norm="ortho")
        rows = (torch.fft.fftfreq(height, 1 / height).abs() <= self.modes).nonzero()[:, 0]
        columns = min(self.modes, width // 2) + 1
        z = modes[:, :, rows, :columns].unflatten(1, (self.groups, -1))
        first, second = torch.view_as_complex(self.mixing)
        z = torch.einsum("ngihw,gio->ngohw", z, first)
        power = z.real.square() + z.imag.square()
        z = torch.einsum("ngihw,gio->ngohw", z * (power / (1 + power)), second).flatten(1, 2)
        mixed = torch.zeros_like(modes)
        mixed[:, :, rows, :columns] = z
        return torch.fft.irfft2(mixed, s=(height, width), norm="ortho")


class UAFNO(nn.Module):
    """Map a periodic field [n, in_channels, H, W] to [n, out_channels, H, W].

    Stem; residual blocks at full resolution; `encoder_levels` levels, each ending with a skip and
    a stride of 2; AFNO blocks; a decoder that upsamples bilinearly and adds the skips; 1x1 output.
    It commutes with translations by multiples of 2^encoder_levels grid points. The last
    normalization bounds the output whatever the input.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        levels, width = range(shape.encoder_levels), shape.width
        dilations = (shape.dilations, *((1,) * shape.blocks_per_level for _ in levels[1:]))
        self.stem = Conv(shape.in_channels, width(0), shape.kernel_size)
        self.encoder = nn.ModuleList(
            nn.ModuleList(Block(width(i), d, shape) for d in dilations[i]) for i in levels
        )
        self.down = nn.ModuleList(Conv(width(i), width(i + 1), 3, stride=2) for i in levels)
        self.afno = nn.ModuleList(
            AFNOBlock(width(shape.encoder_levels), shape) for _ in range(shape.afno_blocks)
        )
        self.up = nn.ModuleList(nn.Conv2d(width(i + 1), width(i), 1) for i in reversed(levels))
        self.decoder = nn.ModuleList(
            nn.ModuleList(Block(width(i), 1, shape) for _ in range(shape.blocks_per_level))
            for i in reversed(levels)
        )
        self.norm = Norm(width(0), shape.embedding_dim)
        self.output = nn.Conv2d(width(0), shape.out_channels, 1)

    def modulate(self, embedding: Float[Tensor, "n embedding"] | None = None) -> Modulation:
        """Scale and shift of every normalization, in the order of use (that of registration)."""
        norms = (module for module in self.modules() if isinstance(module, Norm))
        return tuple(norm.modulation(embedding) for norm in norms)

    def forward(
        self,
        x: Float[Tensor, "n channels H W"],
        modulation: Modulation,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n out H W"]:
        """Apply to fields x.

        Args:
            x: periodic fields.
            modulation: from `modulate`.
            generator: source of dropout; none, no dropout.

        Raises:
            Refusal: the encoder levels do not divide the grid.
        """
        modulations = iter(modulation)
        skips, x = self._encode(x, modulations, generator)
        for up, blocks, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = skip + upsample(up(x))
            for block in blocks:
                x = block(x, next(modulations), generator)
        return self.output(F.gelu(self.norm(x, next(modulations))))

    def _encode(
        self, x: Tensor, modulations: Iterator[Tensor], generator: torch.Generator | None
    ) -> tuple[list[Tensor], Tensor]:
        """Skips of the levels, finest first, and the bottleneck."""
        check_grid(self.shape.encoder_levels, *x.shape[-2:])
        x, skips = self.stem(x), []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            for block in blocks:
                x = block(x, next(modulations), generator)
            skips.append(x)
            x = down(x)
        for block in self.afno:
            x = block(x, next(modulations), next(modulations))
        return skips, x

    def intermediate_features(
        self,
        x: Float[Tensor, "n channels H W"],
        modulation: Modulation,
        extract_from: Literal["bottleneck", "skips", "all"],
        skip_levels: Sequence[int] | None = None,
    ) -> dict[str, Tensor]:
        """What the network sees inside: `bottleneck` and `skip_0`, `skip_1` … (finest first).

        Args:
            x: periodic fields.
            modulation: from `modulate`.
            extract_from: the bottleneck, the skips, or all of them.
            skip_levels: levels whose skips are wanted; all by default.

        Raises:
            ValueError: a level that does not exist.
        """
        levels = range(self.shape.encoder_levels) if skip_levels is None else skip_levels
        if not set(levels) <= set(range(self.shape.encoder_levels)):
            raise ValueError(f"skip_levels: 0..{self.shape.encoder_levels - 1}, got {levels}")
        skips, bottleneck = self._encode(x, iter(modulation), None)
        features = {} if extract_from == "skips" else {"bottleneck": bottleneck}
        if extract_from != "bottleneck":
            features |= {f"skip_{level}": skips[level] for level in levels}
        return features


def check_grid(encoder_levels: int, *sides: int) -> None:
    """Refuse a grid whose sides the encoder levels do not divide."""
    for side in sides:
        if side % 2**encoder_levels:
            raise Refusal(
                f"grid_size: {encoder_levels} encoder levels need a multiple of "
                f"{2**encoder_levels}, got {side}"
            )
