"""Residual vector quantization of G latents at once, codebooks learned by moving averages."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

EMPTY = 1e-6  # a code whose average count is below this keeps its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    """What the quantizer says of some latents."""

    latents: Float[Tensor, "n G E"]  # sum of the levels; straight-through gradient
    tokens: Int[Tensor, "n G L"]
    projected: tuple[Float[Tensor, "n G d"], ...]  # residual of each level before its codes
    commitment: Float[Tensor, "n G"]  # mean over levels of the squared distance to the code


def nearest(points: Float[Tensor, "n G d"], codes: Float[Tensor, "G K d"]) -> Int[Tensor, "n G"]:
    r"""Index of the nearest code of each group, by one batched product.

    $\arg\min_k \|c_k\|^2 - 2 \langle x, c_k\rangle$ equals $\arg\min_k \|x - c_k\|^2$.
    """
    half = codes.square().sum(-1, keepdim=True).mT / 2  # [G, 1, K]
    return torch.baddbmm(half, points.transpose(0, 1), codes.mT, alpha=-1).argmin(-1).T


def look_up(codes: Float[Tensor, "G K d"], tokens: Int[Tensor, "n G"]) -> Float[Tensor, "n G d"]:
    """The codes that the tokens name."""
    groups = torch.arange(len(codes), device=codes.device)
    return codes[groups, tokens]


class ResidualQuantizer(nn.Module):
    r"""L levels, coarse to fine, each with a down- and an up-projection per group.

    $r_0 = z$; $x_l = r_l P_l$; $q_l$ the code nearest to $x_l$; $r_{l+1} = r_l - q_l U_l$;
    $\hat z = \sum_l q_l U_l$. Straight-through: the gradient takes $q_l$ for $x_l$ (van den Oord
    et al. 2017; residual levels as in Zeghidour et al. 2021). The codes follow moving averages of
    the residuals that chose them (van den Oord et al. 2017, appendix A.1); they are buffers.
    """

    def __init__(
        self, num_groups: int, width: int, sizes: tuple[int, ...], dims: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.sizes, self.dims = sizes, dims
        self.down = nn.ParameterList(torch.zeros(num_groups, width, d) for d in dims)
        self.up = nn.ParameterList(torch.zeros(num_groups, d, width) for d in dims)
        for level, (size, dim) in enumerate(zip(sizes, dims, strict=True)):
            self.register_buffer(f"codes_{level}", torch.zeros(num_groups, size, dim))
            self.register_buffer(f"counts_{level}", torch.zeros(num_groups, size))

    @property
    def bits(self) -> float:
        """Bits of the tokens of one group."""
        return sum(math.log2(size) for size in self.sizes)

    def codes(self, level: int) -> Float[Tensor, "G K d"]:
        """The codebooks of a level."""
        return self.get_buffer(f"codes_{level}")

    def counts(self, level: int) -> Float[Tensor, "G K"]:
        """Moving average of the rows per step that chose each code."""
        return self.get_buffer(f"counts_{level}")

    def forward(
        self, latents: Float[Tensor, "n G E"], tokens: Int[Tensor, "n G L"] | None = None
    ) -> Quantized:
        """Quantize; with `tokens`, by these codes instead of the nearest."""
        residual, total = latents, torch.zeros_like(latents)
        chosen, projected, distances = [], [], []
        for level in range(len(self.sizes)):
            point = _grouped(residual, self.down[level])
            token = (
                nearest(point.detach(), self.codes(level)) if tokens is None else tokens[..., level]
            )
            code = look_up(self.codes(level), token)
            part = _grouped(point + (code - point).detach(), self.up[level])
            residual, total = residual - part, total + part
            chosen.append(token)
            projected.append(point)
            distances.append((point - code).square().sum(-1))
        return Quantized(
            latents=total,
            tokens=torch.stack(chosen, -1),
            projected=tuple(projected),
            commitment=torch.stack(distances, -1).mean(-1),
        )

    def decode(self, tokens: Int[Tensor, "n G L"]) -> Float[Tensor, "n G E"]:
        """The latents that the tokens stand for."""
        parts = (
            _grouped(look_up(self.codes(level), tokens[..., level]), self.up[level])
            for level in range(len(self.sizes))
        )
        return torch.stack(list(parts)).sum(0)

    @torch.no_grad()
    def follow(self, quantized: Quantized, weights: Float[Tensor, "n G"], decay: float) -> None:
        """Move the codes towards the mean of the residuals that chose them.

        $N_k \\leftarrow γ N_k + (1 - γ) n_k$, $c_k \\leftarrow c_k + (1 - γ) (s_k - n_k c_k) / N_k$
        with the new $N_k$, which is the moving average of sums over the moving average of counts.
        """
        for level, point in enumerate(quantized.projected):
            codes, counts = self.codes(level), self.counts(level)
            chosen = nn.functional.one_hot(quantized.tokens[..., level], self.sizes[level])
            chosen = (chosen * weights[..., None]).permute(1, 2, 0)  # [G, K, n]
            count = chosen.sum(-1)
            counts.lerp_(count, 1 - decay)
            pull = chosen @ point.transpose(0, 1) - count[..., None] * codes
            codes += (
                torch.where(counts > EMPTY, (1 - decay) / counts.clamp_min(EMPTY), 0.0)[..., None]
                * pull
            )

    @torch.no_grad()
    def reset(
        self,
        quantized: Quantized,
        weights: Float[Tensor, "n G"],
        below: float,
        rng: np.random.Generator,
    ) -> int:
        """Move the codes whose average count is below a limit onto random rows of the batch.

        Returns:
            How many codes moved.
        """
        moved = 0
        for level, point in enumerate(quantized.projected):
            codes, counts = self.codes(level), self.counts(level)
            for group, code in (counts < below).nonzero().tolist():
                rows = weights[:, group].nonzero()[:, 0]
                if len(rows):
                    codes[group, code] = point[rows[int(rng.integers(len(rows)))], group]
                    counts[group, code] = below
                    moved += 1
        return moved


def _grouped(x: Float[Tensor, "n G i"], weight: Float[Tensor, "G i o"]) -> Float[Tensor, "n G o"]:
    return torch.bmm(x.transpose(0, 1), weight).transpose(0, 1)
