"""Do tokens name the operator, whatever its initial condition and its noise?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.resampling import Estimate, Flat, flat, nothing, times

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Share of equal tokens of one operator, of two different ones, and the difference."""

    within: Estimate
    between: Estimate

    @property
    def margin(self) -> Estimate:
        """How much more an operator agrees with itself than with others."""
        return self.within.minus(self.between)


def agreement(
    first: Int[np.ndarray, "n S"], second: Int[np.ndarray, "n S"], how: Bootstrap
) -> Agreement:
    r"""Agreement of the tokens of n operators from two initial conditions and noises.

    With $e_{ij}$ the share of equal tokens of operator i in the first and j in the second, within
    is $\langle e_{ii} \rangle$ and between $\langle e_{ij} \rangle_{i \ne j}$. The resamples draw
    operators, and a pair of an operator with its own copy is of one operator, hence left out.

    Args:
        first: tokens of the data.
        second: tokens of the replay with another u0 and other noise.
        how: resamples.
    """
    equal = np.mean([a[:, None] == b[None] for a, b in zip(first.T, second.T, strict=True)], axis=0)
    count, own = len(equal), np.diag(equal).copy()
    np.fill_diagonal(equal, 0.0)
    many = np.concatenate([np.ones((1, count)), times(count, how)])
    pairs = count**2 - np.square(many).sum(1)
    total = ((many @ equal) * many).sum(1)
    between = np.divide(total, pairs, np.full(len(many), np.nan), where=pairs > 0)
    within = many @ own / count
    return Agreement(
        Estimate(float(within[0]), within[1:], count),
        Estimate(float(between[0]), between[1:], count),
    )


def metrics(
    first: Int[np.ndarray, "n S"],
    second: Int[np.ndarray, "n S"],
    isolated: Bool[np.ndarray, " S"],
    levels: Sequence[int],
    how: Bootstrap,
) -> Flat:
    """Do tokens stay when the operator stays? Shares of equal tokens, with intervals.

    * `identity_within` and `identity_between`, its floor: see `agreement`; both without the
      INITIAL categories, which speak of u0 and have `…_initial` of their own.
    * `identity_gain`: the difference of the two. 0 if tokens know nothing of the operator.
    * `identity_margin`: the same of the category outside INITIAL where it is least, with its
      interval; `identity_positive`: share of these categories where it is above 0, and
      `identity_certain` where its interval is.
    * `identity_count`: operators.

    Args:
        first: tokens of the data.
        second: tokens of the replay with another u0 and other noise.
        isolated: tokens of INITIAL categories.
        levels: number of tokens of each category, which follow each other.
        how: resamples and the smallest group.
    """
    enough = len(first) >= how.min_operators
    result: Flat = {"identity_count": len(first)}
    for suffix, chosen in (("", ~isolated), ("_initial", isolated)):
        names = [f"identity_{what}{suffix}" for what in ("within", "between", "gain")]
        if not enough or not chosen.any():
            result |= nothing(*names)
            continue
        found = agreement(first[:, chosen], second[:, chosen], how)
        for name, value in zip(names, (found.within, found.between, found.margin), strict=True):
            result |= flat(name, value.interval())
    return result | _margins(
        first, second, [p for p in parts(levels) if not isolated[p.start]], how
    )


def by_category(
    first: Int[np.ndarray, "n S"],
    second: Int[np.ndarray, "n S"],
    names: Sequence[str],
    levels: Sequence[int],
    how: Bootstrap,
) -> list[Row]:
    """Rows of `identity.csv`, one a category; cells are empty if there are too few operators."""
    rows: list[Row] = []
    for name, part in zip(names, parts(levels), strict=True):
        row: Row = dict.fromkeys(("category", "within", "between", "margin", "low", "high"), "")
        row["category"] = name
        if len(first) >= how.min_operators:
            found = agreement(first[:, part], second[:, part], how)
            margin = found.margin.interval()
            row |= {"within": found.within.value, "between": found.between.value}
            row |= {"margin": margin.value, "low": margin.low, "high": margin.high}
        rows.append(row)
    return rows


def parts(levels: Sequence[int]) -> list[slice]:
    """Where the tokens of each category stand."""
    ends = np.cumsum(levels).tolist()
    return [slice(end - size, end) for end, size in zip(ends, levels, strict=True)]


def _margins(first: np.ndarray, second: np.ndarray, where: list[slice], how: Bootstrap) -> Flat:
    names = ("identity_positive", "identity_certain")
    if len(first) < how.min_operators or not where:
        return nothing("identity_margin") | dict.fromkeys(names)
    found = [agreement(first[:, p], second[:, p], how).margin.interval() for p in where]
    values = np.array([(margin.value, margin.low) for margin in found])
    least = found[int(values[:, 0].argmin())]
    return flat("identity_margin", least) | dict(
        zip(names, (values > 0).mean(0).tolist(), strict=True)
    )
