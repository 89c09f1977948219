"""Raw features of new rollouts in the aggregated view, with the columns that a cleaner expects."""

from collections.abc import Sequence

import torch

from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import FeatureSet
from spinlock.features import extract
from spinlock.noa.losses import groups
from spinlock.rollout.engine import Rollout


def aggregated_view(rollouts: Sequence[Rollout], cleaner: Cleaner) -> FeatureSet:
    """Features of all realizations of each operator, aggregated as in the data."""
    summary, temporal = [], []
    for rollout in rollouts:
        u0 = rollout.u0.expand(len(rollout.u), *rollout.u0.shape)
        per_trajectory = extract.summary(rollout.u, u0, groups(cleaner.summary.names))
        summary.append(extract.aggregate(per_trajectory))
        temporal.append(extract.temporal(rollout.u, groups(cleaner.temporal.names)).mean(0))
    fields = torch.stack([rollout.u0 for rollout in rollouts])
    return FeatureSet(
        initial=extract.initial(fields),
        summary=torch.stack(summary),
        temporal=torch.stack(temporal),
        fields=fields,
    )
