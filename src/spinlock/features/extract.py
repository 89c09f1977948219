"""From fields and trajectories to features: the functions that data, agent and scores share.

A value that does not exist is NaN. Nothing depends on the batch that it is computed in, to the
bit. A gradient exists wherever the column says so (`Column.differentiable`) and the value does.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features import fields
from spinlock.features import initial as initial_family
from spinlock.features.fields import Fields
from spinlock.features.names import DEFAULT_SUMMARY, DEFAULT_TEMPORAL, SUMMARY, TEMPORAL
from spinlock.features.numerics import mean_where, root
from spinlock.features.summary.trajectories import Step, Trajectories

CHUNK = 2**20  # values of u described at a time: few calls, and all stays in the cache
SMALL_MEAN = 0.1  # of the standard deviation; a smaller mean is no scale to divide by


def extract(
    u: Float[Tensor, "*B R T C H W"], u0: Float[Tensor, "*B C H W"], step: Step | None = None
) -> dict[str, Float[Tensor, "..."]]:
    """The default groups of all families, of some operators in the aggregated view.

    Args:
        u: rollouts, every realization of an operator.
        u0: the state before, shared by the realizations.
        step: see `describe`.

    Returns:
        `initial` [*B, 14], `summary` [*B, 3 D] (mean, std, cv) and `temporal` [*B, T, D].
    """
    before = u0.unsqueeze(-4).expand(*u.shape[:-4], *u0.shape[-3:])
    per_trajectory, per_step = describe(u, before, DEFAULT_SUMMARY, DEFAULT_TEMPORAL, step)
    return {
        "initial": initial(u0),
        "summary": aggregate(per_trajectory),
        "temporal": per_step.mean(-3),
    }


def initial(u0: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B 14"]:
    """INITIAL: fourteen numbers of an initial condition, without a gradient."""
    return initial_family.features(u0)


def describe(
    u: Float[Tensor, "*B T C H W"],
    u0: Float[Tensor, "*B C H W"],
    summary_groups: Sequence[str],
    temporal_groups: Sequence[str],
    step: Step | None,
) -> tuple[Float[Tensor, "*B D"], Float[Tensor, "*B T D"]]:
    """SUMMARY and TEMPORAL of every trajectory, in one pass over its fields.

    Args:
        u: u_1 … u_T.
        u0: the state before.
        summary_groups: which groups, in this order.
        temporal_groups: which groups, in this order.
        step: the map u_(T-1) → u_T of all trajectories together, with the noise that step T had;
            without it the columns of operator sensitivity are NaN.

    Raises:
        ValueError: the grid is not square.
    """
    of_steps = [SUMMARY[group].of_fields for group in summary_groups]
    wanted = [_channel_mean(TEMPORAL[group].compute) for group in temporal_groups]
    wanted += [function for function in of_steps if function]
    found = iter(_per_step(u, wanted))
    per_step = [next(found) for _ in temporal_groups]
    numbers = {
        group: next(found)
        for group, function in zip(summary_groups, of_steps, strict=True)
        if function
    }
    trajectories = Trajectories(u=u, u0=u0, numbers=numbers, step=step)
    per_trajectory = [SUMMARY[group].compute(trajectories) for group in summary_groups]
    return _joined(per_trajectory, u[..., 0, 0, 0, 0]), _joined(per_step, u[..., 0, 0, 0])


def summary(
    u: Float[Tensor, "*B T C H W"],
    u0: Float[Tensor, "*B C H W"],
    groups: Sequence[str] = DEFAULT_SUMMARY,
    step: Step | None = None,
) -> Float[Tensor, "*B D"]:
    """SUMMARY of every trajectory; see `describe`."""
    return describe(u, u0, groups, (), step)[0]


def temporal(
    u: Float[Tensor, "*B T C H W"], groups: Sequence[str] = DEFAULT_TEMPORAL
) -> Float[Tensor, "*B T D"]:
    """TEMPORAL of every step, means over the channels where they exist.

    Raises:
        ValueError: the grid is not square.
    """
    return describe(u, u[..., 0, :, :, :], (), groups, None)[1]


OfFields = Callable[[Fields], Tensor]


def _per_step(u: Float[Tensor, "*B T C H W"], functions: Sequence[OfFields]) -> list[Tensor]:
    """Functions of the fields of each step, which share what they are made of; [*B, T, D] each."""
    if not functions:
        return []
    frames = u.reshape(-1, *u.shape[-3:])
    parts = []
    for chunk in frames.chunk(-(-frames.numel() // CHUNK)):
        shared = fields.measure(chunk)
        parts.append([function(shared) for function in functions])
    return [torch.cat(part).unflatten(0, u.shape[:-3]) for part in zip(*parts, strict=True)]


def _channel_mean(compute: OfFields) -> OfFields:
    def mean(shared: Fields) -> Float[Tensor, "B D"]:
        values = compute(shared)
        return mean_where(values, ~values.isnan())

    return mean


def _joined(parts: Sequence[Tensor], like: Float[Tensor, "*n"]) -> Float[Tensor, "*n D"]:
    return (
        torch.cat([part.to(like.dtype) for part in parts], -1)
        if parts
        else like[..., None][..., :0]
    )


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
