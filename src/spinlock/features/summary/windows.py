"""SUMMARY, group temporal: six statistics over rolling windows of three lengths.

A window has w = T/8, T/4 or T/2 steps (rounded down, at least 2) and rolls by one step; m_j, s_j
and b_j are mean, standard deviation and slope of x_t = ln E_t inside the window that starts at j;
A_j the mean of a_t, t > 1, inside it; r_t is what the least-squares line leaves of x_t.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns
from spinlock.features.numerics import root, spread, trend
from spinlock.features.summary.series import Series

WINDOWS = {"eighth": 8, "quarter": 4, "half": 2}  # part of the trajectory: T / w
SHORTEST = 2  # steps; one has no deviation and no slope
JUMP = 1e-7  # of x: what float32 leaves of a relative change


def compute(series: Series, absent: Float[Tensor, "*B"]) -> Iterator[Float[Tensor, "*B"]]:
    """The columns of every trajectory, as in `COLUMNS`; `absent` where the window is too short."""
    for part in WINDOWS.values():
        width = series.steps // part
        yield from _statistics(series, width) if width >= SHORTEST else [absent] * 6


def _statistics(series: Series, width: int) -> Sequence[Float[Tensor, "*B"]]:
    x = series.log_energy.unfold(-1, width, 1)
    level = x.mean(-1, keepdim=True)
    deviations = torch.linalg.vector_norm(x - level, dim=-1) * width**-0.5
    inside = spread(series.remainder.unfold(-1, width, 1)).mean(-1)
    shift = (level[..., width:, 0] - level[..., :-width, 0]).abs().amax(-1)
    steepness = (x * trend(width, x.device)).sum(-1)
    activity = series.floored_activity.unfold(-1, width, 1).mean(-1)
    burst = activity.amax(-1) / series.floored_activity.mean(-1)
    all_spread = root(series.remainder_variance)
    first, last = deviations[..., 0], deviations[..., -1]
    above = torch.stack([inside, shift, last], -1) + JUMP
    below = torch.stack([all_spread, _rms(deviations), first], -1) + JUMP
    relative, sudden, settling = (above / below).log10().unbind(-1)
    unevenness = spread(deviations) / (deviations.mean(-1) + JUMP)
    persistence = steepness.mean(-1) / (_rms(steepness) + JUMP)
    return relative, unevenness, sudden, persistence, burst.log10(), settling


def _rms(x: Float[Tensor, "*B n"]) -> Float[Tensor, "*B"]:
    return torch.linalg.vector_norm(x, dim=-1) * x.shape[-1] ** -0.5


def _lines() -> Iterator[Line]:
    for name, part in WINDOWS.items():
        width = f"w = T/{part}"
        yield Line(
            f"{name}_deviation",
            f"log10((mean of the deviations of r_t inside + 1e-7) / (std r + 1e-7)), {width}",
            "decades",
            "after Peng et al. 1994",
            "fluctuations faster than the window (0) from slower ones",
            high=math.log10(part / (part - 1)) / 2,
        )
        yield Line(
            f"{name}_unevenness",
            f"std s_j / (mean s_j + 1e-7), {width}",
            "1",
            "after Engle 1982",
            "restless and quiet spells from fluctuation of one strength (0)",
            low=0,
        )
        yield Line(
            f"{name}_shift",
            f"log10((max |m_(j+w) - m_j| + 1e-7) / (rms s_j + 1e-7)), {width}",
            "decades",
            "after Page 1954",
            "a step to another level of energy from fluctuation about one",
        )
        yield Line(
            f"{name}_persistence",
            f"mean b_j / (rms b_j + 1e-7), {width}",
            "1",
            "ours",
            "growth (1) or decay (-1) throughout from rises and falls in turn (0)",
            low=-1,
            high=1,
        )
        yield Line(
            f"{name}_burst",
            f"log10(max A_j / mean a_t), t > 1, {width}",
            "decades",
            "ours",
            "one busy spell, a transient say, from an even pace (0)",
            low=math.log10(part / (part + 1)),
            high=math.log10(1.5 * part - 1),
        )
        yield Line(
            f"{name}_settling",
            f"log10((s_last + 1e-7) / (s_first + 1e-7)), {width}",
            "decades",
            "ours",
            "rollouts that come to rest (negative) from those that become restless",
        )


COLUMNS = columns("summary.temporal", _lines(), Laws())
