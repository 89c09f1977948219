"""Reliability of a column: the share of its spread that is between operators, not their draws."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from spinlock.cleaning.cleaner import Cleaner, hard_clip
from spinlock.cleaning.raw import Features
from spinlock.cleaning.sets import FAMILIES, FeatureSet
from spinlock.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicates:
    """Aggregated rows of operators, each from several initial conditions and noises."""

    rows: FeatureSet
    operator: Int[np.ndarray, " n"]  # whose each row is

    @property
    def several(self) -> bool:
        """Is there an operator of which there is more than one row?"""
        return len(np.unique(self.operator)) < len(self.operator)


def replicates(source: Features, further: Features) -> Replicates:
    """The valid rows of training operators: their own, and their further draws.

    Raises:
        Refusal: they have other columns.
    """
    if source.names != further.names:
        raise Refusal(
            "clean: features and further draws differ in their columns; they are of different "
            "runs (dvc repro)"
        )
    chosen = [(each, each.metadata.rows("train")) for each in (source, further)]
    first, second = (each.aggregated.take(rows) for each, rows in chosen)
    owners = [each.metadata.operator_id[rows] for each, rows in chosen]
    return Replicates(rows=first.join(second), operator=np.concatenate(owners))


def measured(cleaner: Cleaner, given: Replicates) -> dict[str, Float[np.ndarray, " D"]]:
    """`intraclass_correlation` of all raw columns by family, clipped as the cleaner clips them.

    Unclipped, a few rows of heavy tails would decide.
    """
    found = {}
    for family in FAMILIES:
        columns = cleaner.family(family)
        distance = hard_clip(getattr(given.rows, family) - columns.median, columns.limit)
        found[family] = intraclass_correlation(distance.numpy(), given.operator)
    return found


def intraclass_correlation(
    values: Float[np.ndarray, "n *t D"], group: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " D"]:
    r"""Share of each column's variance that is between groups: ICC(1) of Shrout and Fleiss (1979).

    One-way random effects in groups of unequal size (Searle, Casella and McCulloch 1992, section
    3.6): with mean squares $M_b$ between and $M_w$ within G groups of $n_g$ of N values,
    $\sigma_w^2 = M_w$, $\sigma_b^2 = (M_b - M_w) / k$, $k = (N - \sum_g n_g^2 / N) / (G - 1)$, and
    $ICC = \sigma_b^2 / (\sigma_b^2 + \sigma_w^2)$. The steps of a series have variances of their
    own, which are summed before they are divided.

    1 if values of a group are equal. Bad case: 0, where they are no more alike than any two; an
    estimate may be below it. Further draws keep the kind of u0 of their operator, so what tells
    kinds apart counts as what tells operators apart.

    Args:
        values: NaN where missing, which no sum counts.
        group: of each row.

    Returns:
        NaN for a column that never varies, or that has two values of no group, or one group.
    """
    order = np.argsort(group, kind="stable")
    _, starts = np.unique(group[order], return_index=True)
    cells = values[order].reshape(len(values), -1).astype(np.float64)
    exists = np.isfinite(cells)
    count = np.add.reduceat(exists.astype(np.float64), starts)
    total, groups = count.sum(0), (count > 0).sum(0)
    known = (groups > 1) & (total > groups)
    lowest = np.where(exists, cells, np.inf).min(0)  # a constant column becomes 0 to the bit
    cells = np.where(exists, cells - lowest, 0.0)
    cells = np.where(exists, cells - cells.sum(0) / np.maximum(total, 1), 0.0)
    between = (np.square(np.add.reduceat(cells, starts)) / np.maximum(count, 1)).sum(0)
    within = _ratio(np.square(cells).sum(0) - between, total - groups, known)
    size = _ratio(total - _ratio(np.square(count).sum(0), total, known), groups - 1, known)
    beyond = _ratio(_ratio(between, groups - 1, known) - within, size, known)
    inner, outer = (part.reshape(-1, values.shape[-1]).sum(0) for part in (within, beyond))
    found = np.full(values.shape[-1], np.nan)
    return np.divide(outer, inner + outer, found, where=inner + outer > 0)


def _ratio(
    over: Float[np.ndarray, " q"], under: Float[np.ndarray, " q"], known: Bool[np.ndarray, " q"]
) -> Float[np.ndarray, " q"]:
    """A ratio where both are known, 0 elsewhere."""
    return np.divide(over, under, np.zeros(len(over)), where=known)
