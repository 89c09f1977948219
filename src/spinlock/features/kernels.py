"""Loops over fields that NumPy runs several times as fast as torch on a CPU, with their gradients.

The same loop runs whether a gradient is asked for or not, so that asking changes no bit; and it
runs row by row (matrix by matrix), so that nothing depends on the batch.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def dot(x: Float[Tensor, "*n M"], y: Float[Tensor, "*m M"]) -> Float[Tensor, "*n"]:
    """Σ x y along the last axis: one pass, no product in memory.

    Args:
        x: one operand.
        y: the other, of the same shape, or [M] without a gradient.
    """
    return _Dot.apply(x, y) if _watched(x, y) else _dot(x, y)


def log(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Natural logarithm, to four units in the last place."""
    return _Log.apply(x) if _watched(x) else _log(x)


def sums(x: Float[Tensor, "*n M"], starts: tuple[int, ...]) -> Float[Tensor, "*n S"]:
    """Sums over consecutive stretches of the last axis, of which each begins where the last ends.

    Args:
        x: terms.
        starts: places of the first terms, in ascending order, the first 0.
    """
    return _Sums.apply(x, starts) if _watched(x) else _sums(x, starts)


def product(a: Float[Tensor, "*n H K"], b: Float[Tensor, "*m K W"]) -> Float[Tensor, "*n H W"]:
    """Matrix products, one by one; an operand that has no batch must not ask for a gradient."""
    return _Product.apply(a, b) if _watched(a, b) else _product(a, b)


def _watched(*operands: Tensor) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in operands)


def _dot(x: Tensor, y: Tensor) -> Tensor:
    if x.device.type != "cpu":
        return (x * y).sum(-1)
    with np.errstate(over="ignore", invalid="ignore"):  # fields that diverge
        return torch.from_numpy(np.asarray(np.vecdot(x.detach().numpy(), y.detach().numpy())))


def _log(x: Tensor) -> Tensor:
    return x.log() if x.device.type != "cpu" else torch.from_numpy(np.log(x.detach().numpy()))


def _sums(x: Tensor, starts: tuple[int, ...]) -> Tensor:
    if x.device.type != "cpu":
        return torch.stack([part.sum(-1) for part in x.tensor_split(starts[1:], -1)], -1)
    return torch.from_numpy(np.add.reduceat(x.detach().numpy(), starts, -1))


def _product(a: Tensor, b: Tensor) -> Tensor:
    if a.device.type != "cpu":
        return a @ b
    a, b = a.detach().contiguous(), b.detach().contiguous()
    return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))


class _Dot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return _dot(x, y)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = ctx.saved_tensors
        of_x = slope[..., None] * y if ctx.needs_input_grad[0] else None
        of_y = slope[..., None] * x if ctx.needs_input_grad[1] else None
        return of_x, of_y


class _Log(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _log(x)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return slope / x


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, starts: tuple[int, ...]) -> Tensor:
        ctx.lengths = torch.tensor([*starts, x.shape[-1]]).diff().to(x.device)
        return _sums(x, starts)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return slope.repeat_interleave(ctx.lengths, -1), None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return _product(a, b)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        of_a = _product(slope, b.mT) if ctx.needs_input_grad[0] else None
        of_b = _product(a.mT, slope) if ctx.needs_input_grad[1] else None
        return of_a, of_b
