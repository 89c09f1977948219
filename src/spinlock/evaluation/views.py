"""New rollouts of known operators, as the tokenizer sees them."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from jaxtyping import Int

from spinlock import runtime, workers
from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import FeatureSet
from spinlock.features import extract
from spinlock.features.summary.trajectories import Step
from spinlock.noa.losses import groups
from spinlock.rollout.engine import Rollout, roll_out
from spinlock.rollout.index import Index
from spinlock.rollout.last_step import last_step
from spinlock.sampling.table import Operators
from spinlock.tokenizer.model import Tokenizer

TOGETHER = 4  # operators of a job; each job takes the tokenizer along
Tokens = Int[np.ndarray, " S"]


def tokens_again(
    operators: Operators,
    index: Index,
    tokenizer: Tokenizer,
    rows: Int[np.ndarray, " n"],
    run: workers.Run = workers.here,
) -> Iterator[tuple[int, Tokens]]:
    """Tokens of some operators from another u0 with other noise, each with its row of the table.

    An operator of which a realization diverges there has none.

    Args:
        operators: the table.
        index: its rollouts, for T, R and the bound.
        tokenizer: the trained one.
        rows: which operators.
        run: what runs the replays, which start at once.

    Raises:
        Refusal: the rollouts were made from another table.
    """
    index.check(operators.take(rows))
    parts = [rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER)]
    jobs = [partial(_again, operators.take(part), index, tokenizer) for part in parts]
    found = runtime.progress(run(jobs), len(jobs), "identity")
    return (
        (int(row), tokens)
        for part, several in zip(parts, found, strict=True)
        for row, tokens in zip(part, several, strict=True)
        if tokens is not None
    )


def _again(operators: Operators, index: Index, tokenizer: Tokenizer) -> list[Tokens | None]:
    """Tokens of the replays of some operators; none where one diverges."""
    found: list[Tokens | None] = []
    for row in range(len(operators)):
        rollout = roll_out(operators, row, index, draw=1)
        if rollout.diverged_at.any():
            found.append(None)
            continue
        step = last_step(operators, row, index, draw=1)
        view = aggregated_view(rollout, tokenizer.cleaner, step)
        found.append(tokenizer.encode(view).numpy()[0])
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
