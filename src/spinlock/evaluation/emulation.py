"""The agent beside the truth: every operator rolled out once, scored and tokenized."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.evaluation import ablations
from spinlock.evaluation import agent as scores
from spinlock.evaluation.agent import Curves
from spinlock.noa.losses import single_view
from spinlock.noa.model import Agent
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import Index
from spinlock.sampling.table import Operators
from spinlock.tokenizer.model import Tokenizer

SHOWN_CHANNEL = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Everything that scoring any operators needs."""

    index: Index
    agent: Agent
    tokenizer: Tokenizer
    train_mean: Float[Tensor, "T C H W"]
    shown_steps: tuple[int, ...]  # steps whose frames are kept for pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some operators that go through the agent together."""

    rows: Int[np.ndarray, " n"]  # in the operator table
    operators: Operators
    told: Mapping[str, Float[Tensor, "n P"]]  # by ablation, see `ablations.inputs`
    partners: Operators  # another for each, see `ablations.partners`


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulation:
    """What came of rolling the agent out beside n operators."""

    rows: Int[np.ndarray, " n"]  # in the operator table
    steps: tuple[int, ...]  # shown in pictures
    curves: dict[str, Curves]  # by predictor
    tokens: dict[str, Int[np.ndarray, "n S"]]  # of predicted trajectories, by predictor
    truth: Float[np.ndarray, "n S H W"]  # one channel at the shown steps, realization 0
    predicted: Float[np.ndarray, "n S H W"]  # the agent's


def batches(
    agent: Agent, operators: Operators, rows: Int[np.ndarray, " n"], size: int
) -> Iterator[Batch]:
    """Some rows of the operator table, in order, so many at a time."""
    told = ablations.inputs(agent, operators)
    partners = ablations.partners(operators.seed, len(operators))
    for start in range(0, len(rows), size):
        own = rows[start : start + size]
        yield Batch(
            rows=own,
            operators=operators.take(own),
            told={name: columns[own] for name, columns in told.items()},
            partners=operators.take(partners[own]),
        )


def emulate(judge: Judge, batch: Batch) -> Emulation:
    """Roll the agent out for some operators and score it beside its baselines.

    The truth is realization 0. All operators go through the agent together, so its last bits
    depend on which rows come together, and on nothing else. An agent with a context starts at the
    last true field that it has seen, u_c; so does every predictor beside it, and steps are counted
    from there.
    """
    operators = batch.operators
    truths = [judge.index.read(operators, row) for row in range(len(operators))]
    u0 = torch.stack([truth.u0 for truth in truths])
    first = judge.agent.context_steps
    context = _context(truths, first)
    later = [after(truth, first) for truth in truths]
    start = torch.stack([truth.u0 for truth in later])
    own = _rollouts(judge, batch, start, context)
    found = [
        _score(judge, operators, row, truth)
        | _scored(judge, {name: u[row] for name, u in own.items()}, truth)
        for row, truth in enumerate(later)
    ]
    steps, shown = judge.index.steps, [step - 1 for step in judge.shown_steps]
    seen = torch.stack([truth.u[0, :first] for truth in truths])
    predicted = torch.cat([seen, own["agent"]], 1)
    still = start[:, None].expand(-1, steps - first, -1, -1, -1)
    predictions = {
        "agent": (predicted, judge.agent.step_map(operators, steps - first - 1, context)),
        "persistence": (torch.cat([seen, still], 1), _stay),
    }
    return Emulation(
        rows=batch.rows,
        steps=judge.shown_steps,
        curves={name: scores.stack([f[name] for f in found]) for name in found[0]},
        tokens={
            name: judge.tokenizer.encode(single_view(u, u0, judge.tokenizer.cleaner, step)).numpy()
            for name, (u, step) in predictions.items()
        },
        truth=torch.stack([t.u[0, shown, SHOWN_CHANNEL] for t in truths]).numpy(),
        predicted=predicted[:, shown, SHOWN_CHANNEL].numpy(),
    )


def _context(truths: Sequence[Rollout], count: int) -> Float[Tensor, "n k C H W"] | None:
    """u_0 … u_c of realization 0, if the agent asks for them."""
    if not count:
        return None
    return torch.stack([torch.cat([truth.u0[None], truth.u[0, :count]]) for truth in truths])


def after(truth: Rollout, count: int) -> Rollout:
    """A rollout from the field on that realization 0 has reached after so many steps.

    The other realizations have reached other fields by then, so as a floor or as an ensemble they
    know less than a predictor that starts at that field.
    """
    if not count:
        return truth
    return replace(truth, u0=truth.u[0, count - 1], u=truth.u[:, count:])


def _rollouts(
    judge: Judge,
    batch: Batch,
    start: Float[Tensor, "n C H W"],
    context: Float[Tensor, "n k C H W"] | None,
) -> dict[str, Float[Tensor, "n t C H W"]]:
    """Rollouts of the agent and of its ablations: with another θ, or another operator's context."""
    agent, steps = judge.agent, judge.index.steps - judge.agent.context_steps
    roll = partial(agent.rollout, batch.operators, start, steps)
    found = {"agent": roll(context)}
    found |= {name: roll(context, told=own) for name, own in batch.told.items()}
    if context is not None:
        others = batch.partners
        truths = [judge.index.read(others, row) for row in range(len(others))]
        found["shuffled_context"] = roll(_context(truths, agent.context_steps), shown_by=others)
    return found


def _stay(u: Tensor) -> Tensor:
    """A step of persistence."""
    return u


def _score(judge: Judge, operators: Operators, row: int, truth: Rollout) -> dict[str, Curves]:
    """Curves of every baseline on one operator."""
    steps, bound = truth.u.shape[1], judge.index.bound
    predictions = {
        "persistence": scores.persistence(truth.u0, steps),
        "train_mean": judge.train_mean[-steps:],
        "policy_alone": scores.policy_alone(truth.u0, operators.theta[row], steps),
        "frame_mean": scores.frame_mean(truth.u[0]),
    }
    return {
        **_scored(judge, predictions, truth),
        "stencil": scores.linear_stencil(truth.u0, truth.u[0], bound),
        "noise_floor": scores.noise_floor(truth.u, bound),
    }


def _scored(judge: Judge, predictions: Mapping[str, Tensor], truth: Rollout) -> dict[str, Curves]:
    bound = judge.index.bound
    return {name: scores.curves(u, truth.u[0], bound) for name, u in predictions.items()}


def join(parts: Sequence[Emulation]) -> Emulation:
    """All operators of some batches, in order."""
    first = parts[0]
    return Emulation(
        rows=np.concatenate([p.rows for p in parts]),
        steps=first.steps,
        curves={name: scores.stack([p.curves[name] for p in parts]) for name in first.curves},
        tokens={name: np.concatenate([p.tokens[name] for p in parts]) for name in first.tokens},
        truth=np.concatenate([p.truth for p in parts]),
        predicted=np.concatenate([p.predicted for p in parts]),
    )


def mean_trajectory(
    operators: Operators, index: Index, rows: Iterable[int]
) -> Float[Tensor, "T C H W"]:
    """Mean over some operators of their realization 0, at each step."""
    total = torch.zeros(index.contents.shapes.u[1:], dtype=torch.float64)
    count = 0
    for row in rows:
        total += index.read(operators, row).u[0]
        count += 1
    return (total / count).float()
