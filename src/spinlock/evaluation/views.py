"""Raw features of new trajectories, in the views and with the columns that a cleaner expects."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import FeatureSet
from spinlock.features import extract
from spinlock.rollout.engine import Rollout


def single_view(
    u: Float[Tensor, "n T C H W"], u0: Float[Tensor, "n C H W"], cleaner: Cleaner
) -> FeatureSet:
    """Features of one trajectory of each operator."""
    return FeatureSet(
        initial=extract.initial(u0),
        summary=extract.single(extract.summary(u, u0, groups(cleaner, "summary"))),
        temporal=extract.temporal(u, groups(cleaner, "temporal")),
        fields=u0,
    )


def aggregated_view(rollouts: Sequence[Rollout], cleaner: Cleaner) -> FeatureSet:
    """Features of all realizations of each operator, aggregated as in the data."""
    summary, temporal = [], []
    for rollout in rollouts:
        u0 = rollout.u0.expand(len(rollout.u), *rollout.u0.shape)
        per_trajectory = extract.summary(rollout.u, u0, groups(cleaner, "summary"))
        summary.append(extract.aggregate(per_trajectory))
        temporal.append(extract.temporal(rollout.u, groups(cleaner, "temporal")).mean(0))
    fields = torch.stack([rollout.u0 for rollout in rollouts])
    return FeatureSet(
        initial=extract.initial(fields),
        summary=torch.stack(summary),
        temporal=torch.stack(temporal),
        fields=fields,
    )


def groups(cleaner: Cleaner, family: str) -> tuple[str, ...]:
    """Groups of a family's raw columns (`family.group.statistic`), in their order."""
    names = cleaner.family(family).names
    return tuple(dict.fromkeys(name.split(".")[1] for name in names))
