"""New rollouts of known operators, as the tokenizer sees them."""

import numpy as np
from jaxtyping import Int

from spinlock import runtime
from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import FeatureSet
from spinlock.features import extract
from spinlock.features.summary.trajectories import Step
from spinlock.noa.losses import groups
from spinlock.rollout import stream
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import Index
from spinlock.rollout.last_step import last_step
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
            step = last_step(operators, row, index, draw=1)
            view = aggregated_view(rollout, tokenizer.cleaner, step)
            found[row] = tokenizer.encode(view).numpy()[0]
    return found


def aggregated_view(rollout: Rollout, cleaner: Cleaner, step: Step | None) -> FeatureSet:
    """Features of all realizations of one operator, aggregated as in the data.

    Args:
        rollout: its trajectories.
        cleaner: says which groups are needed.
        step: the map u_(T-1) → u_T of all realizations, see `last_step`; without it operator
            sensitivity is missing.
    """
    u0 = rollout.u0.expand(len(rollout.u), *rollout.u0.shape)
    names = groups(cleaner.summary.names), groups(cleaner.temporal.names)
    summary, temporal = extract.describe(rollout.u, u0, *names, step)
    return FeatureSet(
        initial=extract.initial(rollout.u0[None]),
        summary=extract.aggregate(summary)[None],
        temporal=temporal.mean(0)[None],
        fields=rollout.u0[None],
    )
