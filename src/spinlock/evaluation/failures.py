"""Where the agent fails: its error against the parameters of the operators, and its tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from spinlock.evaluation import symbols
from spinlock.evaluation.consistency import Sources
from spinlock.evaluation.emulation import Emulation
from spinlock.evaluation.intervals import over_operators
from spinlock.sampling.table import theta_features

Row = dict[str, object]
NAMES = {"": "agent", "_persistence": "persistence", "_ceiling": "another realization"}


def by_parameter(
    error: Float[np.ndarray, " n"], values: Float[np.ndarray, "n P"], names: Sequence[str]
) -> list[Row]:
    """Spearman correlation of an error with every column of θ that varies, largest first.

    Operators without an error (NaN) are left out; a column that is constant among the rest has
    no row.
    """
    known = np.isfinite(error)
    rows: list[Row] = []
    for name, column in zip(names, values[known].T, strict=True):
        if known.sum() > 2 and np.ptp(column) > 0:
            rows.append({"parameter": name, "correlation": spearman(error[known], column)})
    return sorted(rows, key=lambda row: -abs(float(str(row["correlation"]))))


def spearman(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    """Correlation of ranks, equal values sharing theirs; 0 if one of the two is constant."""
    ranks = [rankdata(x) - (len(x) + 1) / 2 for x in (a, b)]
    size = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size > 0 else 0.0


def by_category(
    compared: Mapping[str, Int[np.ndarray, "n S"]],
    real: Int[np.ndarray, "n S"],
    categories: Int[np.ndarray, " S"],
    names: Sequence[str],
    isolated: Bool[np.ndarray, " G"],
) -> list[Row]:
    """Share of tokens equal to the truth's, for every category that rollouts decide.

    Args:
        compared: tokens by predictor.
        real: tokens of realization 0 of the truth.
        categories: index of the category of each token.
        names: of the categories.
        isolated: categories of INITIAL columns, which are left out: u0 is given.
    """
    rows: list[Row] = []
    for index in np.flatnonzero(~isolated).tolist():
        own = categories == index
        shares = {
            name: float((tokens[:, own] == real[:, own]).mean()) if len(real) else float("nan")
            for name, tokens in compared.items()
        }
        rows.append({"category": names[index], **shares})
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Where the agent fails, on the operators of one group."""

    parameters: Mapping[str, Sequence[Row]]  # by update policy: `by_parameter`
    categories: Sequence[Row]  # `by_category`


def find(
    sources: Sources, emulated: Emulation, places: Mapping[str, Int[np.ndarray, " n"]]
) -> Failures:
    """Failures of the operators at some places among the emulated.

    The error is the mean VRMSE over all steps.

    Args:
        sources: what is evaluated.
        emulated: every operator rolled out.
        places: by update policy.
    """
    values, names, _ = theta_features(sources.operators)
    parameters = {}
    for policy, own in places.items():
        error = over_operators(emulated.curves["agent"].vrmse[own], "mean")
        parameters[policy] = by_parameter(error, values[emulated.rows[own]], names)
    everyone = np.sort(np.concatenate(list(places.values())))
    real = symbols.truth(sources.tokenizer, sources.cleaned)
    truth = [tokens[emulated.rows[everyone]] for tokens in real]
    predicted = {name: tokens[everyone] for name, tokens in emulated.tokens.items()}
    compared = symbols.beside(predicted, truth)
    named = {NAMES[suffix]: tokens for suffix, tokens in compared.items()}
    categories = sources.tokenizer.layout.categories
    levels = [len(sizes) for sizes in sources.tokenizer.sizes]
    return Failures(
        parameters=parameters,
        categories=by_category(
            named,
            truth[0],
            np.repeat(np.arange(len(categories)), levels),
            sources.tokenizer.categories,
            np.array([category.isolated for category in categories]),
        ),
    )
