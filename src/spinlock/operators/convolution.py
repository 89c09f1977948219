r"""Periodic convolution on the square, prepared once and applied at every step.

Two algorithms give the same to rounding: cell by cell, and by `tiles` in Fourier space. Which one
is a fixed rule of the shape, because their last bits differ: if measured time chose, results would
depend on what else the machine did. Fields are laid out channels last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spinlock.operators.tiles import Tiles, Tiling, continued

Precision = Literal["float32", "bfloat16"]  # of both factors in the products of convolutions
Convolution = Callable[[Float[Tensor, "R in H W"]], Float[Tensor, "R out h w"]]

DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# What transforming one channel costs per cell, in multiplications of a direct convolution.
# Measured on a processor where one in bfloat16 takes half the time of one in float32.
TRANSFORM: dict[Precision, float] = {"float32": 450.0, "bfloat16": 900.0}


def periodic(
    weight: Float[Tensor, "out in k k"], grid_size: int, precision: Precision
) -> Convolution:
    """The convolution of periodic fields, float32 → float32, with some odd kernels.

    Transformed kernels are large; they are made when first used.
    """

    @cache
    def made() -> Convolution:
        if in_fourier_space(weight.shape, grid_size, precision):
            return Tiles.of(weight, grid_size, DTYPES[precision])
        return Direct.of(weight, precision)

    def convolve(x: Float[Tensor, "R in H W"]) -> Float[Tensor, "R out H W"]:
        return made()(x)

    return convolve


def in_fourier_space(shape: tuple[int, ...], grid_size: int, precision: Precision) -> bool:
    r"""Whether tiles are the faster way.

    Per cell and pair of channels a direct convolution takes $k^2$ multiplications and tiles take
    `products`; to that they add `TRANSFORM` per cell and channel.
    """
    out, into, size, _ = shape
    saved = size**2 - Tiling.of(grid_size, size).products
    return saved * out * into > TRANSFORM[precision] * (out + into)


@dataclass(frozen=True, slots=True, eq=False)
class Direct:
    """A convolution cell by cell."""

    weight: Float[Tensor, "out in k k"]
    stride: int

    @classmethod
    def of(
        cls, weight: Float[Tensor, "out in k k"], precision: Precision, stride: int = 1
    ) -> "Direct":
        """Lay out the weights."""
        return cls(laid_out(weight, DTYPES[precision]), stride)

    def __call__(self, x: Float[Tensor, "R in H W"]) -> Float[Tensor, "R out h w"]:
        """Convolve fields; the grid shrinks by the stride."""
        margin, dtype = self.weight.shape[-1] // 2, self.weight.dtype
        padded = continued(x, margin, margin, dtype) if margin else laid_out(x, dtype)
        return functional.conv2d(padded, self.weight, stride=self.stride).float()


def laid_out(x: Float[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """The same in memory as convolutions want it."""
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def plain(
    x: Float[Tensor, "R in H W"], weight: Float[Tensor, "out in k k"]
) -> Float[Tensor, "R out H W"]:
    """The same from torch's own operations: differentiable, and batched over weights by vmap."""
    margin = weight.shape[-1] // 2
    padded = functional.pad(x, (margin,) * 4, mode="circular") if margin else x
    return functional.conv2d(padded, weight)
