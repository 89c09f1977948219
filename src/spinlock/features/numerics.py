"""Square roots, means and slopes that stay finite, with their gradients, where a value does not."""

import math
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

RESOLUTION = 1e-6  # relative; a smaller deviation of a float32 field is rounding
NOISE = 1e-11  # as a share of power, with a margin: added to the argument of a logarithm of power
FLAT = NOISE * (2 * math.pi) ** 2  # of a mean square gradient of 4π² or more: that of rounding


def root(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """√x; 0 with gradient 0, not infinity, where x ≤ 0; NaN of NaN."""
    if not x.requires_grad:
        return x.clamp(min=0).sqrt()
    empty = x <= 0
    return torch.where(empty, 0, torch.where(empty, 1, x).sqrt())


def mean_where(
    values: Float[Tensor, "*n M D"], exists: Bool[Tensor, "*n M D"]
) -> Float[Tensor, "*n D"]:
    """Mean over the second last axis of the values that exist; NaN where none does.

    Other than `nanmean`, it sends no NaN back where the mean does not exist.
    """
    count = exists.sum(-2)
    total = torch.where(exists, values, 0).sum(-2)
    return torch.where(count > 0, total / count.clamp(min=1), torch.nan)


def deviation(x: Float[Tensor, "*n T"]) -> Float[Tensor, "*n T"]:
    """x − mean(x) along the last axis."""
    return x - x.mean(-1, keepdim=True)


def variance(x: Float[Tensor, "*n T"]) -> Float[Tensor, "*n"]:
    """Mean square of the deviation along the last axis (not corrected for its mean)."""
    return deviation(x).square().mean(-1)


def spread(x: Float[Tensor, "*n T"]) -> Float[Tensor, "*n"]:
    """Standard deviation along the last axis, √variance; its gradient is 0 where it is 0."""
    return torch.linalg.vector_norm(deviation(x), dim=-1) * x.shape[-1] ** -0.5


def slope(y: Float[Tensor, "*n T"], x: Float[Tensor, "T"]) -> Float[Tensor, "*n"]:
    """Least-squares slope of y on x along the last axis."""
    x = deviation(x)
    return (y * x).sum(-1) / x.square().sum()


@lru_cache(maxsize=64)
def trend(steps: int, device: torch.device) -> Float64[Tensor, "T"]:
    """Weights of the values 1 … T of a series, whose weighted sum is its slope per step."""
    time = deviation(torch.arange(steps, dtype=torch.float64, device=device))
    return time / time.square().sum()


def median(x: Float[Tensor, "*n T"]) -> Float[Tensor, "*n"]:
    """Middle of the sorted values, the mean of two for even T."""
    ascending, size = x.sort(-1).values, x.shape[-1]
    return (ascending[..., (size - 1) // 2] + ascending[..., size // 2]) / 2
