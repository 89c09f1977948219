"""What operators that share a token have in common: parameters and initial conditions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from spinlock.sampling.table import Operators, theta_features

CLEAR = 3.5  # |z|: with permuted tokens one category in twenty has a tendency
TINY = 1e-300  # whose normal score is still finite
SHOWN = 3  # tendencies of a token at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One property of n operators, and how often or how much of it there is."""

    name: str  # such as "noise_scale", "update_policy=residual", "u0=grf_4"
    share: bool  # 1 or 0 for each operator; otherwise a number
    values: Float[np.ndarray, " n"]
    used: Bool[np.ndarray, " n"]  # operators that have this parameter in use


@dataclass(frozen=True, slots=True, kw_only=True)
class Tendency:
    """A property in which some operators differ clearly from all."""

    name: str
    score: float  # |z|: see `rank_score`; of a share, that of its chance, see `chance_of_share`
    share: bool
    own: float  # share of the operators, or median of the values
    all: float

    def __str__(self) -> str:
        if self.share:
            return f"{self.name} {self.own:.0%} (all {self.all:.0%})"
        direction = "high" if self.score > 0 else "low"
        return f"{self.name} {direction}: {self.own:.2g} (all {self.all:.2g})"


def attributes(operators: Operators) -> tuple[Attribute, ...]:
    """Every parameter that varies, and every variant of initial conditions."""
    values, names, kinds = theta_features(operators)
    columns = dict(zip(names, values.T, strict=True))
    everyone = np.ones(len(operators), dtype=bool)
    found = []
    for name, kind in zip(names, kinds, strict=True):
        if kind == "choice":
            found.append(Attribute(name=name, share=True, values=columns[name], used=everyone))
        if kind == "numeric":
            active = columns[f"{name}.active"] > 0 if f"{name}.active" in columns else everyone
            numbers = np.array([getattr(theta, name) for theta in operators.theta], dtype=float)
            found.append(Attribute(name=name, share=False, values=numbers, used=active))
    variants = np.array(operators.ic_types)
    for variant in sorted(set(operators.ic_types)):
        chosen = (variants == variant).astype(float)
        found.append(Attribute(name=f"u0={variant}", share=True, values=chosen, used=everyone))
    return tuple(found)


def tendencies(known: Sequence[Attribute], member: Bool[np.ndarray, " n"]) -> tuple[Tendency, ...]:
    """The clearest properties of some of the n operators, the clearest first.

    A share is named only where it is larger than that of all: the others are its complement.
    """
    found = []
    for attribute in known:
        chosen, values = member[attribute.used], attribute.values[attribute.used]
        if attribute.share:
            score = float(stats.norm.isf(max(chance_of_share(values, chosen), TINY)))
            clear = score >= CLEAR
        else:
            score = rank_score(values, chosen)
            clear = abs(score) >= CLEAR
        if clear:
            center = np.mean if attribute.share else np.median
            found.append(
                Tendency(
                    name=attribute.name,
                    score=score,
                    share=attribute.share,
                    own=float(center(values[chosen])),
                    all=float(center(values)),
                )
            )
    return tuple(sorted(found, key=lambda one: -abs(one.score))[:SHOWN])


def chance_of_share(values: Float[np.ndarray, " n"], member: Bool[np.ndarray, " n"]) -> float:
    """Chance that as many of m operators, drawn at random, have a property, or more.

    The upper tail of the hypergeometric distribution, which is exact (Fisher 1935): of few
    operators, or a rare property, normal scores are far too large.
    """
    drawn = stats.hypergeom(len(values), int(values.sum()), int(member.sum()))
    return float(drawn.sf(values[member].sum() - 1))


def rank_score(values: Float[np.ndarray, " n"], member: Bool[np.ndarray, " n"]) -> float:
    r"""Standardized mean rank of m of n values, with ties: $z = (\bar r - (n + 1)/2) / s$.

    $s^2 = \operatorname{var}(r) (n - m) / (n m)$ is the variance of the mean of m ranks drawn
    without replacement; z is standard normal, about, if the m are a random choice (Wilcoxon 1945).
    0 if none or all are chosen, or all values are equal.
    """
    count, total = int(member.sum()), len(values)
    if count in (0, total) or np.ptp(values) == 0:
        return 0.0
    ranks = stats.rankdata(values)
    variance = ranks.var(ddof=1) * (total - count) / (total * count)
    return float((ranks[member].mean() - (total + 1) / 2) / np.sqrt(variance))
