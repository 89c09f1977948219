"""How good an ensemble is: sharp, and as uncertain as it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.evaluation import emulation
from spinlock.evaluation.intervals import Bootstrap, interval
from spinlock.noa import stochastic
from spinlock.noa.model import Agent
from spinlock.rollout.index import Index
from spinlock.sampling.table import Operators

Metrics = dict[str, float | int | None]
EPSILON = 1e-7  # of the variance, as in VRMSE
KINDS = ("", "_deterministic", "_truth")
SHOWN = {"crps": KINDS, "spread_skill": ("", "_truth")}  # one member has no spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Of one operator, by kind of ensemble and step."""

    crps: Float[np.ndarray, "3 T"]
    spread_skill: Float[np.ndarray, "3 T"]


def crps(
    members: Float[Tensor, "M *batch"], truth: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    r"""Continuous ranked probability score, fair for M members (Ferro 2014).

    $\frac1M \sum_i |x_i - y| - \frac{1}{2 M (M - 1)} \sum_{i,j} |x_i - x_j|$: in the unit of the
    field, 0 is perfect; of a single member it is the absolute error.
    """
    count = len(members)
    error = (members - truth).abs().mean(0)
    if count == 1:
        return error
    apart = sum((members - member).abs().sum(0) for member in members)
    return error - apart / (2 * count * (count - 1))


def spread_over_skill(
    members: Float[Tensor, "M T C H W"], truth: Float[Tensor, "T C H W"]
) -> Float[Tensor, " T"]:
    r"""Spread of an ensemble over the error of its mean, by step: 1 is calibrated, less too sure.

    $\sqrt{(1 + 1/M)\,\overline{s^2}} / \mathrm{RMSE}$, $s^2$ the unbiased variance over members,
    means over channels and cells (Fortin et al. 2014); NaN for a single member.
    """
    count = len(members)
    if count == 1:
        return torch.full((len(truth),), torch.nan)
    spread = (1 + 1 / count) * members.var(0).mean((1, 2, 3))
    skill = (members.mean(0) - truth).square().mean((1, 2, 3))
    return (spread / skill).sqrt()


def relative_crps(
    members: Float[Tensor, "M T C H W"], truth: Float[Tensor, "T C H W"]
) -> Float[Tensor, " T"]:
    """CRPS in standard deviations of the true frame over its grid, mean over the channels."""
    size = (truth.var((-2, -1), correction=0) + EPSILON).sqrt()
    return (crps(members, truth).mean((-2, -1)) / size).mean(1)


def score(agent: Agent, index: Index, members: int, one: Operators) -> Scores:
    """The agent's ensemble, its rollout without noise, and the other realizations of the truth.

    All are compared with realization 0 of the operator, after what the agent was shown if it asks
    for a context.
    """
    seen, rollout = agent.context_steps, index.read(one, 0)
    context = torch.cat([rollout.u0[None], rollout.u[0, :seen]])[None] if seen else None
    later = emulation.after(rollout, seen)
    truth, start = later.u[0], later.u0[None]
    others = later.u[1:] if len(later.u) > 1 else torch.full_like(later.u, torch.nan)
    compared = (
        stochastic.ensemble(agent, one, start, len(truth), members, context)[0],
        agent.rollout(one, start, len(truth), context),
        others,
    )
    return Scores(
        crps=np.stack([relative_crps(own, truth).numpy() for own in compared]),
        spread_skill=np.stack([spread_over_skill(own, truth).numpy() for own in compared]),
    )


def metrics(found: Sequence[Scores], steps: Sequence[int], how: Bootstrap) -> Metrics:
    """Medians over operators at the headline steps, with intervals.

    `crps_8` and `spread_skill_8` are the ensemble's, `crps_8_deterministic` of the rollout without
    noise, `…_truth` of realizations 1 … R − 1 as an ensemble. Null beyond T, where there is no
    spread, and for a group that is too small.
    """
    result: Metrics = {"ensemble_count": len(found)}
    for step, (name, kinds) in product(steps, SHOWN.items()):
        for kind in kinds:
            curves = [getattr(own, name)[KINDS.index(kind)] for own in found]
            values = [curve[step - 1] if step <= len(curve) else np.nan for curve in curves]
            middle = interval(np.array(values), "median", how)
            key = f"{name}_{step}{kind}"
            result |= {key: middle.value, f"{key}_low": middle.low, f"{key}_high": middle.high}
    return result
