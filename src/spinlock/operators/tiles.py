r"""Convolution of a periodic field by products of Fourier modes, tile by tile.

The grid is cut into tiles of `core` cells a side; with the margin that a k×k kernel sees, each is
`extent` = core + k - 1 cells wide. A discrete Fourier transform of that length turns the
convolution of a tile into products of modes, and the `core`² wanted cells are free of its
wrapping (overlap-save, Stockham 1966). Directly, 7×7 kernels take 49 multiplications per cell and
pair of channels; in this way 5, and the rounding error is smaller.

All transforms are products with small matrices: along x a real field becomes the half spectrum of
cosine and sine parts, along y complex numbers become complex numbers. The products of modes are
one batch of real matrices [[Re, Im], [-Im, Re]], one a mode.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

EXTENT = 19  # cells; longer transforms take fewer products, but more memory for the kernels


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a grid is cut for a kernel."""

    grid_size: int
    kernel_size: int
    count: int  # tiles along an axis; the last may reach beyond the grid
    core: int  # cells along an axis that a tile computes

    @classmethod
    def of(cls, grid_size: int, kernel_size: int) -> "Tiling":
        """The fewest tiles whose extent is at most `EXTENT`, or twice that of a larger kernel."""
        largest = max(EXTENT, 2 * kernel_size) - kernel_size + 1
        count = math.ceil(grid_size / largest)
        return cls(grid_size, kernel_size, count, math.ceil(grid_size / count))

    @property
    def extent(self) -> int:
        """Cells along an axis that a tile sees."""
        return self.core + self.kernel_size - 1

    @property
    def half(self) -> int:
        """Wavenumbers of the half spectrum."""
        return self.extent // 2 + 1

    @property
    def products(self) -> float:
        """Real multiplications per cell of the grid and pair of channels."""
        return 4 * self.extent * self.half * (self.count / self.grid_size) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Transforms:
    """Matrices of the transforms of one axis; `part` is (real, imaginary)."""

    along_x: Float[Tensor, "part*half extent"]
    along_y: Float[Tensor, "extent*part extent*part"]
    back_y: Float[Tensor, "core*part extent*part"]
    back_x: Float[Tensor, "core part*half"]


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """A convolution in Fourier space, with its kernels transformed."""

    tiling: Tiling
    transforms: Transforms
    kernels: Float[Tensor, "extent*half 2*in 2*out"]

    @classmethod
    def of(cls, weight: Float[Tensor, "out in k k"], grid_size: int, dtype: torch.dtype) -> "Tiles":
        """Transform the kernels."""
        tiling = Tiling.of(grid_size, weight.shape[-1])
        return cls(tiling, transforms(tiling), transformed(weight, tiling, dtype))

    def __call__(self, x: Float[Tensor, "R in H W"]) -> Float[Tensor, "R out H W"]:
        """Convolve fields."""
        modes = self._modes(cut(x, self.tiling))
        return self._cells(torch.bmm(modes, self.kernels), len(x))

    def _modes(self, cells: Float[Tensor, "y x rows in"]) -> Float[Tensor, "modes rows 2*in"]:
        """Transform tiles; the rows of a mode are the tiles of all realizations."""
        extent, half, (_, _, rows, channels) = self.tiling.extent, self.tiling.half, cells.shape
        along_x = torch.matmul(self.transforms.along_x, cells.flatten(2))
        along_y = self.transforms.along_y @ along_x.reshape(2 * extent, -1)
        parts = along_y.view(extent, 2, half, rows, channels).permute(0, 2, 3, 1, 4)
        laid_out = torch.empty(parts.shape, dtype=self.kernels.dtype).copy_(parts)
        return laid_out.view(extent * half, rows, 2 * channels)

    def _cells(
        self, modes: Float[Tensor, "modes rows 2*out"], realizations: int
    ) -> Float[Tensor, "R out H W"]:
        """Transform back, and put the tiles together."""
        size, core, count = self.tiling.grid_size, self.tiling.core, self.tiling.count
        extent, half, rows = self.tiling.extent, self.tiling.half, modes.shape[1]
        parts = modes.view(extent, half, rows, 2, -1).permute(0, 3, 1, 2, 4)
        laid_out = torch.empty(parts.shape).copy_(parts)
        back_y = self.transforms.back_y @ laid_out.view(2 * extent, -1)
        cells = torch.matmul(self.transforms.back_x, back_y.view(core, 2 * half, -1))
        tiles = cells.view(core, core, count, count, realizations, -1).permute(4, 2, 0, 3, 1, 5)
        whole = tiles.reshape(realizations, count * core, count * core, -1)
        return whole[:, :size, :size].contiguous().permute(0, 3, 1, 2)


