"""Do tokens name the operator, and not its initial condition or its noise?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from spinlock.evaluation import information
from spinlock.evaluation.intervals import Bootstrap, interval

Metrics = dict[str, float | int | None]


def identity(
    first: Int[np.ndarray, "n S"],
    second: Int[np.ndarray, "n S"],
    isolated: Bool[np.ndarray, " S"],
    levels: Sequence[int],
    how: Bootstrap,
) -> Metrics:
    """Agreement of the tokens of the same operators from two initial conditions and noises.

    * `identity_within`: share of equal tokens of an operator, mean over operators;
      `identity_between`: the same for pairs of different operators, its floor; both without the
      INITIAL categories, which speak of u0 and have `…_initial` of their own.
    * `identity_margin`: least difference of the two over the categories outside INITIAL.
    * `identity_count`: operators.

    Args:
        first: tokens of the data.
        second: tokens of the replay with another u0 and other noise.
        isolated: tokens of INITIAL categories.
        levels: number of tokens of each category, which follow each other.
        how: resamples and the smallest group.
    """
    result: Metrics = {"identity_count": len(first)}
    for suffix, chosen in (("", ~isolated), ("_initial", isolated)):
        result |= _agreement(suffix, first[:, chosen], second[:, chosen], how)
    margins = [
        information.agreement(first[:, part], second[:, part]).mean()
        - information.chance_agreement(first[:, part], second[:, part])
        for part in _categories(isolated, levels)
        if len(first) >= how.min_operators
    ]
    return result | {"identity_margin": float(min(margins)) if margins else None}


def leakage(
    tokens: Int[np.ndarray, "n S"],
    labels: Int[np.ndarray, " n"],
    num_permutations: int,
    how: Bootstrap,
) -> Metrics:
    """What tokens outside INITIAL tell of the family of the initial condition, in bits a token.

    `leakage_ic` is the mean mutual information less its mean under permuted labels,
    `leakage_ic_null`; 0 is none, and the entropy of the labels, `leakage_ic_label`, all of it.
    """
    names = ("leakage_ic", "leakage_ic_null", "leakage_ic_label")
    if len(tokens) < how.min_operators or not tokens.shape[1]:
        return dict.fromkeys(names)
    order = information.shuffles(how.seed, "leakage_ic", len(tokens), num_permutations)
    found, null = information.leakage(tokens, labels, order)
    return dict(zip(names, (found - null, null, information.entropy(labels)), strict=True))


def _agreement(suffix: str, first: np.ndarray, second: np.ndarray, how: Bootstrap) -> Metrics:
    names = [f"identity_within{suffix}{end}" for end in ("", "_low", "_high")]
    names.append(f"identity_between{suffix}")
    if len(first) < how.min_operators or not first.shape[1]:
        return dict.fromkeys(names)
    within = interval(information.agreement(first, second), "mean", how)
    between = information.chance_agreement(first, second)
    values = (within.value, within.low, within.high, between)
    return dict(zip(names, values, strict=True))


def _categories(isolated: Bool[np.ndarray, " S"], levels: Sequence[int]) -> list[slice]:
    """Tokens of each category outside INITIAL."""
    ends = np.cumsum(levels).tolist()
    parts = [slice(end - size, end) for end, size in zip(ends, levels, strict=True)]
    return [part for part in parts if not isolated[part.start]]
