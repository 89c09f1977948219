"""SUMMARY, group temporal: six statistics over rolling windows of three lengths.

A window has w = T/8, T/4 or T/2 steps (rounded down, at least 2) and rolls by one step; m_j, s_j
and b_j are mean, standard deviation and slope of x_t = ln E_t inside the window that starts at j;
a_j the mean activity inside it; r_t is what the least-squares line leaves of x_t.
"""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns
from spinlock.features.numerics import root, slope, variance
from spinlock.features.summary.series import Series

WINDOWS = {"eighth": 8, "quarter": 4, "half": 2}  # part of the trajectory: T / w
SHORTEST = 2  # steps; one has no deviation and no slope
JUMP = 1e-7  # of x: what float32 leaves of a relative change


def compute(series: Series, absent: Float[Tensor, "*B"]) -> Iterator[Float[Tensor, "*B"]]:
    """The columns of every trajectory, as in `COLUMNS`; `absent` where the window is too short."""
    for part in WINDOWS.values():
        width = series.steps // part
        yield from _statistics(series, width) if width >= SHORTEST else [absent] * 6


def _statistics(series: Series, width: int) -> Iterator[Float[Tensor, "*B"]]:
    x = series.log_energy.unfold(-1, width, 1)
    level, spread = x.mean(-1), root(variance(x))
    inside = root(variance(series.remainder.unfold(-1, width, 1))).mean(-1)
    yield ((inside + JUMP) / (root(variance(series.remainder)) + JUMP)).log10()
    yield root(variance(spread)) / (spread.mean(-1) + JUMP)
    shift = (level[..., width:] - level[..., :-width]).abs().amax(-1)
    yield ((shift + JUMP) / (root(spread.square().mean(-1)) + JUMP)).log10()
    steepness = slope(x, series.time[:width])
    yield steepness.mean(-1) / (root(steepness.square().mean(-1)) + JUMP)
    activity = series.floored_activity.unfold(-1, width, 1).mean(-1)
    yield (activity.amax(-1) / series.floored_activity.mean(-1)).log10()
    yield ((spread[..., -1] + JUMP) / (spread[..., 0] + JUMP)).log10()


def _lines() -> Iterator[tuple[str, str, str, str]]:
    for name, part in WINDOWS.items():
        width = f"w = T/{part}"
        ours = "ours"
        yield (
            f"{name}_deviation",
            f"log10((mean of the deviations of r_t inside + 1e-7) / (std r + 1e-7)), {width}",
            "decades",
            "after Peng et al. 1994",
        )
        yield (
            f"{name}_unevenness",
            f"std s_j / (mean s_j + 1e-7), {width}",
            "1",
            "after Engle 1982",
        )
        yield (
            f"{name}_shift",
            f"log10((max |m_(j+w) - m_j| + 1e-7) / (rms s_j + 1e-7)), {width}",
            "decades",
            "after Page 1954",
        )
        yield f"{name}_persistence", f"mean b_j / (rms b_j + 1e-7), {width}", "1", ours
        yield f"{name}_burst", f"log10(max a_j / mean D), {width}", "decades", ours
        yield (
            f"{name}_settling",
            f"log10((s_last + 1e-7) / (s_first + 1e-7)), {width}",
            "decades",
            ours,
        )


COLUMNS = columns("summary.temporal", (Line(*line, "") for line in _lines()), Laws())
