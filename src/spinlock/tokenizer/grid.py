"""What every quantizer says in: a token for each level of each group."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """What a quantizer says of some latents."""

    latents: Float[Tensor, "n G E"]  # sum of the levels; straight-through gradient
    tokens: Int[Tensor, "n G L"]  # 0 where a group has no such level
    projected: tuple[Float[Tensor, "n g d"], ...]  # residual of each level before its codes
    commitment: Float[Tensor, "n G"]  # mean over levels of the squared distance to the code


class TokenGrid(nn.Module):
    """G groups with up to L levels each; a level has equally many codes in all groups."""

    exists: Tensor  # which of the L levels each group has, bool [G, L]

    def __init__(self, levels: Sequence[int], sizes: tuple[int, ...]) -> None:
        """Keep the sizes.

        Args:
            levels: of each group, at least 1 and at most L.
            sizes: codes K of each of the L levels.
        """
        super().__init__()
        self.levels, self.sizes = tuple(levels), sizes
        exists = torch.arange(len(sizes)) < torch.tensor(self.levels)[:, None]
        self.register_buffer("exists", exists, persistent=False)

    @property
    def bits(self) -> float:
        """Bits of the tokens of all groups."""
        return sum(math.log2(size) for levels in self.levels for size in self.sizes[:levels])

    def flat(self, tokens: Int[Tensor, "n G L"]) -> Int[Tensor, "n S"]:
        """The tokens that exist, group after group."""
        return tokens[:, self.exists]

    def grid(self, tokens: Int[Tensor, "n S"]) -> Int[Tensor, "n G L"]:
        """The inverse of `flat`; 0 where a group has no such level."""
        grid = tokens.new_zeros(len(tokens), *self.exists.shape)
        grid[:, self.exists] = tokens
        return grid


def grouped(x: Float[Tensor, "n G i"], weight: Float[Tensor, "G i o"]) -> Float[Tensor, "n G o"]:
    """A linear map per group, all in one batched product."""
    return torch.bmm(x.transpose(0, 1), weight).transpose(0, 1)
