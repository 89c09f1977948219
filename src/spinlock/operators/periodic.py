"""Padding and interpolation on the periodic square, cheap to differentiate on a CPU."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class _Wrap(torch.autograd.Function):
    """Periodic padding; its adjoint adds the margins to the points that they repeat.

    The gradient that `F.pad(mode="circular")` builds copies the field once for each of its eight
    margins: it costs as much as a small convolution, five times more than this.
    """

    @staticmethod
    def forward(ctx, field: Tensor, margin: int) -> Tensor:
        ctx.margin = margin
        return F.pad(field, (margin,) * 4, mode="circular")

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        m = ctx.margin
        rows = gradient[..., m:-m, :].clone()
        rows[..., :m, :] += gradient[..., -m:, :]
        rows[..., -m:, :] += gradient[..., :m, :]
        field = rows[..., m:-m].clone()
        field[..., :m] += rows[..., -m:]
        field[..., -m:] += rows[..., :m]
        return field, None


def wrap(
    field: Float[Tensor, "n channels H W"], margin: int
) -> Float[Tensor, "n channels padded_H padded_W"]:
    """Continue a field periodically by `margin` points on each side, at most the grid's size."""
    return _Wrap.apply(field, margin) if margin else field


def upsample(x: Float[Tensor, "n channels H W"]) -> Float[Tensor, "n channels twice_H twice_W"]:
    """Bilinear interpolation to twice the grid, across the seam as everywhere else."""
    doubled = F.interpolate(wrap(x, 1), scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., 2:-2, 2:-2]


def drop_channels(
    x: Float[Tensor, "n channels H W"], rate: float, generator: torch.Generator | None
) -> Float[Tensor, "n channels H W"]:
    """Set whole channels to 0 with probability `rate` and rescale the rest; none, no dropout."""
    if generator is None or not rate:
        return x
    kept = torch.rand(x.shape[:2], generator=generator) >= rate
    return x * (kept / (1 - rate))[..., None, None]
