"""The convolution block: periodic padding, convolution, normalization, activation, dropout."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spinlock.operators.convolution import Convolution, Precision, periodic, plain

EPSILON = 1e-5  # added to the variance in a normalization
FEW_CELLS = 1024  # of a grid, below which normalization wants each channel in one piece

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "silu": functional.silu,
    "tanh": torch.tanh,
}


def keep(x: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C H W"]:
    """No normalization."""
    return x


def instance_norm(x: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C H W"]:
    """Each channel of each realization to mean 0 and variance 1 over the domain."""
    # One group a channel is the same arithmetic as `instance_norm`, in a kernel 5 times faster; on
    # few cells a copy besides is 10 times faster than its variant for channels that lie together.
    few = x.shape[-2] * x.shape[-1] < FEW_CELLS
    return functional.group_norm(x.contiguous() if few else x, x.shape[1], eps=EPSILON)


def layer_norm(x: Float[Tensor, "R C H W"]) -> Float[Tensor, "R C H W"]:
    """Each realization to mean 0 and variance 1 over channels and domain together."""
    return functional.group_norm(x, 1, eps=EPSILON)


NORMALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": keep,
    "instance": instance_norm,
    "layer": layer_norm,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConvBlock:
    """One block; realizations in the batch do not see each other."""

    weight: Float[Tensor, "out in k k"]
    normalize: Callable[[Tensor], Tensor]
    activate: Callable[[Tensor], Tensor]
    residual: bool  # add the input to the output
    convolve: Convolution | None = None  # with that weight, prepared; None: torch's own

    def with_weight(self, weight: Float[Tensor, "out in k k"]) -> "ConvBlock":
        """The same block with another weight, from torch's own operations."""
        return replace(self, weight=weight, convolve=None)

    def prepared(self, grid_size: int, precision: Precision) -> "ConvBlock":
        """The same block, faster, for fields of one size; it has no gradient."""
        return replace(self, convolve=periodic(self.weight, grid_size, precision))

    def __call__(
        self, x: Float[Tensor, "R in H W"], mask: Float[Tensor, "R out 1 1"] | None
    ) -> Float[Tensor, "R out H W"]:
        """Apply the block; `mask` scales whole channels (dropout), None keeps all."""
        y = plain(x, self.weight) if self.convolve is None else self.convolve(x)
        y = self.activate(self.normalize(y))
        if mask is not None:
            y = y * mask
        return x + y if self.residual else y
