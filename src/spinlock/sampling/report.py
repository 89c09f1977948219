"""What `sample` says about its operators: metrics, and warnings of dimensions that cannot act."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.stats import chi2_contingency

from spinlock.sampling import encoding, labels, quality, space
from spinlock.sampling.config import Config
from spinlock.sampling.space import Dimension
from spinlock.sampling.table import SPLITS, Operators

Metrics = dict[str, float | int | None]
QUARTERS = 4  # equal parts of a coordinate, for the test of independence


def metrics(operators: Operators, config: Config) -> Metrics:
    """Scores of the sampled operators; see `design_metrics` and `label_metrics`.

    `num_operators`, `num_varying`: sizes of the design, N and Q. `train`, `validation`, `test`,
    `held_out`: operators in each split. `held_out_<group>`: members of each held-out group (an
    operator may be in several).

    Raises:
        Refusal: the design is worse than nearly all random ones.
    """
    members = operators.held_out.sum(axis=0)
    named = zip(operators.held_out_groups, members, strict=True)
    return {
        "sample/num_operators": len(operators),
        "sample/num_varying": operators.unit.shape[1],
        **design_metrics(operators),
        **label_metrics(operators, config),
        **{f"sample/{name}": len(operators.rows(name)) for name in SPLITS},
        **{f"sample/held_out_{n.replace(':', '_')}": int(count) for n, count in named},
    }


def design_metrics(operators: Operators) -> Metrics:
    """How the named coordinates fill the unit cube; each is defined in `quality`.

    `discrepancy`: squared centered L2 discrepancy. `discrepancy_ratio`: over its expectation for
    random points, so random points have 1 and less is better. `discrepancy_limit`: the 99th
    percentile of random points, beyond which a design is refused. `max_abs_correlation`,
    `min_distance`, `strata_coverage`.
    """
    found = quality.measure(operators.seed, operators.unit)
    quality.refuse_poor(found, len(operators))
    return {
        "sample/discrepancy": found.discrepancy,
        "sample/discrepancy_ratio": found.ratio,
        "sample/discrepancy_limit": found.limit,
        "sample/max_abs_correlation": found.max_abs_correlation,
        "sample/min_distance": found.min_distance,
        "sample/strata_coverage": found.strata_coverage,
    }


def label_metrics(operators: Operators, config: Config) -> Metrics:
    """Initial conditions: shares of the families, and whether they are independent of θ.

    `share_<family>`: share of all operators. `ic_theta_association`: the largest Cramér's V between
    family and quarter of a coordinate, over coordinates (0: independent, 1: a function of it).
    `ic_theta_p_value`: the least p-value of Pearson's test of that independence, times the number
    of coordinates (Bonferroni), at most 1.
    """
    family = labels.family_of(config.ic_mix)
    own = np.array([family[label] for label in operators.ic_types])
    tests = [association(own, column) for column in operators.unit.T]
    return {
        **{f"sample/share_{f.family}": float(np.mean(own == f.family)) for f in config.ic_mix},
        "sample/ic_theta_association": max(v for v, _ in tests),
        "sample/ic_theta_p_value": min(1.0, len(tests) * min(p for _, p in tests)),
    }


def association(names: np.ndarray, unit: Float[np.ndarray, "N"]) -> tuple[float, float]:
    r"""Cramér's V between labels and the quarters of [0, 1), and its p-value.

    $V = \sqrt{\chi^2 / (N \min(r - 1, c - 1))}$ over the r labels and c quarters that occur, with
    Pearson's $\chi^2$; (0, 1) if only one does.
    """
    rows = np.unique(names, return_inverse=True)[1]
    columns = np.unique((unit * QUARTERS).astype(np.int64), return_inverse=True)[1]
    counts = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(counts, (rows, columns), 1)
    freedom = min(counts.shape) - 1
    if freedom == 0:
        return 0.0, 1.0
    test = chi2_contingency(counts, correction=False)
    return float(np.sqrt(test.statistic / (counts.sum() * freedom))), float(test.pvalue)


def warnings(operators: Operators) -> tuple[str, ...]:
    """A sentence for each varying dimension that cannot act, and for each empty held-out group."""
    return (*_inert(operators), *_empty(operators))


def _inert(operators: Operators) -> Iterator[str]:
    for dimension in space.varying(operators.dimensions):
        if not encoding.reachable(operators.dimensions, dimension.name):
            switch, value = encoding.SWITCHES[dimension.name]
            yield f"{dimension.name} varies but cannot act: no operator has {switch} {value}"
        if dimension.name == "base_channels":
            yield from _capped(dimension, operators.max_width)
        if dimension.name == "mode_share":
            yield from _coarse(operators)
        if dimension.name == "spatial_correlation":
            yield from _unresolved(dimension, operators.grid_size)


def _capped(dimension: Dimension, max_width: int) -> Iterator[str]:
    widths = [int(value) for value in space.extremes(dimension)]
    if min(widths) >= max_width:
        yield f"{dimension.name} varies but cannot act: every width is max_width {max_width}"
    elif max(widths) > max_width:
        yield f"{dimension.name} acts in part: all above max_width {max_width} are the same"


def _coarse(operators: Operators) -> Iterator[str]:
    """The finest bottleneck tells most shares apart: by the wavenumbers that it retains."""
    levels, shares = (
        space.extremes(space.named(operators.dimensions, name))
        for name in ("encoder_levels", "mode_share")
    )
    side = operators.grid_size // 2 ** min(int(value) for value in levels)
    retained = {round(float(share) * side / 2) for share in shares}
    if max(retained) <= 1 or len(retained) == 1:
        yield f"mode_share varies but cannot act: the finest bottleneck has {side} cells a side"


def _unresolved(dimension: Dimension, grid_size: int) -> Iterator[str]:
    longest = max(float(value) for value in space.extremes(dimension))
    if longest * grid_size < 1:
        yield (
            f"{dimension.name} varies but cannot act: at most {longest:g} of the domain, "
            f"below one cell of the grid of {grid_size}"
        )


def _empty(operators: Operators) -> Iterator[str]:
    for name in operators.held_out_groups:
        if not len(operators.rows(name)):
            yield f"held-out group {name} is empty"