def cut(x: Float[Tensor, "R C H W"], tiling: Tiling) -> Float[Tensor, "extent extent rows C"]:
    """Overlapping tiles, cell by cell; a row is (tile along y, tile along x, realization)."""
    before, reach = tiling.kernel_size // 2, tiling.count * tiling.core + tiling.kernel_size - 1
    padded = continued(x, before, reach - before - tiling.grid_size, torch.float32)
    of_realization, of_channel, of_y, of_x = padded.stride()
    count, core, extent = tiling.count, tiling.core, tiling.extent
    tiles = padded.as_strided(
        (extent, extent, count, count, len(x), x.shape[1]),
        (of_y, of_x, core * of_y, core * of_x, of_realization, of_channel),
    )
    return tiles.reshape(extent, extent, -1, x.shape[1])


def continued(
    x: Float[Tensor, "R C H W"], before: int, after: int, dtype: torch.dtype
) -> Float[Tensor, "R C padded_H padded_W"]:
    """A square periodic field continued on both sides of each axis, channels last."""
    (realizations, channels, size, _), end = x.shape, before + x.shape[-1]
    side = end + after
    padded = torch.empty(
        (realizations, channels, side, side), dtype=dtype, memory_format=torch.channels_last
    )
    rows = padded[:, :, before:end]
    rows[..., before:end] = x
    rows[..., :before] = rows[..., size:end]
    rows[..., end:] = rows[..., before : before + after]
    padded[:, :, :before] = padded[:, :, size:end]
    padded[:, :, end:] = padded[:, :, before : before + after]
    return padded


@lru_cache(maxsize=32)
def transforms(tiling: Tiling) -> Transforms:
    r"""The matrices of $\hat u_k = \sum_x u_x e^{-2 \pi i k x / n}$ and of its inverse."""
    extent, half, core = tiling.extent, tiling.half, tiling.core
    cos, sin = waves(extent, extent)
    halves = torch.full((half,), 2 / extent, dtype=torch.float64)  # k stands for -k too, but …
    halves[0] = 1 / extent
    if extent % 2 == 0:
        halves[-1] = 1 / extent
    return Transforms(
        along_x=torch.cat([cos[:half], -sin[:half]]).float(),
        along_y=complex_matrix(cos, -sin).float(),
        back_y=complex_matrix(cos[:core], sin[:core]).float() / extent,
        back_x=torch.cat([cos[:core, :half] * halves, -sin[:core, :half] * halves], 1).float(),
    )


def waves(count: int, extent: int) -> tuple[Tensor, Tensor]:
    r"""$\cos$ and $\sin$ of $2 \pi k x / n$, [k, x] in float64."""
    phase = torch.outer(torch.arange(count), torch.arange(extent)) % extent
    angle = phase.double() * (2 * math.pi / extent)
    return angle.cos(), angle.sin()


def complex_matrix(
    real: Float[Tensor, "m n"], imaginary: Float[Tensor, "m n"]
) -> Float[Tensor, "m*part n*part"]:
    """The real matrix that multiplies (real, imaginary) pairs as a complex one would."""
    rows = torch.stack([real, -imaginary], -1), torch.stack([imaginary, real], -1)
    return torch.stack(rows, 1).flatten(2).flatten(0, 1)


def transformed(
    weight: Float[Tensor, "out in k k"], tiling: Tiling, dtype: torch.dtype
) -> Float[Tensor, "extent*half 2*in 2*out"]:
    r"""Kernels as matrices of the modes: $\hat w_k = \sum_j w_j e^{+2 \pi i k j / n}$.

    The sign is that of a correlation, which is what networks call a convolution.
    """
    out, into, size, _ = weight.shape
    cos, sin = (wave[:, :size] for wave in waves(tiling.extent, tiling.extent))
    half = slice(0, tiling.half)
    real = product(cos, cos[half]) - product(sin, sin[half])
    imaginary = product(sin, cos[half]) + product(cos, sin[half])
    flat = weight.permute(2, 3, 1, 0).reshape(size**2, into * out)
    kernels = torch.empty(len(real), 2, into, 2, out, dtype=dtype)
    kernels[:, 0, :, 0] = kernels[:, 1, :, 1] = (real.float() @ flat).view(-1, into, out)
    kernels[:, 0, :, 1] = (imaginary.float() @ flat).view(-1, into, out)
    torch.neg(kernels[:, 0, :, 1], out=kernels[:, 1, :, 0])
    return kernels.view(-1, 2 * into, 2 * out)


def product(along_y: Float[Tensor, "g k"], along_x: Float[Tensor, "f k"]) -> Tensor:
    """Waves in the plane, [g·f, k·k]."""
    return torch.einsum("gy,fx->gfyx", along_y, along_x).flatten(2).flatten(0, 1)
