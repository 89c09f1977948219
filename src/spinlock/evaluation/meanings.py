"""What tokens mean, measured on the operators that have them: nothing is read from the network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spinlock.evaluation.codes import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level of a category, read as an addition to the means of the coarser ones."""

    size: int  # K
    codes: Int[np.ndarray, " u"]  # those that training operators have, ascending
    counts: Int[np.ndarray, " u"]  # training operators
    effect: Float[np.ndarray, "u M"]  # mean of what the coarser levels leave, by cell
    told: float  # share of the test operators' variance that the levels so far tell


def by_column(target: Target) -> Float[np.ndarray, "n D"]:
    """Mean over the cells of each column that exist; NaN where there is none."""
    member = np.zeros((len(target.column), target.column.max() + 1))
    member[np.arange(len(member)), target.column] = 1
    count = target.exists @ member
    total = np.where(target.exists, target.values, 0.0) @ member
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def mean(values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " D"]:
    """Mean over the rows in which a value exists; NaN where there is none."""
    exists = np.isfinite(values)
    count = exists.sum(0)
    total = np.where(exists, values, 0.0).sum(0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def deviation(values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " D"]:
    """Root of the mean square distance from `mean`."""
    return np.sqrt(mean(np.square(values - mean(values))))


def filled(values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n D"]:
    """Where a value is missing its column's mean, 0 where that has none."""
    return np.where(np.isfinite(values), values, np.nan_to_num(mean(values)))


def distances(target: Target, members: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Distance of some operators from their mean, root mean square over columns.

    Args:
        target: cells of one category.
        members: rows.
    """
    own = target.take(members)
    existing = np.where(own.exists, own.values, np.nan)
    weight = own.exists * own.weight
    squares = np.where(own.exists, np.square(existing - mean(existing)), 0.0) * weight
    return np.sqrt(squares.sum(1) / np.maximum(weight.sum(1), np.finfo(float).tiny))


def levels(
    target: Target,
    tokens: Int[np.ndarray, "N L"],
    sizes: Sequence[int],
    train: Int[np.ndarray, " n"],
    test: Int[np.ndarray, " m"],
) -> list[Level]:
    """Read each level as an addition: the mean, by code, of what the coarser levels leave.

    The means are those of training operators; what they tell is counted on test operators, so a
    level that helps only together with others, or only on known operators, tells nothing.

    Args:
        target: cells of one category.
        tokens: of that category.
        sizes: K of its levels.
        train: rows that the means are of.
        test: rows on which `told` is counted.
    """
    existing = np.where(target.exists, target.values, np.nan)
    rest = existing - np.nan_to_num(mean(existing[train]))
    whole = _variance(rest[test], target.weight)
    found = []
    for size, token in zip(sizes, tokens.T, strict=True):
        codes, counts, effect = _effects(rest[train], token[train])
        table = np.zeros((size, rest.shape[1]))
        table[codes] = effect
        rest = rest - np.where((token >= 0)[:, None], table[token], 0.0)
        told = 1 - _variance(rest[test], target.weight) / whole if whole > 0 else float("nan")
        found.append(Level(size=size, codes=codes, counts=counts, effect=effect, told=told))
    return found


def _effects(
    rest: Float[np.ndarray, "n M"], token: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " u"], Int[np.ndarray, " u"], Float[np.ndarray, "u M"]]:
    """The codes that some rows have, how many rows, and their means; 0 where nothing exists."""
    codes, counts = np.unique(token, return_counts=True)
    return codes, counts, np.stack([np.nan_to_num(mean(rest[token == code])) for code in codes])


def of_category(target: Target, category: int) -> Target:
    """The cells of one category; columns keep their numbers."""
    cells = target.category == category
    return Target(
        target.values[:, cells],
        target.exists[:, cells],
        target.weight[cells],
        target.category[cells],
        target.column[cells],
    )


def _variance(rest: Float[np.ndarray, "n M"], weight: Float[np.ndarray, " M"]) -> float:
    return float((np.nan_to_num(np.square(rest)) * weight).sum())
