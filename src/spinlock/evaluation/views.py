"""New rollouts of known operators, as the tokenizer sees them."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int

from spinlock import runtime
from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import FeatureSet
from spinlock.features import extract
from spinlock.noa.losses import groups
from spinlock.rollout import stream
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import Index
from spinlock.sampling.table import Operators
from spinlock.tokenizer.model import Tokenizer


def tokens_again(
    operators: Operators,
    index: Index,
    tokenizer: Tokenizer,
    rows: Int[np.ndarray, " n"],
    workers: int,
) -> dict[int, Int[np.ndarray, " S"]]:
    """Tokens of some operators from another u0 with other noise, by row of the table.

    An operator of which a realization diverges there has none.

    Args:
        operators: the table.
        index: its rollouts, for T, R and the bound.
        tokenizer: the trained one.
        rows: which operators.
        workers: processes of the replay; they change no bit.
    """
    replayed = stream.rollouts(operators.take(rows), index.folder, draw=1, workers=workers)
    found = {}
    for row, rollout in zip(
        rows.tolist(), runtime.progress(replayed, len(rows), "identity"), strict=True
    ):
        if not rollout.diverged_at.any():
            view = aggregated_view([rollout], tokenizer.cleaner)
            found[row] = tokenizer.encode(view).numpy()[0]
    return found


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
