"""What tokens tell of a label that they should not know, beyond what chance alone tells."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from spinlock.evaluation import information
from spinlock.evaluation.intervals import CONFIDENCE, Bootstrap, interval
from spinlock.evaluation.resampling import Flat, flat, nothing, one_hot

CHUNK = 64  # permutations counted together
PENALTIES = tuple(10.0**power for power in range(-3, 2))  # inverse, as scikit-learn has them
FOLDS = 5
NAMES = ("", "_null", "_null_95", "_p", "_label", "_share")
Row = dict[str, object]


def informations(
    tokens: Int[np.ndarray, "n S"], labels: Int[np.ndarray, "q n"]
) -> Float[np.ndarray, "q S"]:
    r"""Plug-in mutual information in bits of each token with each of q labelings.

    $I = \frac1n \left(\sum_{kf} n_{kf} \log_2 n_{kf} - \sum_k n_k \log_2 n_k
    - \sum_f n_f \log_2 n_f + n \log_2 n\right)$ with counts n of symbols k and labels f.
    """
    count, sizes = len(tokens), tokens.max(0) + 1
    starts = np.cumsum(sizes) - sizes
    used = one_hot((tokens + starts).ravel(), sizes.sum()).reshape(count, -1, sizes.sum()).sum(1)
    counts = np.arange(count + 1, dtype=np.float64)
    entropies = counts * np.log2(counts, out=np.zeros_like(counts), where=counts > 0)
    alone = np.add.reduceat(entropies[used.sum(0).astype(np.int64)], starts)
    found = []
    for chunk in _chunks(labels):
        shown = one_hot(chunk, int(labels.max()) + 1)
        joint = np.einsum("nk,qnf->qkf", used, shown, optimize=True).round().astype(np.int64)
        together = np.add.reduceat(entropies[joint].sum(2), starts, axis=1)
        label = entropies[shown.sum(1).astype(np.int64)].sum(1)
        found.append((together - alone - label[:, None] + entropies[count]) / count)
    return np.maximum(np.concatenate(found), 0.0)


def metrics(
    tokens: Int[np.ndarray, "n S"],
    labels: Int[np.ndarray, " n"],
    num_permutations: int,
    how: Bootstrap,
) -> Flat:
    """What tokens tell of the family of the initial condition, in bits a token.

    * `leakage_ic`: mean mutual information of token and label, less its mean under permuted
      labels, `leakage_ic_null`, which is what so few operators give for nothing. 0 is none.
    * `leakage_ic_null_95`: what 95 % of the permutations stay below, less that mean;
      `leakage_ic_p`: share of them, and of the labels as they are, that reach `leakage_ic`.
    * `leakage_ic_label`: entropy of the labels, all that could leak; `leakage_ic_share`: the part
      of it that does.

    Args:
        tokens: those outside INITIAL, which alone may speak of u0.
        labels: families, as integers from 0.
        num_permutations: behind the null.
        how: seed, and the smallest group.
    """
    names = [f"leakage_ic{name}" for name in NAMES]
    if len(tokens) < how.min_operators or not tokens.shape[1]:
        return dict.fromkeys(names)
    found = informations(tokens, _labelings(labels, num_permutations, how)).mean(1)
    return dict(zip(names, _judged(found, information.entropy(labels)), strict=True))


def together(
    tokens: Int[np.ndarray, "N S"],
    labels: Int[np.ndarray, " N"],
    split: tuple[Int[np.ndarray, " t"], Int[np.ndarray, " n"]],
    how: Bootstrap,
) -> Flat:
    r"""What all tokens together tell of the label, in bits.

    `leakage_ic_joint`: mean over operators of $\log_2 q(y | s) / q(y)$, with q(y) the shares of the
    labels and q(y | s) a logistic regression on the tokens, both of the training operators, where
    5-fold cross-validation chooses the penalty. About a lower bound of the mutual information,
    since q is a guess: 0 if it learned nothing, below if it is wrong; about the entropy of the
    labels at most. An operator whose label no training operator has is left out; null if a label
    has fewer of these than there are folds. Tokens that repeat each other tell no more than one of
    them, and many that tell little may tell much.

    Args:
        tokens: those outside INITIAL, of all operators.
        labels: of all operators, as integers from 0.
        split: training operators, and those on which it is judged.
        how: resamples and the smallest group.
    """
    train, judged = split
    counts = np.bincount(labels[train], minlength=labels.max() + 1)
    known, seen = judged[counts[labels[judged]] > 0], counts[counts > 0]
    few = min(len(known), len(train)) < how.min_operators
    if few or not tokens.shape[1] or len(seen) < 2 or seen.min() < FOLDS:
        return nothing("leakage_ic_joint")
    sizes = tokens.max(0) + 1
    shown = np.concatenate(
        [one_hot(token, size) for token, size in zip(tokens.T, sizes, strict=True)], axis=1
    )
    model = GridSearchCV(
        LogisticRegression(max_iter=1000), {"C": PENALTIES}, scoring="neg_log_loss", cv=FOLDS
    ).fit(shown[train], labels[train])
    places = np.searchsorted(model.classes_, labels[known])
    told = model.predict_log_proba(shown[known])[np.arange(len(known)), places] / np.log(2)
    plain = np.log2(counts[labels[known]] / len(train))
    return flat("leakage_ic_joint", interval(told - plain, "mean", how))


def by_category(
    tokens: Int[np.ndarray, "n S"],
    labels: Int[np.ndarray, " n"],
    parts: Sequence[tuple[str, slice]],
    num_permutations: int,
    how: Bootstrap,
) -> list[Row]:
    """Rows of `leakage.csv`: the same for the tokens of each category, INITIAL too."""
    columns = [f"bits{name}" for name in NAMES]
    empty: Row = dict.fromkeys(columns, "")
    if len(tokens) < how.min_operators:
        return [{"category": name} | empty for name, _ in parts]
    found = informations(tokens, _labelings(labels, num_permutations, how))
    whole = information.entropy(labels)
    return [
        {"category": name} | dict(zip(columns, _judged(found[:, part].mean(1), whole), strict=True))
        for name, part in parts
    ]


def _judged(found: Float[np.ndarray, " q"], label: float) -> tuple[float | None, ...]:
    """`found[0]` is that of the labels as they are; the order of `NAMES`."""
    value, drawn = float(found[0]), found[1:]
    null = float(drawn.mean())
    upper = float(np.quantile(drawn, CONFIDENCE)) - null
    reached = 1 + int((drawn >= value - 1e-12).sum())
    share = (value - null) / label if label > 0 else None
    return value - null, null, upper, reached / len(found), label, share


def _labelings(labels: np.ndarray, num_permutations: int, how: Bootstrap) -> np.ndarray:
    order = information.shuffles(how.seed, "leakage_ic", len(labels), num_permutations)
    return np.concatenate([labels[None], labels[order]])


def _chunks(labels: Int[np.ndarray, "q n"]) -> Iterator[Int[np.ndarray, "c n"]]:
    for start in range(0, len(labels), CHUNK):
        yield labels[start : start + CHUNK]
