"""Do tokens name the operator, whatever its initial condition and its noise?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.resampling import Estimate, Flat, flat, nothing, times

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """Tokens of n operators from two initial conditions of the same kind, with other noise."""

    first: Int[np.ndarray, "n S"]  # of the data
    second: Int[np.ndarray, "n S"]  # of the replay
    kinds: Int[np.ndarray, " n"]  # of the initial conditions

    def of(self, chosen: slice | Bool[np.ndarray, " S"]) -> "Twice":
        """Some of the tokens."""
        return Twice(first=self.first[:, chosen], second=self.second[:, chosen], kinds=self.kinds)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Share of equal tokens of one operator, of two different ones, and the difference."""

    within: Estimate
    between: Estimate

    @property
    def margin(self) -> Estimate:
        """How much more an operator agrees with itself than with others."""
        return self.within.minus(self.between)


def agreement(twice: Twice, how: Bootstrap, *, same_kind: bool = False) -> Agreement:
    r"""Agreement of the tokens of n operators from two initial conditions and noises.

    With $e_{ij}$ the share of equal tokens of operator i in the first and j in the second, within
    is $\langle e_{ii} \rangle_i$ and between $\langle \langle e_{ij} \rangle_j \rangle_i$, the
    inner mean over the operators j ≠ i that i is compared with, so that every operator weighs the
    same on both sides; one that is compared with none counts on neither. The resamples draw
    operators, and a pair of an operator with its own copy is of one operator, hence left out.

    Args:
        twice: the tokens.
        how: resamples.
        same_kind: between operators whose initial conditions are of one kind alone, as those
            within an operator are: what is left is not what tokens tell of the kind.
    """
    seen = zip(twice.first.T, twice.second.T, strict=True)
    equal = np.mean([a[:, None] == b[None] for a, b in seen], axis=0)
    count, compared = len(equal), _pairs(twice.kinds, same_kind)
    many = np.concatenate([np.ones((1, count)), times(count, how)])
    others, total = (many @ each.T for each in (compared, equal * compared))
    mean = np.divide(total, others, np.zeros_like(total), where=others > 0)
    weight = many * (others > 0)
    within, between = (
        np.divide(side.sum(1), weight.sum(1), np.full(len(many), np.nan), where=weight.any(1))
        for side in (weight * np.diag(equal), weight * mean)
    )
    return Agreement(
        Estimate(float(within[0]), within[1:], count),
        Estimate(float(between[0]), between[1:], count),
    )


def _pairs(kinds: Int[np.ndarray, " n"], same_kind: bool) -> Float[np.ndarray, "n n"]:
    """1 for each pair of two operators that are compared."""
    alike = kinds[:, None] == kinds if same_kind else np.ones((len(kinds), len(kinds)), dtype=bool)
    return (alike & ~np.eye(len(kinds), dtype=bool)).astype(np.float64)


def metrics(
    twice: Twice,
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
    * `…_kind`: the same, between operators with the same kind of u0 alone, since the replays of
      an operator have the same kind too, and a token may name that.
    * `identity_count`: operators.

    Args:
        twice: tokens of the data, and of the replay with another u0 and other noise.
        isolated: tokens of INITIAL categories.
        levels: number of tokens of each category, which follow each other.
        how: resamples and the smallest group.
    """
    enough = len(twice.first) >= how.min_operators
    result: Flat = {"identity_count": len(twice.first)}
    for suffix, chosen in (("", ~isolated), ("_initial", isolated)):
        names = [f"identity_{what}{suffix}" for what in ("within", "between", "gain")]
        others = [f"{name}_kind" for name in names[1:]]
        if not enough or not chosen.any():
            result |= nothing(*names, *others)
            continue
        found, alike = (agreement(twice.of(chosen), how, same_kind=kind) for kind in (False, True))
        values = (found.within, found.between, found.margin, alike.between, alike.margin)
        for name, value in zip((*names, *others), values, strict=True):
            result |= flat(name, value.interval())
    where = [part for part in parts(levels) if not isolated[part.start]]
    for suffix, kind in (("", False), ("_kind", True)):
        result |= _margins(twice, where, how, suffix, same_kind=kind)
    return result


def by_category(
    twice: Twice, names: Sequence[str], levels: Sequence[int], how: Bootstrap
) -> list[Row]:
    """Rows of `identity.csv`, one a category; cells are empty if there are too few operators.

    `margin` is `within` less `between`; `…_kind` between operators with the same kind of u0.
    """
    columns = ("between", "margin", "low", "high")
    rows: list[Row] = []
    for name, part in zip(names, parts(levels), strict=True):
        row: Row = {"category": name, "within": ""}
        for suffix, kind in (("", False), ("_kind", True)):
            row |= {f"{column}{suffix}": "" for column in columns}
            if len(twice.first) < how.min_operators:
                continue
            found = agreement(twice.of(part), how, same_kind=kind)
            margin, between = found.margin.interval(), found.between.interval()
            row["within"] = found.within.value
            cells = (between.value, margin.value, margin.low, margin.high)
            for column, cell in zip(columns, cells, strict=True):
                row[f"{column}{suffix}"] = "" if cell is None else cell
        rows.append(row)
    return rows


def parts(levels: Sequence[int]) -> list[slice]:
    """Where the tokens of each category stand."""
    ends = np.cumsum(levels).tolist()
    return [slice(end - size, end) for end, size in zip(ends, levels, strict=True)]


def _margins(
    twice: Twice, where: list[slice], how: Bootstrap, suffix: str, *, same_kind: bool
) -> Flat:
    name, *shares = (f"identity_{what}{suffix}" for what in ("margin", "positive", "certain"))
    if len(twice.first) < how.min_operators or not where:
        return nothing(name) | dict.fromkeys(shares)
    found = [
        agreement(twice.of(part), how, same_kind=same_kind).margin.interval() for part in where
    ]
    if any(margin.value is None for margin in found):  # no two operators are of one kind
        return nothing(name) | dict.fromkeys(shares)
    values = np.array([(margin.value, margin.low) for margin in found])
    least = found[int(values[:, 0].argmin())]
    return flat(name, least) | dict(zip(shares, (values > 0).mean(0).tolist(), strict=True))
