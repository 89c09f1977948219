"""TEMPORAL, group topological: the landscape of one field by persistent homology, 10 columns.

z is the field of one channel, standardized over the domain on a grid of 32² points whatever its
own grid (`coarse`); its points are squares of a torus, and the set z ≤ level grows with the level.
H0: a valley is born at its floor and dies at the pass to a deeper one. H1: a hole is born where a
rim closes around a hill, and dies at the hill's top. A pair persists for l = death − birth, in
deviations of the field. What never dies makes no pair: the deepest valley, the highest top, and
the two loops around the torus, whose births are columns. The group has no gradient.

It needs GUDHI (Maria et al. 2014; Wagner et al. 2012), the extra `topology` of the package.
"""

import importlib
import math
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields
from spinlock.features.initial import GRID
from spinlock.features.temporal import coarse
from spinlock.refusals import Refusal

SIGNIFICANT = 0.5  # deviations; a pair that persists longer counts
STATISTICS = ("persistence", "pairs", "entropy", "largest")
ROUNDING = 1e-5  # deviations; what persists no longer, float32 made
FLOOR = 1e-3  # deviations; added to a sum of persistences, which may be empty
KINDS = {"valley": 0, "hill": 1}  # dimension of their pairs
RANGE = math.sqrt(2) * GRID  # bound of max z − min z, GRID² points


def compute(fields: Fields) -> Float[Tensor, "*B C 10"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined.

    Raises:
        Refusal: GUDHI is not installed.
    """
    gudhi = _library()
    grid, defined = coarse.standard(fields)
    found = [_describe(gudhi, z) for z in grid.numpy()]
    rows = [[row[statistic(column)] for column in COLUMNS] for row in found]
    return coarse.restored(torch.tensor(rows, dtype=torch.float64), defined, fields)


def _library() -> ModuleType:
    try:
        return importlib.import_module("gudhi")
    except ImportError as error:
        raise Refusal(
            "extract.temporal_groups: topological needs GUDHI; "
            "install it with pip install 'spinlock[topology]', or leave the group out"
        ) from error


def _describe(gudhi: ModuleType, z: Float[np.ndarray, "H W"]) -> dict[str, float]:
    torus = gudhi.PeriodicCubicalComplex(top_dimensional_cells=z, periodic_dimensions=[True, True])
    torus.compute_persistence(homology_coeff_field=2, min_persistence=ROUNDING)
    found = {}
    for kind, dimension in KINDS.items():
        birth, death = torus.persistence_intervals_in_dimension(dimension).reshape(-1, 2).T
        for name, value in _pairs(np.sort((death - birth)[np.isfinite(death)])).items():
            found[f"{kind}_{name}"] = value
    first, second = np.sort(birth[np.isinf(death)])  # of H1, the last
    return found | {"first_loop": float(first), "second_loop": float(second)}


def _pairs(persistence: Float[np.ndarray, "n"]) -> dict[str, float]:
    """Statistics of the pairs of one kind, sorted; of no pairs too."""
    total = persistence.sum()
    share = persistence / total if len(persistence) else persistence
    return {
        "persistence": math.log10(total + FLOOR),
        "pairs": math.log10(1 + np.count_nonzero(persistence > SIGNIFICANT)),
        "entropy": float((share * np.log(1 / share)).sum()),
        "largest": float(persistence.max(initial=0)),
    }


def _lines(kind: str, dimension: str) -> Iterator[Line]:
    pairs = f"over the pairs (birth, death) of {dimension} with l = death - birth > 1e-5"
    source = "Edelsbrunner et al. 2002"
    yield Line(
        f"{kind}_persistence",
        f"log10(sum of l + 1e-3), {pairs}",
        "log10 deviations",
        source,
        f"a landscape rich in {kind}s from a bare one",
        math.log10(FLOOR),
        math.log10(GRID**2 * RANGE + FLOOR),
    )
    yield Line(
        f"{kind}_pairs",
        f"log10(1 + number of pairs with l > 1/2), {pairs}",
        "decades",
        source,
        f"few from many {kind}s, ripples apart",
        0,
        math.log10(1 + GRID**2),
    )
    yield Line(
        f"{kind}_entropy",
        f"-sum p ln p, p = l / sum of l, {pairs}; 0 if there are none",
        "nats",
        "Chintakunta et al. 2015",
        f"{kind}s of equal rank from a hierarchy",
        0,
        math.log(GRID**2),
    )
    yield Line(
        f"{kind}_largest",
        f"max of l, {pairs}; 0 if there are none",
        "deviations",
        source,
        f"one {kind} that stands apart from ripples",
        0,
        RANGE,
    )


COLUMNS = columns(
    "temporal.topological",
    (
        *_lines("valley", "H0"),
        *_lines("hill", "H1"),
        Line(
            "first_loop",
            "smallest level at which z <= level holds a loop around the torus",
            "deviations",
            "Edelsbrunner et al. 2002; percolation",
            "stripes (low) and nets of valleys from separate troughs (high)",
            -GRID,
            GRID,
        ),
        Line(
            "second_loop",
            "smallest level at which z <= level holds two independent loops around the torus",
            "deviations",
            "Edelsbrunner et al. 2002; percolation",
            "stripes and nets of ridges (high) from separate peaks (low)",
            -GRID,
            GRID,
        ),
    ),
    Laws(
        rough={
            *(f"{kind}_{name}" for kind in KINDS for name in STATISTICS),
            *("first_loop", "second_loop"),
        }
    ),
)
