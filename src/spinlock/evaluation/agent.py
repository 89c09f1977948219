"""Error curves of the agent and of what needs no agent, operator by operator."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.evaluation import stencil
from spinlock.evaluation.config import Config
from spinlock.evaluation.fields import bounded, score, valid_steps
from spinlock.evaluation.intervals import Bootstrap, centres, intervals
from spinlock.evaluation.resampling import Flat, flat
from spinlock.rollout import policies
from spinlock.sampling.theta import Theta

BASELINES = ("persistence", "train_mean", "policy_alone", "frame_mean", "stencil", "noise_floor")
ABLATIONS = ("no_theta", "shuffled_theta")  # the agent itself, told something else
PREDICTORS = ("agent", *BASELINES, *ABLATIONS)
WINDOWS = ((1, 1), (2, 5), (6, 12), (13, 30), (31, 64))  # steps, both ends included
SHARES = ("bounded", "quiescent")  # of rollouts, and of frames and channels of the truth
BANDS = ("low", "mid", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Scores of one predictor on n operators; NaN where the truth has none to give."""

    vrmse: Float[np.ndarray, "n T"]
    mse: Float[np.ndarray, "n T"]
    spectral_error: Float[np.ndarray, "n T 3"]
    spectral_octaves: Float[np.ndarray, "n T 3"]
    quiescent: Float[np.ndarray, "n T"]
    bounded: Float[np.ndarray, " n"]  # 1 or 0

    def take(self, rows: np.ndarray) -> "Curves":
        """Some of the operators."""
        return Curves(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def stack(parts: Sequence[Curves]) -> Curves:
    """The operators of all parts, in order."""
    names = [f.name for f in fields(Curves)]
    return Curves(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def curves(
    predicted: Float[Tensor, "T C H W"], truth: Float[Tensor, "T C H W"], bound: float
) -> Curves:
    """Scores of one predicted trajectory, as curves of one operator."""
    found = score(predicted, truth)
    return Curves(
        vrmse=found.vrmse[None].numpy(),
        mse=found.mse[None].numpy(),
        spectral_error=found.spectral_error[None].numpy(),
        spectral_octaves=found.spectral_octaves[None].numpy(),
        quiescent=found.quiescent[None].numpy(),
        bounded=np.array([float(bounded(predicted, bound))]),
    )


def noise_floor(u: Float[Tensor, "R T C H W"], bound: float) -> Curves:
    """Realizations 1 … R − 1 as predictions of realization 0, averaged; NaN if R = 1.

    For independent noise this is √2 times the error of the best deterministic prediction, which
    may therefore lie below it.
    """
    nothing = torch.full_like(u[0], torch.nan)
    parts = stack(
        [curves(other, u[0], bound) for other in u[1:]] or [curves(nothing, nothing, bound)]
    )
    if len(u) == 1:
        return parts
    return Curves(**{f.name: getattr(parts, f.name).mean(0, keepdims=True) for f in fields(Curves)})


def policy_alone(
    u0: Float[Tensor, "C H W"], theta: Theta, steps: int
) -> Float[Tensor, "{steps} C H W"]:
    """The trajectory of the update policy if O were 0: 0, u0, or αᵗ u0 (convex)."""
    keep, _ = policies.coefficients(theta)
    return torch.full((steps, 1, 1, 1), keep).cumprod(0) * u0


def linear_stencil(
    u0: Float[Tensor, "C H W"], truth: Float[Tensor, "T C H W"], bound: float
) -> Curves:
    """Scores of the stencil fitted on the first steps of the truth; NaN at those."""
    unseen = truth.clone()
    unseen[: stencil.STEPS] = torch.nan
    return curves(stencil.trajectory(u0, truth), unseen, bound)


def frame_mean(
    truth: Float[Tensor, "T C H W"],
) -> Float[Tensor, "T C H W"]:
    """The mean of each channel of each true frame, which nobody who predicts knows: VRMSE is 1."""
    return truth.mean((-2, -1), keepdim=True).expand_as(truth)


def persistence(u0: Float[Tensor, "C H W"], steps: int) -> Float[Tensor, "{steps} C H W"]:
    """Nothing ever changes."""
    return u0.expand(steps, *u0.shape)


def metrics(
    found: Mapping[str, Curves], config: Config, how: Bootstrap, *, same_start: bool = True
) -> dict[str, float | int | None]:
    """Flat metrics of a group of operators: the agent's with intervals, medians of the others.

    Keys are `vrmse_8` for the agent (median; also `_mean`, `_low`, `_high`) and
    `vrmse_8_persistence` for a baseline; a horizon beyond T is null.

    * `vrmse_8_minus_persistence`: median over operators of the agent's error less the baseline's
      on the same operator, with its interval. Bad case: at least 0.
    * `vrmse_8_possible`: the noise floor over √2, which independent noise leaves to the best
      deterministic prediction; `mse_8_possible`: half the noise floor.

    Args:
        found: curves by predictor.
        config: steps and thresholds.
        how: resamples and the smallest group.
        same_start: whether all realizations start at the field that the agent starts at; if not,
            as after a context, their floor says nothing of what is possible.
    """
    agent = found["agent"]
    result: dict[str, float | int | None] = {"count": len(agent.vrmse)}
    headline = _headline(agent, config)
    values = np.stack(list(headline.values()), axis=1)
    medians, means = intervals(values, "median", how), intervals(values, "mean", how)
    for name, median, mean in zip(headline, medians, means, strict=True):
        result |= {name: median.value, f"{name}_mean": mean.value}
        result |= {f"{name}_low": median.low, f"{name}_high": median.high}
    for predictor in (name for name in found if name != "agent"):
        unscored = stencil.STEPS if predictor == "stencil" else 0
        others = _headline(found[predictor], config, unscored)
        centre, _ = centres(np.stack(list(others.values()), axis=1), "median", how)
        result |= {f"{name}_{predictor}": m for name, m in zip(others, _plain(centre), strict=True)}
        result |= _differences(headline, others, predictor, how)
    for name in headline:
        if name.startswith(("vrmse_", "mse_")):
            floor = result[f"{name}_noise_floor"]
            share = 0.5 if name.startswith("mse_") else math.sqrt(0.5)  # of independent noise
            lost = None if floor is None or not same_start else share * floor
            result[f"{name}_possible"] = lost
    shares = np.stack([agent.bounded, _mean_over_steps(agent.quiescent)], axis=1)
    return result | dict(zip(SHARES, _plain(centres(shares, "mean", how)[0]), strict=True))


def _differences(
    own: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray], predictor: str, how: Bootstrap
) -> Flat:
    """Medians of the paired differences of VRMSE; of two infinite errors there is none."""
    names = [name for name in own if name.startswith("vrmse_")]
    with np.errstate(invalid="ignore"):
        values = np.stack([own[name] - others[name] for name in names], axis=1)
    result: Flat = {}
    for name, found in zip(names, intervals(values, "median", how), strict=True):
        result |= flat(f"{name}_minus_{predictor}", found)
    return result


def _plain(values: Float[np.ndarray, " D"]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _headline(found: Curves, config: Config, unscored: int = 0) -> dict[str, np.ndarray]:
    """One score per operator for each headline step, window, band, and the valid time.

    What is about the first steps has no score if these are not scored: means over others, or the
    first step with a large error, would be of another kind than everybody else's.
    """
    num_operators, num_steps = found.vrmse.shape
    beyond = np.full(num_operators, np.nan)
    scores = {}
    for step in config.headline_steps:
        inside = step <= num_steps
        scores[f"vrmse_{step}"] = found.vrmse[:, step - 1] if inside else beyond
        scores[f"mse_{step}"] = found.mse[:, step - 1] if inside else beyond
    for first, last in WINDOWS:
        window = found.vrmse[:, first - 1 : last]
        inside = unscored < first and last <= num_steps
        scores[f"vrmse_{first}_to_{last}"] = _mean_over_steps(window) if inside else beyond
    whole = {
        f"{name}_{band}": _mean_over_steps(getattr(found, name)[..., index])
        for index, band in enumerate(BANDS)
        for name in ("spectral_error", "spectral_octaves")
    }
    whole["valid_steps"] = valid_steps(torch.from_numpy(found.vrmse), config.valid_vrmse).numpy()
    return scores | (dict.fromkeys(whole, beyond) if unscored else whole)


def _mean_over_steps(values: Float[np.ndarray, "n T"]) -> Float[np.ndarray, " n"]:
    """Mean over the steps that exist; NaN if none does."""
    exists = ~np.isnan(values)
    total = np.where(exists, values, 0.0).sum(1)
    count = exists.sum(1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
