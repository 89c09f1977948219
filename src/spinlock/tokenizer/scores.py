"""Scores of a tokenizer; evaluation uses the same functions."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from scipy.stats import spearmanr
from torch import Tensor

from spinlock.tokenizer.layout import Layout


def column_errors(
    predicted: Float[Tensor, "n Q"],
    target: Float[Tensor, "n Q"],
    exists: Float[Tensor, "n Q"],
    layout: Layout,
) -> Float[Tensor, " D"]:
    """Mean squared error of each column over its existing cells, in train variances.

    0 is perfect, 1 is what the train mean gives, more is worse than saying nothing. A TEMPORAL
    column is the mean over its bins. NaN for a column without cells.

    Returns:
        One number per column, in the order INITIAL, SUMMARY, TEMPORAL.
    """
    column = layout.column_of_cell()
    seen = (exists > 0).double()
    squares = (seen * (predicted - target).double().square()).sum(0)
    total = torch.zeros(sum(map(len, layout.columns.values())), dtype=torch.float64)
    return total.index_add(0, column, squares) / total.index_add(0, column, seen.sum(0))


def reconstruction(errors: Float[Tensor, " D"]) -> float:
    """Mean of the column errors that exist; bad case: 1 if nothing but the mean is decoded."""
    return float(errors.nanmean())


def cost(record: Mapping[str, float], symbols: float) -> float:
    """What the best epoch has least of: error, and distances lost by tokens, by the loss's weight.

    Args:
        record: `reconstruction`, and `topo_tokens`: `topographic_similarity` of input and tokens.
        symbols: weight of the loss `symbols`.
    """
    return record["reconstruction"] + symbols * (1 - record["topo_tokens"])


def distances(points: Float[Tensor, "n d"]) -> Float[Tensor, " pairs"]:
    """Euclidean distances of all pairs of rows, i < j."""
    return torch.nn.functional.pdist(points.double())


def cell_distances(
    cells: Float[Tensor, "n Q"], exists: Float[Tensor, "n Q"], weights: Float[Tensor, " Q"]
) -> Float[Tensor, " pairs"]:
    """Root weighted mean square difference over the cells that both rows of a pair have, i < j.

    A pair that has none in common is √2 apart, the root mean square distance of standardized rows.
    """
    seen = (exists > 0).double()
    values, weights = cells.double() * seen, weights.double()
    squares = (values.square() * weights) @ seen.T
    power = squares + squares.T - 2 * (values * weights) @ values.T
    shared = (seen * weights) @ seen.T
    i, j = torch.triu_indices(len(cells), len(cells), 1)
    power, shared = power[i, j].clamp_min(0.0), shared[i, j]
    return torch.where(shared > 0, power / shared.clamp_min(1e-12), 2.0).sqrt()


def hamming(tokens: Int[Tensor, "n S"]) -> Float[Tensor, " pairs"]:
    """Share of tokens that differ, for all pairs of rows, i < j."""
    return torch.nn.functional.pdist(tokens.double(), p=0.0) / tokens.shape[1]


def topographic_similarity(
    before: Float[Tensor, " pairs"], after: Float[Tensor, " pairs"]
) -> float:
    """Spearman correlation of two sets of distances over off-diagonal pairs, in [-1, 1].

    1: what is near stays near; bad case: about 0 for shuffled rows, and 0 if a side is constant.
    """
    if len(before) < 2 or before.min() == before.max() or after.min() == after.max():
        return 0.0
    return float(spearmanr(before.numpy(), after.numpy()).statistic)


def counts(tokens: Int[Tensor, "n S"], sizes: Sequence[Sequence[int]]) -> list[Int[Tensor, " K"]]:
    """How many rows chose each code, by token; `sizes` are the codes by category and level."""
    flat = [size for levels in sizes for size in levels]
    return [
        torch.bincount(token, minlength=size) for token, size in zip(tokens.T, flat, strict=True)
    ]


def utilization(used: list[Int[Tensor, " K"]]) -> float:
    """Share of all codes that at least one row chose, in [0, 1].

    Bad case: 1 / K if every row has the same token.
    """
    return sum(int((c > 0).sum()) for c in used) / sum(c.numel() for c in used)


def perplexity(used: list[Int[Tensor, " K"]], normalized: bool) -> float:
    """Mean over codebooks of exp(entropy of the tokens in nats): codes in use, in [1, K].

    Normalized: divided by the size of the codebook, at most 1. Bad case: 1 (or 1 / K) if every
    row has the same token.
    """
    values = []
    for count in used:
        share = count.double() / count.sum().clamp_min(1)
        value = torch.special.entr(share).sum().exp()
        values.append(value / len(count) if normalized else value)
    return float(torch.stack(values).mean())


def joint(latents: Float[Tensor, "n G E"], layout: Layout) -> Float[Tensor, "n d"]:
    """Latents side by side, each category weighing as its number of columns."""
    return (latents * layout.members().sum(0).sqrt()[:, None]).flatten(1)
