"""Finite scalar quantization of G latents at once: a fixed grid instead of learned codebooks."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spinlock.tokenizer.grid import Quantized, TokenGrid, grouped

MARGIN = 1e-3  # of the outermost steps, so that the bound can reach them


class ScalarQuantizer(TokenGrid):
    r"""Each group's latent as scalars, each rounded to one of its steps (Mentzer et al. 2024).

    With projections down and up, $s = P z + b$; a scalar with M steps becomes
    $\lfloor \tanh(s + δ) h - o \rceil$, $h = (M - 1)(1 + ε) / 2$, o = 1/2 and $δ = artanh(o / h)$
    if M is even, both 0 if odd. The gradient passes the rounding. A token of K codes is the digits
    of `scalars(K)` scalars, so the bits are exactly those of codebooks of K codes; all scalars of
    a group are rounded together, no level sees what another leaves.
    """

    steps: Tensor  # of each scalar of each group; 1 where the group has no such level [G, D]
    scale: Tensor  # h [G, D]
    offset: Tensor  # o
    shift: Tensor  # δ
    basis: Tensor  # what a digit counts in its token [D]
    level: Tensor  # whose digit it is [D]

    def __init__(self, levels: Sequence[int], width: int, sizes: tuple[int, ...]) -> None:
        """Build with all weights zero.

        Args:
            levels: of each group, at least 1 and at most L.
            width: E of the latents.
            sizes: K of each of the L levels.
        """
        super().__init__(levels, sizes)
        digits = [scalars(size) for size in sizes]
        level = torch.arange(len(sizes)).repeat_interleave(torch.tensor(list(map(len, digits))))
        steps = torch.tensor([m for token in digits for m in token])
        basis = [math.prod(token[:i]) for token in digits for i in range(len(token))]
        steps = torch.where(self.exists[:, level], steps, 1)
        half = (steps - 1) * (1 + MARGIN) / 2
        offset = torch.where(steps % 2 == 0, 0.5, 0.0)
        shift = torch.atanh(offset / half.clamp_min(0.5))
        held = dict(steps=steps, scale=half, offset=offset, shift=shift, level=level)
        for name, value in {**held, "basis": torch.tensor(basis)}.items():
            self.register_buffer(name, value, persistent=False)
        groups, dims = steps.shape
        self.down = nn.Parameter(torch.zeros(groups, width, dims))
        self.down_bias = nn.Parameter(torch.zeros(groups, 1, dims))
        self.up = nn.Parameter(torch.zeros(groups, dims, width))
        self.up_bias = nn.Parameter(torch.zeros(groups, 1, width))

    def forward(
        self, latents: Float[Tensor, "n G E"], tokens: Int[Tensor, "n G L"] | None = None
    ) -> Quantized:
        """Quantize; with `tokens`, by these instead of the nearest steps."""
        bounded = self.bound(grouped(latents, self.down) + self.down_bias[:, 0])
        step = bounded.round() if tokens is None else self._step(tokens)
        rounded = bounded + (step - bounded).detach()
        if tokens is None:
            tokens = self._tokens(step.detach())
        return Quantized(
            latents=self._up(rounded),
            tokens=tokens,
            projected=(),
            commitment=latents.new_zeros(latents.shape[:2]),
        )

    @torch.no_grad()
    def choose(self, latents: Float[Tensor, "n G E"]) -> Int[Tensor, "n G L"]:
        """Tokens of some latents."""
        return self(latents).tokens

    def decode(self, tokens: Int[Tensor, "n G L"]) -> Float[Tensor, "n G E"]:
        """The latents that the tokens stand for."""
        return self._up(self._step(tokens))

    def bound(self, values: Float[Tensor, "n G D"]) -> Float[Tensor, "n G D"]:
        """Scalars in steps, from −M / 2 to M / 2, before they are rounded."""
        return torch.tanh(values + self.shift) * self.scale - self.offset

    def unit(self, tokens: Int[Tensor, "n G L"]) -> Float[Tensor, "n G D"]:
        """The scalars that the tokens stand for, in [−1, 1]."""
        return self._unit(self._step(tokens))

    def _unit(self, step: Float[Tensor, "n G D"]) -> Float[Tensor, "n G D"]:
        return step / (self.steps // 2).clamp_min(1)

    def _up(self, step: Float[Tensor, "n G D"]) -> Float[Tensor, "n G E"]:
        return grouped(self._unit(step), self.up) + self.up_bias[:, 0]

    def _tokens(self, step: Float[Tensor, "n G D"]) -> Int[Tensor, "n G L"]:
        digits = (step.long() + self.steps // 2) * self.basis
        empty = digits.new_zeros(*step.shape[:2], len(self.sizes))
        return empty.index_add(2, self.level, digits)

    def _step(self, tokens: Int[Tensor, "n G L"]) -> Float[Tensor, "n G D"]:
        digits = tokens[..., self.level] // self.basis % self.steps
        return (digits - self.steps // 2).to(self.up.dtype)


def scalars(size: int) -> tuple[int, ...]:
    """Steps of the scalars whose digits number `size` codes: the product is exactly that.

    As many scalars as there can be with at least 3 steps, then as even as can be, the finest
    first; 24 = 6 · 4, and a prime is one scalar.
    """
    found: list[tuple[int, ...]] = [(size,)]
    for first in range(3, math.isqrt(size) + 1):
        if size % first == 0:
            found.append(tuple(sorted((first, *scalars(size // first)), reverse=True)))
    return max(found, key=lambda steps: (len(steps), min(steps)))
