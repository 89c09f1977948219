"""SUMMARY, group nonlinear: compressibility, recurrence and chaos of a trajectory, 10 columns.

Three views of a trajectory: its fields written in symbols (`symbols`); the distances D of its
states, s the root mean square over the P pairs (`recurrence`); the series x_t = ln E_t of its
energy, and r_t, what its least-squares line leaves (`chaos`). No column has a gradient. NaN where
there are too few steps, where no two states differ, and where the series does not fluctuate, up
to rounding.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns
from spinlock.features.summary import chaos, recurrence, symbols
from spinlock.features.summary.trajectories import Trajectories

FEW = 8  # steps that states and orders need
SOME = 24  # steps that windows and lags of several lengths need


def compute(trajectories: Trajectories) -> Float[Tensor, "*B 10"]:
    """The columns of every trajectory, as in `COLUMNS`; NaN where undefined.

    One trajectory at a time, so that the batch cannot reach a bit.
    """
    series, steps = trajectories.series, trajectories.series.steps
    u = trajectories.u.detach()
    rows = zip(
        u.reshape(-1, *u.shape[-4:]),
        series.log_energy.detach().reshape(-1, steps).cpu().numpy(),
        series.remainder.detach().reshape(-1, steps).cpu().numpy(),
        series.defined.flatten().tolist(),
        series.fluctuates.flatten().tolist(),
        strict=True,
    )
    found = [_of_one(_views(*row)) for row in rows]
    return torch.tensor(found, dtype=torch.float64).reshape(*u.shape[:-4], len(TABLE)).to(u)


def _views(
    u: Float[Tensor, "T C H W"],
    x: Float[np.ndarray, "T"],
    r: Float[np.ndarray, "T"],
    defined: bool,
    fluctuates: bool,
) -> dict[str, np.ndarray | None]:
    """What the columns of one trajectory are functions of; what does not exist is not there."""
    if not defined:
        return {}
    steps = len(u)
    found: dict[str, np.ndarray | None] = {"symbols": symbols.levels(u)}
    if steps >= FEW:
        found["distance"] = recurrence.distances(u.double().flatten(1).cpu().numpy())
        found["series"] = x
    if steps >= SOME and fluctuates:
        found["remainder"] = r
    return found


def _of_one(views: dict[str, np.ndarray | None]) -> list[float]:
    found = []
    for view, function, _ in TABLE:
        values = views.get(view)
        found.append(math.nan if values is None else function(values))
    return found


# the view that a column is made of, its function, and what is known about it
TABLE: tuple[tuple[str, Callable[[np.ndarray], float], Line], ...] = (
    (
        "symbols",
        symbols.gzip_ratio,
        Line(
            "gzip_ratio",
            "bytes after / before DEFLATE at effort 6; a byte is the part of 255 of its channel's "
            "range that a value on 32^2 points is in, frame after frame",
            "1",
            "Deutsch 1996; Cilibrasi & Vitanyi 2005",
            "random from ordered fields: complexity as a file archiver sees it",
            0,
            1 + 11 / 32**2,  # DEFLATE frames incompressible bytes in 11 more
        ),
    ),
    (
        "symbols",
        symbols.lempel_ziv,
        Line(
            "lempel_ziv",
            "c log2 c / n, c phrases in n symbols: above the channel's median or not, 16^2 points, "
            "history after history",
            "bits",
            "Ziv & Lempel 1978",
            "points that change at random from points that stay or repeat",
            0,
        ),
    ),
    (
        "distance",
        recurrence.recurrence_rate,
        Line(
            "recurrence_rate",
            "share of the pairs of states with D < s / 4",
            "1",
            "Eckmann et al. 1987",
            "states that come back or rest from states that are always new",
            0,
            1,
        ),
    ),
    (
        "distance",
        recurrence.determinism,
        Line(
            "determinism",
            "share of recurrences (the tenth of the pairs with the smallest D) with a recurrence "
            "one step before or after both",
            "1",
            "Webber & Zbilut 1994",
            "paths that run side by side from chance encounters",
            0,
            1,
        ),
    ),
    (
        "distance",
        recurrence.laminarity,
        Line(
            "laminarity",
            "share of recurrences (the tenth of the pairs with the smallest D) with a recurrence "
            "one step before or after one of the two",
            "1",
            "Marwan et al. 2002",
            "phases of rest or slow change from motion and from oscillation",
            0,
            1,
        ),
    ),
    (
        "distance",
        recurrence.correlation_dimension,
        Line(
            "correlation_dimension",
            "least-squares slope of ln(P C(d) + 1) on ln d, C the share of pairs with D < d, "
            "d = s 2^(-j/2), j = 0 ... 6",
            "1",
            "Grassberger & Procaccia 1983",
            "states on a few points (0), a line (1), or spread over many dimensions",
            0,
        ),
    ),
    (
        "series",
        chaos.permutation_entropy,
        Line(
            "permutation_entropy",
            "entropy of the order of x_t, x_(t+1), x_(t+2) / ln 6; falls below 1e-6 are none",
            "1",
            "Bandt & Pompe 2002",
            "monotonic (0) from periodic, chaotic and random (1) energy",
            0,
            1,
        ),
    ),
    (
        "remainder",
        chaos.sample_entropy,
        Line(
            "sample_entropy",
            "-ln((A + 1) / (B + 1)), B pairs of runs of 2 steps of r_t within 0.2 std of each "
            "other, A those whose third step is, too",
            "nats",
            "Richman & Moorman 2000",
            "energy that its own past foretells from energy that surprises",
            0,
        ),
    ),
    (
        "remainder",
        chaos.dfa_exponent,
        Line(
            "dfa_exponent",
            "slope of ln F(n) on ln n, F^2 the mean square of what lines leave of the sums of r_t "
            "in all windows of n steps, n = 4 ... T/4 in half octaves",
            "1",
            "Peng et al. 1994",
            "noise (1/2) from a random walk (3/2) and from smooth motion (2)",
        ),
    ),
    (
        "remainder",
        chaos.chaos_test,
        Line(
            "chaos_test",
            "median over 40 c in [pi/5, 4 pi/5] of the correlation of n and <|w_(t+n) - w_t|^2>, "
            "w_t = sum_(j <= t) r_j e^(i c j), n = 1 ... T/8",
            "1",
            "Gottwald & Melbourne 2009",
            "regular (0) from chaotic or random (1) energy",
            -1,
            1,
        ),
    ),
)

COLUMNS = columns(
    "summary.nonlinear",
    (line for *_, line in TABLE),
    Laws(
        rough={line.statistic for *_, line in TABLE},
        rotation={"gzip_ratio": "other", "lempel_ziv": "other"},
        anchored={"gzip_ratio", "lempel_ziv"},  # the order of the points
    ),
)
