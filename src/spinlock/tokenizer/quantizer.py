"""Residual vector quantization of G latents at once, codebooks learned by moving averages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spinlock.tokenizer.grid import Quantized, TokenGrid, grouped
from spinlock.tokenizer.search import search

EMPTY = 1e-6  # a code whose average count is below this follows no average
EQUAL = 1e-3  # codes nearer to each other than this share of the rows' deviation are in one place


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """The best partial sums of codes for n points of G groups, the best first.

    For codebooks that are made level after level; `search.search` is for those that exist.
    """

    residual: Float[Tensor, "G n beam E"]  # point minus sum
    cost: Float[Tensor, "G n beam"]  # its square, less that of the point
    tokens: Int[Tensor, "G n beam l"]

    @classmethod
    def of(cls, points: Float[Tensor, "n G E"]) -> "Beam":
        """No code chosen yet."""
        residual = points.transpose(0, 1)[:, :, None]
        cost = residual.new_zeros(residual.shape[:3])
        empty = torch.empty(*cost.shape, 0, dtype=torch.int64, device=points.device)
        return cls(residual=residual, cost=cost, tokens=empty)

    def extend(self, codes: Float[Tensor, "G K E"], width: int) -> "Beam":
        r"""Add every code to every sum, and keep the `width` best.

        From a residual r the squared distance grows by $\|c_k\|^2 - 2 \langle r, c_k\rangle$:
        one batched product.
        """
        half = codes.square().sum(-1)[:, None] / 2  # [G, 1, K]
        gain = torch.baddbmm(half, self.residual.flatten(1, 2), codes.mT, alpha=-1)
        total = (self.cost[..., None] + gain.unflatten(1, self.cost.shape[1:])).flatten(2)
        cost, least = total.topk(min(width, total.shape[-1]), largest=False)
        parent, code = least // codes.shape[1], least % codes.shape[1]
        chosen = look_up(codes, code.permute(1, 2, 0)).permute(2, 0, 1, 3)
        return Beam(
            residual=_descend(self.residual, parent) - chosen,
            cost=cost,
            tokens=torch.cat([_descend(self.tokens, parent), code[..., None]], -1),
        )


def look_up(codes: Float[Tensor, "G K d"], tokens: Int[Tensor, "*n G"]) -> Float[Tensor, "*n G d"]:
    """The codes that the tokens name."""
    return codes[torch.arange(len(codes), device=codes.device), tokens]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    r"""Sums of codes in the making, of the groups that have further levels.

    With $q = (q_0, …)$ and $U = (U_0; …)$ so far, the residual $z - q U$ is never formed: its
    projection is $z P - q (U P)$, products as wide as the codes, and the sum $q U$ is one product
    at the end.
    """

    groups: Int[Tensor, " g"]
    points: Float[Tensor, "g n E"]
    codes: Float[Tensor, "g n q"]  # of all levels so far, side by side
    ups: Float[Tensor, "g q E"]
    closed: tuple[tuple[Tensor, Tensor], ...]  # groups without further levels, and their sums

    @classmethod
    def of(cls, latents: Float[Tensor, "n G E"]) -> "_Open":
        """No code chosen yet."""
        points = latents.transpose(0, 1)
        return cls(
            groups=torch.arange(len(points), device=points.device),
            points=points,
            codes=points[..., :0],
            ups=points.new_zeros(len(points), 0, points.shape[-1]),
            closed=(),
        )

    def only(self, groups: Int[Tensor, " g"]) -> "_Open":
        """Close all groups but some."""
        if len(groups) == len(self.groups):
            return self
        goes_on = torch.isin(self.groups, groups)
        kept, ended = goes_on.nonzero()[:, 0], (~goes_on).nonzero()[:, 0]
        sums = torch.bmm(self.codes.index_select(0, ended), self.ups.index_select(0, ended))
        return _Open(
            groups=groups,
            points=self.points.index_select(0, kept),
            codes=self.codes.index_select(0, kept),
            ups=self.ups.index_select(0, kept),
            closed=(*self.closed, (self.groups[ended], sums)),
        )

    def project(self, down: Float[Tensor, "g E d"]) -> Float[Tensor, "g n d"]:
        """Projections of the residuals."""
        own = torch.bmm(self.points, down)
        return torch.baddbmm(own, self.codes, torch.bmm(self.ups, down), alpha=-1)

    def add(self, codes: Float[Tensor, "g n d"], up: Float[Tensor, "g d E"]) -> "_Open":
        """With a further level."""
        return replace(
            self, codes=torch.cat([self.codes, codes], 2), ups=torch.cat([self.ups, up], 1)
        )

    def sums(self) -> Float[Tensor, "G n E"]:
        """Of all groups, in their order."""
        groups, sums = zip(
            *self.closed, (self.groups, torch.bmm(self.codes, self.ups)), strict=True
        )
        if not self.closed:
            return sums[0]
        return torch.cat(sums).index_select(0, torch.argsort(torch.cat(groups)))


class ResidualQuantizer(TokenGrid):
    r"""Up to L levels, coarse to fine; each group that has one has projections down and up there.

    $r_0 = z$; $x_l = r_l P_l$; $q_l$ the chosen code; $r_{l+1} = r_l - q_l U_l$;
    $\hat z = \sum_l q_l U_l$, and `search` chooses the codes so that it is near z.
    Straight-through: the gradient takes $q_l$ for $x_l$ (van den Oord et al. 2017; residual levels
    as in Zeghidour et al. 2021). The codes follow moving averages of the residuals that chose them
    (van den Oord et al. 2017, appendix A.1); beside that, gradients of `decode` and of
    `probabilities` reach them, those of the straight-through latents do not.
    """

    def __init__(
        self,
        levels: Sequence[int],
        width: int,
        sizes: tuple[int, ...],
        dims: tuple[int, ...],
        search_width: int,
    ) -> None:
        """Build with all weights and codes zero.

        Args:
            levels: of each group, at least 1 and at most L.
            width: E of the latents.
            sizes: K of each of the L levels.
            dims: width of the codes of each level.
            search_width: see `search`.
        """
        super().__init__(levels, sizes)
        self.dims, self.search_width = dims, search_width
        numbers = [int(column.sum()) for column in self.exists.T]
        self.down = nn.ParameterList(
            torch.zeros(n, width, d) for n, d in zip(numbers, dims, strict=True)
        )
        self.up = nn.ParameterList(
            torch.zeros(n, d, width) for n, d in zip(numbers, dims, strict=True)
        )
        for level, (n, size, dim) in enumerate(zip(numbers, sizes, dims, strict=True)):
            members = self.exists[:, level].nonzero()[:, 0]
            self.register_buffer(f"groups_{level}", members, persistent=False)
            self.register_parameter(f"codes_{level}", nn.Parameter(torch.zeros(n, size, dim)))
            self.register_buffer(f"counts_{level}", torch.zeros(n, size))

    def groups(self, level: int) -> Int[Tensor, " g"]:
        """The groups that have a level."""
        return self.get_buffer(f"groups_{level}")

    def codes(self, level: int) -> nn.Parameter:
        """The codebooks of a level, [g, K, d]."""
        return self.get_parameter(f"codes_{level}")

    def counts(self, level: int) -> Float[Tensor, "g K"]:
        """Moving average of the rows per step that chose each code."""
        return self.get_buffer(f"counts_{level}")

    def forward(
        self, latents: Float[Tensor, "n G E"], tokens: Int[Tensor, "n G L"] | None = None
    ) -> Quantized:
        """Quantize; with `tokens`, by these codes instead of the nearest."""
        if tokens is None:
            tokens = self.choose(latents)
        partial = _Open.of(latents)
        projected, distance = [], latents.new_zeros(latents.shape[1::-1])
        for level, down in enumerate(self.down):
            groups = self.groups(level)
            partial = partial.only(groups)
            point = partial.project(down)
            code = look_up(self.codes(level).detach(), tokens[:, groups, level]).transpose(0, 1)
            partial = partial.add(point + (code - point).detach(), self.up[level])
            projected.append(point.transpose(0, 1))
            distance = distance.index_add(0, groups, (point - code).square().sum(-1))
        return Quantized(
            latents=partial.sums().transpose(0, 1),
            tokens=tokens,
            projected=tuple(projected),
            commitment=distance.T / self.exists.sum(1),
        )

    @torch.no_grad()
    def choose(self, latents: Float[Tensor, "n G E"]) -> Int[Tensor, "n G L"]:
        """Tokens of some latents."""
        levels = range(len(self.sizes))
        codebooks = [torch.bmm(self.codes(level), self.up[level]) for level in levels]
        groups = [self.groups(level) for level in levels]
        return search(latents, codebooks, groups, self.search_width)

    def decode(self, tokens: Int[Tensor, "n G L"]) -> Float[Tensor, "n G E"]:
        """The latents that the tokens stand for."""
        width = self.up[0].shape[-1]
        total = self.up[0].new_zeros(*tokens.shape[:2], width)
        for level in range(len(self.sizes)):
            groups = self.groups(level)
            codes = look_up(self.codes(level), tokens[:, groups, level])
            total = total.index_add(1, groups, grouped(codes, self.up[level]))
        return total

    def probabilities(
        self, quantized: Quantized, rows: slice, temperature: float
    ) -> Float[Tensor, "r c"]:
        r"""A soft choice of codes for some rows, the codes of all tokens side by side.

        $p_k \propto \exp(-\|x_l - c_k\|^2 / τ)$ (Agustsson et al. 2017), with $x_l$ the projected
        residual and τ `temperature` times what, in the mean of a token's rows, the nearest code in
        another place is farther than the nearest of all. So
        $\langle p_i, p_j \rangle$ is how many tokens two rows are expected to share, if each draws
        its own by these shares: codes in one place share a row among them.
        """
        parts = []
        for level, point in enumerate(quantized.projected):
            own, codes = point[rows].transpose(0, 1), self.codes(level)
            square = codes.square().sum(-1)[:, None]  # that of the point is the same for all codes
            distance = torch.baddbmm(square, own, codes.mT, alpha=-2)
            width = temperature * _margin(distance.detach(), _apart(codes.detach(), own.detach()))
            parts.append(
                (-distance / torch.where(width > 0, width, 1.0)[:, None, None]).softmax(-1)
            )
        return torch.cat([part.transpose(0, 1).flatten(1) for part in parts], 1)

    @torch.no_grad()
    def follow(self, quantized: Quantized, weights: Float[Tensor, "n G"], decay: float) -> None:
        r"""Move the codes towards the mean of the residuals that chose them.

        $N_k \leftarrow γ N_k + (1 - γ) n_k$, $c_k \leftarrow c_k + (1 - γ) (s_k - n_k c_k) / N_k$
        with the new $N_k$, which is the moving average of sums over the moving average of counts.
        """
        for level, point in enumerate(quantized.projected):
            codes, counts, groups = self.codes(level), self.counts(level), self.groups(level)
            chosen = nn.functional.one_hot(quantized.tokens[:, groups, level], self.sizes[level])
            chosen = (chosen * weights[:, groups, None]).permute(1, 2, 0)  # [g, K, n]
            count = chosen.sum(-1)
            counts.lerp_(count, 1 - decay)
            pull = chosen @ point.transpose(0, 1) - count[..., None] * codes
            rate = torch.where(counts > EMPTY, (1 - decay) / counts.clamp_min(EMPTY), 0.0)
            codes.add_(rate[..., None] * pull)

    @torch.no_grad()
    def reset(
        self,
        quantized: Quantized,
        weights: Float[Tensor, "n G"],
        below: float,
        rng: np.random.Generator,
    ) -> list[tuple[nn.Parameter, Bool[Tensor, "g K"]]]:
        """Move the codes whose average count is below a limit onto random rows of the batch.

        Returns:
            Of each level its codes, and which of them moved.
        """
        found = []
        for level, point in enumerate(quantized.projected):
            codes, counts = self.codes(level), self.counts(level)
            shares = weights[:, self.groups(level)]
            moved = torch.zeros_like(counts, dtype=torch.bool)
            for group, code in (counts < below).nonzero().tolist():
                rows = shares[:, group].nonzero()[:, 0]
                if len(rows):
                    codes[group, code] = point[rows[int(rng.integers(len(rows)))], group]
                    counts[group, code] = below
                    moved[group, code] = True
            found.append((codes, moved))
        return found


def _apart(codes: Float[Tensor, "g K d"], rows: Float[Tensor, "g n d"]) -> Bool[Tensor, "g K K"]:
    """Whether two codes are in different places, by the root mean square deviation of the rows."""
    deviation = rows.var(1, correction=0).sum(-1).sqrt()
    difference = torch.cdist(codes, codes, compute_mode="donot_use_mm_for_euclid_dist")
    return difference > EQUAL * deviation[:, None, None]


def _margin(distance: Float[Tensor, "g n K"], apart: Bool[Tensor, "g K K"]) -> Float[Tensor, " g"]:
    """How much farther than the nearest code the next place is, mean of rows; 0 if there is none.

    Args:
        distance: squared, of rows and codes.
        apart: which codes are in different places.
    """
    least, nearest = distance.min(-1, keepdim=True)
    other = apart.gather(1, nearest.expand_as(distance))
    margin = torch.where(other, distance - least, torch.inf).amin(-1)
    return torch.where(margin.isinf(), 0.0, margin).mean(1)


def _descend(values: Float[Tensor, "G n beam m"], parent: Int[Tensor, "G n b"]) -> Tensor:
    """For each partial sum, the entry of the one it extends."""
    index = parent[..., None].expand(*parent.shape, values.shape[-1])
    return values.gather(2, index)
