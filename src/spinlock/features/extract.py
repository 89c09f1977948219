"""From fields and trajectories to features: the functions that data, agent and scores share.

A value that does not exist is NaN. Nothing depends on the batch that it is computed in, to the
bit. A gradient exists wherever the column says so (`Column.differentiable`) and the value does.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features import fields
from spinlock.features import initial as initial_family
from spinlock.features.names import SUMMARY, SUMMARY_GROUPS, TEMPORAL, TEMPORAL_GROUPS
from spinlock.features.numerics import mean_where, root
from spinlock.features.summary import series

CHUNK = 2**18  # values of u described at a time: larger temporaries are new pages each time
SMALL_MEAN = 0.1  # of the standard deviation; a smaller mean is no scale to divide by


def extract(
    u: Float[Tensor, "*B R T C H W"], u0: Float[Tensor, "*B C H W"]
) -> dict[str, Float[Tensor, "..."]]:
    """All families of some operators in the aggregated view, as `data/features.h5` holds them.

    Args:
        u: rollouts, every realization of an operator.
        u0: the state before, shared by the realizations.

    Returns:
        `initial` [*B, 14], `summary` [*B, 3 D] (mean, std, cv) and `temporal` [*B, T, D].
    """
    before = u0.unsqueeze(-4).expand(*u.shape[:-4], *u0.shape[-3:])
    return {
        "initial": initial(u0),
        "summary": aggregate(summary(u, before)),
        "temporal": temporal(u).mean(-3),
    }


def initial(u0: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B 14"]:
    """INITIAL: fourteen numbers of an initial condition, without a gradient."""
    return initial_family.features(u0)


def summary(
    u: Float[Tensor, "*B T C H W"],
    u0: Float[Tensor, "*B C H W"],
    groups: Sequence[str] = SUMMARY_GROUPS,
) -> Float[Tensor, "*B D"]:
    """SUMMARY of every trajectory, 36 columns with all groups.

    Args:
        u: u_1 … u_T.
        u0: the state before.
        groups: which groups, in this order.
    """
    shared = series.measure(u, u0)
    return torch.cat([SUMMARY[group].compute(shared) for group in groups], -1).to(u.dtype)


def temporal(
    u: Float[Tensor, "*B T C H W"], groups: Sequence[str] = TEMPORAL_GROUPS
) -> Float[Tensor, "*B T D"]:
    """TEMPORAL of every step, means over the channels where they exist; 51 columns with all groups.

    Raises:
        ValueError: the grid is not square.
    """
    frames = u.reshape(-1, *u.shape[-3:])
    count = max(1, CHUNK // max(1, frames[0].numel()))
    found = torch.cat([_per_frame(chunk, groups) for chunk in frames.split(count)])
    return found.unflatten(0, u.shape[:-3])


def _per_frame(u: Float[Tensor, "B C H W"], groups: Sequence[str]) -> Float[Tensor, "B D"]:
    shared = fields.measure(u)
    values = torch.cat([TEMPORAL[group].compute(shared) for group in groups], -1)
    return mean_where(values, ~values.isnan())


def aggregate(per_trajectory: Float[Tensor, "*B R D"]) -> Float[Tensor, "*B 3D"]:
    r"""Mean, standard deviation and coefficient of variation over the realizations, in blocks.

    $s^2 = \sum (x - \bar x)^2 / (R - 1)$ and $s / |\bar x|$. With R = 1 there is no s. The ratio
    does not exist where $|\bar x| \le 0.1 s$: a mean that is not told from zero is no scale.
    NaN in one realization is NaN in all three.
    """
    count = per_trajectory.shape[-2]
    exists = ~per_trajectory.isnan().any(-2)
    values = torch.where(exists.unsqueeze(-2), per_trajectory, 0)
    mean = values.mean(-2)
    if count == 1:
        return single(torch.where(exists, mean, torch.nan))
    std = root((values - mean.unsqueeze(-2)).square().sum(-2) / (count - 1))
    scaled = mean.abs() > SMALL_MEAN * std
    ratio = torch.where(scaled, std / torch.where(scaled, mean.abs(), 1), torch.nan)
    return torch.cat([torch.where(exists, block, torch.nan) for block in (mean, std, ratio)], -1)


def single(per_trajectory: Float[Tensor, "*B D"]) -> Float[Tensor, "*B 3D"]:
    """The single view: values in the block of means, NaN in those of std and cv."""
    absent = torch.full_like(per_trajectory, torch.nan)
    return torch.cat([per_trajectory, absent, absent], -1)
