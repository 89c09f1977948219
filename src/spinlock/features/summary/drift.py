"""SUMMARY, group drift: what a trajectory conserves, and how it loses the rest, 60 columns.

x_t is the logarithm of one of the 15 norms of `norms` at step t = 1 … T (the entropy, which is one
already, is taken as it is): of the amplitude for `raw_l2`, of a form otherwise, so that no other
column knows how the amplitude changes. d_t = x_(t+1) − x_t is the drift of a step, ⟨·⟩ and var are
taken over the steps. ε = 1e-5, ten times what float32 leaves of a change: a trajectory that is
frozen drifts by ε, steadily, in no direction. The step u_0 → u_1 is none of them.
"""

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns
from spinlock.features.numerics import variance
from spinlock.features.summary.norms import NORMS, VERSIONS, of_fields
from spinlock.features.summary.trajectories import Trajectories

__all__ = ["COLUMNS", "compute", "of_fields"]

ROUNDING = 1e-5  # ε, of x: with a margin, what float32 leaves of a relative change
STEADY = 1e-2  # relative variance: a drift that varies by less than a tenth is steady
HESITATION = 1e-2  # of a mean square drift: a step shorter than a tenth of it counts in part
LOGARITHMIC = tuple(norm != "entropy" for _ in VERSIONS for norm in NORMS)


def compute(trajectories: Trajectories) -> Float[Tensor, "*B 60"]:
    """The columns of every trajectory, as in `COLUMNS`.

    NaN where a field of it is zero or not finite, and where there are too few steps.
    """
    numbers = trajectories.numbers["drift"].double()
    exists = numbers.isfinite().all(-1).all(-1)
    x = _logarithms(torch.where(exists[..., None, None], numbers, 1))
    absent = torch.full_like(x[..., 0], torch.nan)
    found = [
        function(x) if x.shape[-1] >= needed else absent for function, needed, *_ in STATISTICS
    ]
    return torch.where(exists[..., None], torch.stack(found, -1).flatten(-2), torch.nan)


def _logarithms(numbers: Float[Tensor, "*B T 15"]) -> Float[Tensor, "*B 15 T"]:
    logarithmic = torch.tensor(LOGARITHMIC, device=numbers.device)
    x = torch.where(logarithmic, torch.where(logarithmic, numbers, 1).log(), numbers)
    return x.transpose(-1, -2).contiguous()


def mean_drift(x: Float[Tensor, "*B T"]) -> Float[Tensor, "*B"]:
    return (x.diff(dim=-1).abs().mean(-1) + ROUNDING).log10()


def drift_variance(x: Float[Tensor, "*B T"]) -> Float[Tensor, "*B"]:
    speed = x.diff(dim=-1).abs()
    return (variance(speed) / (speed.mean(-1) + ROUNDING).square() + STEADY).log10()


def final_initial_ratio(x: Float[Tensor, "*B T"]) -> Float[Tensor, "*B"]:
    return x[..., -1] - x[..., 0]


def monotonicity(x: Float[Tensor, "*B T"]) -> Float[Tensor, "*B"]:
    drift = x.diff(dim=-1)
    square = drift.square()
    width = HESITATION * square.mean(-1, keepdim=True) + ROUNDING**2
    return (drift * (square + width).rsqrt()).mean(-1)


class Statistic(NamedTuple):
    """What is known about one statistic of a series; see `Line`."""

    function: Callable[[Float[Tensor, "*B T"]], Float[Tensor, "*B"]]
    needed: int  # steps
    formula: str
    unit: str
    source: str
    purpose: str
    low: float = -math.inf
    high: float = math.inf


STATISTICS = (
    Statistic(
        mean_drift,
        2,
        "log10(<|d|> + 1e-5)",
        "decades",
        "after Hairer, Lubich & Wanner 2006",
        "fast from slow change",
        low=math.log10(ROUNDING),
    ),
    Statistic(
        drift_variance,
        3,
        "log10(var |d| / (<|d|> + 1e-5)^2 + 0.01)",
        "decades",
        "after Pearson 1896",
        "change in bursts from steady change",
        low=math.log10(STEADY),
    ),
    Statistic(final_initial_ratio, 2, "x_T - x_1", "nats", "Malthus 1798", "gain from loss"),
    Statistic(
        monotonicity,
        3,
        "<d / sqrt(d^2 + 0.01 <d^2> + 1e-10)>: steps up less steps down, short ones in part",
        "1",
        "after Moore & Wallis 1943",
        "one-way change from fluctuation",
        low=-1.0,
        high=1.0,
    ),
)
FORMULAS = {
    "l1": "ln(<|v|> / rms v)",
    "l2": "ln(rms v / rms u)",
    "linf": "ln(<v^8>^(1/8) / rms v)",
    "entropy": "-sum p ln p, p the share of a wave in <v^2>",
    "tv": "ln(<|grad v|> / (8 pi rms v))",
}
PARTS = {"raw": "v = u", "low": "v the waves of u with k < 4", "high": "v those with k >= 4"}
QUALITIES = {
    "l1": "evenness",
    "l2": "share",
    "linf": "peaks",
    "entropy": "number of waves",
    "tv": "roughness",
}
PLACES = {"raw": "of the field", "low": "of its large scales", "high": "of its small scales"}


def _lines() -> Iterator[Line]:
    for version, norm in product(VERSIONS, NORMS):
        amplitude = (version, norm) == ("raw", "l2")
        x = "ln rms u" if amplitude else f"{FORMULAS[norm]}, {PARTS[version]}"
        quality = "amplitude" if amplitude else QUALITIES[norm]
        for found in STATISTICS:
            yield Line(
                statistic=f"{version}_{norm}_{found.function.__name__}",
                formula=f"{found.formula}, d the steps of x = {x}",
                unit=found.unit,
                source=found.source,
                purpose=f"{found.purpose} in the {quality} {PLACES[version]}",
                low=found.low,
                high=found.high,
            )


COLUMNS = columns("summary.drift", _lines(), Laws())
