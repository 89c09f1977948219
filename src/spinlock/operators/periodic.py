"""Convolution and upsampling on the periodic square, made to be cheap to train on a CPU."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class _Wrap(torch.autograd.Function):
    """Periodic padding; its adjoint adds the margins to the points that they repeat.

    The gradient that `F.pad(mode="circular")` builds copies the field once for each of its eight
    margins: more than half the time of a small convolution.
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
    """Continue a field periodically by `margin` points on each side (at most the grid's size)."""
    return _Wrap.apply(field, margin) if margin else field


class Conv(nn.Conv2d):
    """Convolution with an odd kernel and periodic margins; the grid stays (over the stride).

    A kernel wider than the domain would need the field more than once: it is refused by `wrap`.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel_size: int, dilation: int = 1, stride: int = 1
    ) -> None:
        super().__init__(channels_in, channels_out, kernel_size, dilation=dilation, stride=stride)
        self.margin = dilation * (kernel_size // 2)

    def forward(self, x: Float[Tensor, "n channels H W"]) -> Tensor:
        """Apply to x [n, channels_in, H, W]; [n, channels_out, H / stride, W / stride]."""
        return super().forward(wrap(x, self.margin))


def upsample(x: Float[Tensor, "n channels H W"]) -> Float[Tensor, "n channels twice_H twice_W"]:
    """Bilinear interpolation to twice the grid, across the seam as everywhere else."""
    doubled = F.interpolate(wrap(x, 1), scale_factor=2, mode="bilinear", align_corners=False)
    return doubled[..., 2:-2, 2:-2]


def drop_channels(
    x: Float[Tensor, "n channels H W"], rate: float, generator: torch.Generator | None
) -> Float[Tensor, "n channels H W"]:
    """Set whole channels to zero with probability `rate` and rescale the others; none without generator."""
    if generator is None or not rate:
        return x
    kept = torch.rand(x.shape[:2], generator=generator) >= rate
    return x * (kept / (1 - rate))[..., None, None]
