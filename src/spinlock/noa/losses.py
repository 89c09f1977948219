r"""What the agent is trained on: $L = L_{traj} + λ_1 L_{latent} + λ_2 L_{commit}$."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.cleaning.cleaner import Cleaner
from spinlock.cleaning.sets import Cleaned, FeatureSet
from spinlock.features import extract
from spinlock.features.summary.trajectories import Step
from spinlock.tokenizer.model import Tokenizer


def trajectory(
    predicted: Float[Tensor, "n h C H W"],
    target: Float[Tensor, "n h C H W"],
    scale: Float[Tensor, "n h"],
) -> Float[Tensor, " n"]:
    r"""$L_{traj} = \frac1h \sum_t \langle (\hat u_t - u_t)^2 \rangle / s_t$ of each window.

    s_t is the operator's own unit of errors t steps after the start (`windows.unit`), so that a
    slow operator counts as much as a fast one: 1 at one step is what the prediction "nothing
    changes" gets.
    """
    return ((predicted - target).square().mean((2, 3, 4)) / scale).mean(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Where behaviour is compared."""

    tokenizer: Tokenizer  # frozen; see `freeze`
    bound: float  # largest |u| of a rollout that counts
    commit_to: Literal["nearest", "target"]  # codes of L_commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """Alignment losses of some rollouts, where the prediction stays within the bound."""

    latent: Float[Tensor, ""]
    commitment: Float[Tensor, ""]
    code: Float[Tensor, ""]
    masked: int  # predictions beyond the bound, left out


def single_view(
    u: Float[Tensor, "n T C H W"],
    u0: Float[Tensor, "n C H W"],
    cleaner: Cleaner,
    step: Step | None,
) -> FeatureSet:
    """Features of trajectories by the functions of the data; differentiable in u.

    Args:
        u: u_1 … u_T.
        u0: the state before.
        cleaner: says which groups are needed.
        step: the map u_(T-1) → u_T of what made them; without it operator sensitivity is missing.
    """
    names = groups(cleaner.summary.names), groups(cleaner.temporal.names)
    summary, temporal = extract.describe(u, u0, *names, step)
    return FeatureSet(
        initial=extract.initial(u0), summary=extract.single(summary), temporal=temporal, fields=u0
    )


def groups(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Groups of raw columns `family.group.statistic`, in their order."""
    return tuple(dict.fromkeys(name.split(".")[1] for name in columns))


def freeze(tokenizer: Tokenizer) -> Tokenizer:
    """Fix the tokenizer's parameters; gradients still pass through it."""
    return tokenizer.eval().requires_grad_(False)


def alignment(
    predicted: Float[Tensor, "n T C H W"],
    target: Float[Tensor, "n T C H W"],
    u0: Float[Tensor, "n C H W"],
    space: Space,
) -> Aligned:
    r"""$L_{latent}$, $L_{commit}$ and $L_{vq}$ of whole rollouts under a frozen tokenizer.

    $L_{latent}$: mean squared difference between the latents (before quantization) of predicted
    and target features, in standard deviations of the training operators. $L_{commit}$: squared
    distance of the predicted latents to their own nearest codes, or to those of the target
    (`commit_to`). $L_{vq}$: squared distance of the codes of the prediction to those of the target,
    with the straight-through gradient. Categories of INITIAL columns are left out: u0 is given.
    Operator sensitivity is missing on both sides, as six more steps would be needed.
    """
    within = predicted.detach().abs().amax((1, 2, 3, 4)) <= space.bound
    if not within.any():
        zero = predicted.nan_to_num().sum() * 0
        return Aligned(latent=zero, commitment=zero, code=zero, masked=len(within))
    tokenizer = space.tokenizer
    found = _latents(predicted[within], u0[within], tokenizer)
    with torch.no_grad():
        wanted = _latents(target[within], u0[within], tokenizer)
        target_codes = tokenizer.quantize(wanted)
    codes = target_codes.tokens if space.commit_to == "target" else None
    apart = (tokenizer.quantize(found).latents - target_codes.latents).square().sum(-1)
    dynamic = _dynamic(tokenizer)
    difference = tokenizer.standardize(found) - tokenizer.standardize(wanted)
    return Aligned(
        latent=difference[:, dynamic].square().mean(),
        commitment=tokenizer.code_distance(found, codes)[:, dynamic].mean(),
        code=apart[:, dynamic].mean(),
        masked=int((~within).sum()),
    )


def _latents(u: Tensor, u0: Tensor, tokenizer: Tokenizer) -> Float[Tensor, "n G E"]:
    cleaned: Cleaned = tokenizer.cleaner.apply(
        single_view(u, u0, tokenizer.cleaner, None), smooth=True
    )
    return tokenizer.latents(cleaned)


def _dynamic(tokenizer: Tokenizer) -> Bool[Tensor, " G"]:
    """True for the categories that own SUMMARY or TEMPORAL columns."""
    return torch.tensor([not category.isolated for category in tokenizer.layout.categories])
