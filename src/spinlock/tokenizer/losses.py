"""The losses of the tokenizer; each is a mean, so that weights do not depend on sizes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

ROUNDING = 1e-12  # share of a sum of squares, in float32, that may be rounding


def reconstruction(
    predicted: Float[Tensor, "n Q"],
    target: Float[Tensor, "n Q"],
    weights: Float[Tensor, "n Q"],
) -> Float[Tensor, ""]:
    r"""Weighted mean squared error, $\sum w (\hat x - x)^2 / n$; the caller normalizes w.

    A missing cell has weight 0.
    """
    return (weights * (predicted - target).square()).sum() / len(target)


def commitment(distances: Float[Tensor, "n G"], weights: Float[Tensor, "n G"]) -> Float[Tensor, ""]:
    """Mean squared distance of the projected residuals to their codes."""
    return _mean(distances, weights)


def codebook(
    distances: Float[Tensor, "n G"],
    weights: Float[Tensor, "n G"],
    columns: Float[Tensor, " G"],
) -> Float[Tensor, ""]:
    """Mean squared distance of latents to what their tokens stand for, categories by columns."""
    return (distances * weights).mean(0) @ (columns / columns.sum())


def orthogonality(
    latents: Float[Tensor, "n G E"], weights: Float[Tensor, "n G"], target: float
) -> Float[Tensor, ""]:
    r"""Penalty on correlation between categories: mean over pairs of $\max(0, ρ_{gh} - τ)^2$.

    $ρ_{gh} = (\|C_{gh}\|_F^2 / \|C_{gg}\|_F \|C_{hh}\|_F)^{1/2}$ with C the covariance blocks: the
    square root of the RV coefficient (Robert and Escoufier 1976), invariant to rotations of each
    latent; for one dimension it is |r|.
    """
    count = weights.sum(0).clamp_min(1.0)
    mean = (latents * weights[..., None]).sum(0) / count[:, None]
    centered = (latents - mean) * weights[..., None]
    num_groups, width = latents.shape[1:]
    flat = centered.flatten(1)
    power = (
        (flat.T @ flat / len(flat))
        .unflatten(0, (num_groups, width))
        .unflatten(2, (num_groups, width))
    )
    blocks = power.square().sum((1, 3))  # [G, G]
    own = blocks.diagonal().clamp_min(1e-12).sqrt()
    correlation = (blocks / (own[:, None] * own)).clamp_min(1e-12).sqrt()
    above = (correlation - target).relu().square()
    pairs = num_groups * (num_groups - 1)
    return (above.sum() - above.diagonal().sum()) / max(pairs, 1)


def correlation(
    x: Float[Tensor, "p G"], y: Float[Tensor, "p G"], weights: Float[Tensor, "p G"]
) -> Float[Tensor, "G"]:
    """Weighted Pearson correlation over the first axis; 0, without gradient, if a side is constant.

    Constant is what differs by no more than rounding.
    """
    (x, width), (y, height) = (_deviation(side, weights) for side in (x, y))
    return (x * y * weights).sum(0) / (width * height)


def topographic(
    before: Float[Tensor, "p G"], after: Float[Tensor, "p G"], weights: Float[Tensor, "p G"]
) -> Float[Tensor, ""]:
    """1 − correlation of distances over pairs, mean over the groups that have pairs.

    Pearson's, which has a gradient; the scores report Spearman's.
    """
    valid = (weights.sum(0) > 0).to(before.dtype)
    return _mean(1 - correlation(before, after, weights), valid)


def symbols(apart: Float[Tensor, " p"], shared: Float[Tensor, " p"]) -> Float[Tensor, ""]:
    """1 − correlation, over pairs, of the rank of a distance with the tokens not shared.

    0 if tokens differ in proportion to the rank; bad case: 1 if they have nothing to do with it.

    Args:
        apart: distance of the rows of each pair; it has no gradient.
        shared: tokens that they have, or are expected to have, in common.
    """
    _, place, equal = apart.unique(return_inverse=True, return_counts=True)
    middle = equal.cumsum(0) - (equal - 1) / 2  # equal distances have the mean of their ranks
    ranks = middle[place].to(shared.dtype) / len(apart)
    every = torch.ones_like(shared)[:, None]
    return 1 - correlation(ranks[:, None], -shared[:, None], every)[0]


def distance(latents: Float[Tensor, "n G E"], pairs: Int[Tensor, "2 p"]) -> Float[Tensor, "p G"]:
    """Euclidean distance of pairs of rows, by group."""
    return _root(
        (latents.index_select(0, pairs[0]) - latents.index_select(0, pairs[1])).square().sum(-1)
    )


def cell_distance(
    cells: Float[Tensor, "n Q"],
    exists: Float[Tensor, "n Q"],
    members: Float[Tensor, "Q G"],
    pairs: Int[Tensor, "2 p"],
) -> tuple[Float[Tensor, "p G"], Float[Tensor, "p G"]]:
    """Root mean square difference over the cells that both rows have, and 1 if there are any.

    Args:
        cells: target cells.
        exists: 1 where a cell exists, 0 where not.
        members: weight of each cell in its category, 0 in the others.
        pairs: rows to compare.
    """
    shared = exists.index_select(0, pairs[0]) * exists.index_select(0, pairs[1])
    difference = cells.index_select(0, pairs[0]) - cells.index_select(0, pairs[1])
    total = shared @ members
    power = (difference.square() * shared) @ members
    return _root(power / total.clamp_min(1e-12)), (total > 0).to(cells.dtype)


def _deviation(x: Float[Tensor, "p G"], weights: Float[Tensor, "p G"]) -> tuple[Tensor, Tensor]:
    """Deviation from the weighted mean and its root sum of squares; 0 and 1 if constant."""
    deviation = x - (x * weights).sum(0) / weights.sum(0).clamp_min(1e-12)
    power = (deviation.square() * weights).sum(0)
    constant = power <= ROUNDING * (x.square() * weights).sum(0)
    return torch.where(constant, 0.0, deviation), torch.where(constant, 1.0, power).sqrt()


def _root(x: Tensor) -> Tensor:
    """Square root with a finite gradient at 0."""
    return x.clamp_min(1e-12).sqrt()


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp_min(1.0)
