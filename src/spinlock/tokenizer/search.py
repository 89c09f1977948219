"""Beam search for the codes whose sum is near a point; all codebooks are known beforehand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

BLOCK = 2**19  # candidate sums weighed at a time, so that they stay in the cache
SHORT = 10  # bits of a place that go beside a cost into 32 bits; the cost keeps 13 of its own


def search(
    points: Float[Tensor, "n G E"],
    codebooks: Sequence[Float[Tensor, "g K E"]],
    groups: Sequence[Int[Tensor, " g"]],
    width: int,
) -> Int[Tensor, "n G L"]:
    r"""Choose one code per level so that their sum is near the point.

    Level after level, each of the `width` best partial sums is extended by every code, and the
    best sums are kept (a beam search, as in Babenko and Lempitsky 2014); with width 1 each level
    takes the code nearest to the residual. With $s$ the sum so far,
    $\|x - s - c\|^2 = \|x - s\|^2 + \|c\|^2 - 2\langle x, c\rangle + 2\langle s, c\rangle$: the
    products of the points with all codes are one batched product, those of the codes with each
    other a table, and no residual is ever formed. Costs that differ by less than a share of
    2⁻¹³ count as equal: the sum that comes first wins.

    Args:
        points: what to approximate.
        codebooks: of each level, for the groups that have it.
        groups: which those are, in increasing order; from level to level none is added.
        width: partial sums kept.

    Returns:
        Tokens; 0 where a group has no such level.
    """
    chosen = torch.zeros(*points.shape[:2], len(codebooks), dtype=torch.int64)
    for members, tables in _tables(codebooks, groups):
        depth = len(tables.sizes)
        candidates = len(members) * max(tables.sizes) * (width if depth > 1 else 1)
        for rows in torch.arange(len(points)).split(max(1, BLOCK // candidates)):
            block = slice(int(rows[0]), int(rows[-1]) + 1)
            own = points[block].index_select(1, members).transpose(0, 1)
            for group, tokens in zip(members.tolist(), _search(own, tables, width), strict=True):
                chosen[block, group, :depth] = tokens
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """Codebooks of groups with equally many levels; S codes of all levels together."""

    sizes: tuple[int, ...]  # K of each level
    codes: Float[Tensor, "m S E"]
    squares: Float[Tensor, "m S"]
    products: tuple[Float[Tensor, "mS K"], ...]  # 2 ⟨c, c'⟩ with the codes c' of each level


def _tables(
    codebooks: Sequence[Float[Tensor, "g K E"]], groups: Sequence[Int[Tensor, " g"]]
) -> Iterator[tuple[Tensor, _Tables]]:
    """Groups of each depth, and their tables."""
    depths = torch.zeros(int(groups[0].max()) + 1, dtype=torch.int64)
    for members in groups:
        depths[members] += 1
    for depth in depths.unique().tolist():
        members = (depths == depth).nonzero()[:, 0]
        if not depth:
            continue
        parts = [
            codes[torch.searchsorted(places, members)]
            for codes, places in zip(codebooks[:depth], groups[:depth], strict=True)
        ]
        sizes = tuple(part.shape[1] for part in parts)
        codes = torch.cat(parts, 1)
        gram = torch.bmm(2 * codes, codes.mT)
        yield (
            members,
            _Tables(
                sizes=sizes,
                codes=codes,
                squares=codes.square().sum(-1),
                products=tuple(part.flatten(0, 1) for part in gram.split(sizes, 2)),
            ),
        )


def _search(points: Float[Tensor, "m n E"], tables: _Tables, width: int) -> Int[Tensor, "m n l"]:
    """Tokens of some points; see `search`."""
    num_groups, count, _ = points.shape
    direct = torch.baddbmm(tables.squares[:, None], points, tables.codes.mT, alpha=-2)
    number = torch.arange(num_groups * count, dtype=torch.int32)[:, None]
    first = number // count * tables.codes.shape[1]  # row of its group's first code in products
    # What a sum adds to a code's cost is a bag of rows: the point's own, and its codes'.
    bags = number + len(tables.products[0])
    cost = points.square().sum(-1).flatten()[:, None]  # [mn, beams]
    one = cost.new_ones(1, 1)
    last = len(tables.sizes) - 1
    for level, own in enumerate(direct.split(tables.sizes, 2)):
        rows = own.flatten(0, 1)
        if level:
            rows = F.embedding_bag(bags, torch.cat([tables.products[level], rows]), mode="sum")
        total = rows.addmm_(cost.view(-1, 1), one.expand(1, rows.shape[1])).view(*cost.shape, -1)
        parent, code = _least(total, 1 if level == last else width)
        parent += number * total.shape[1]
        cost = total.flatten().index_select(0, (parent * total.shape[2] + code).flatten())
        cost = cost.view_as(code)
        token = code + (first + sum(tables.sizes[:level]))
        bags = torch.cat([bags.index_select(0, parent.flatten()), token.view(-1, 1)], 1)
    offsets = torch.tensor(tables.sizes).cumsum(0) - torch.tensor(tables.sizes)
    return (bags[:, 1:] - first - offsets).unflatten(0, (num_groups, count))


def _least(
    costs: Float[Tensor, "r b K"], count: int
) -> tuple[Int[Tensor, "r k"], Int[Tensor, "r k"]]:
    """Beam and code of the lowest costs, in no order; fewer if there are fewer.

    Costs and their bits are in the same order, as none is negative but for rounding, so a cost
    and its place fit into one integer; numpy selects integers many times faster than torch.topk
    selects pairs.
    """
    beams, size = costs.shape[1:]
    low = (size - 1).bit_length()
    bits = (beams - 1).bit_length() + low
    place = torch.arange(beams, dtype=torch.int32)[:, None] << low
    place = place | torch.arange(size, dtype=torch.int32)
    keys = costs.view(torch.int32)
    keys = keys.long() << bits if bits > SHORT else keys & -(1 << bits)
    keys = keys.bitwise_or_(place).flatten(1)
    if count == 1:
        keys = keys.amin(1, keepdim=True)
    elif count < keys.shape[1]:
        keys.numpy().partition(count - 1, axis=1)
        keys = keys[:, :count]
    keys = keys.int()
    return (keys & ((1 << bits) - 1)) >> low, keys & ((1 << low) - 1)
