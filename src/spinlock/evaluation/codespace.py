"""The criteria of seed 004 on tokens: code error, entropy, utilization, clusters."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.metrics import adjusted_rand_score

from spinlock.evaluation import information
from spinlock.evaluation.codes import Fit, kmeans, nearest
from spinlock.evaluation.intervals import Bootstrap, interval
from spinlock.tokenizer.model import Tokenizer

Metrics = dict[str, float | int | None]
Tokens = Int[np.ndarray, "n S"]
CLUSTERS = 12
NAMES = (
    "code_error",
    "code_error_relative",
    "entropy_ratio",
    "entropy_ratio_two_sided",
    "token_divergence",
    "token_utilization",
    "cluster_agreement",
    "cluster_ari",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Code space of the categories that rollouts decide; those of INITIAL columns are left out."""

    tokenizer: Tokenizer
    isolated: Bool[np.ndarray, " S"]  # tokens of INITIAL categories
    centres: Float[np.ndarray, "k D"]  # k-means of the codes of the training operators
    variance: float  # of the codes of a category, all components together, mean over categories

    def codes(self, tokens: Tokens) -> Float[np.ndarray, "n D"]:
        """The latents that tokens stand for, all dynamic categories in a row."""
        return codes(self.tokenizer, tokens)

    def distance(self, a: Float[np.ndarray, "n D"], b: Float[np.ndarray, "n D"]) -> np.ndarray:
        """Squared distance of codes in a category, mean over the categories, [n]."""
        return np.square(a - b).sum(1) / num_categories(self.tokenizer)

    @property
    def sizes(self) -> Int[np.ndarray, " S"]:
        """Codes of each token."""
        return np.array([size for sizes in self.tokenizer.sizes for size in sizes])


def num_categories(tokenizer: Tokenizer) -> int:
    """How many categories rollouts decide."""
    return sum(not category.isolated for category in tokenizer.layout.categories)


def codes(tokenizer: Tokenizer, tokens: Tokens) -> Float[np.ndarray, "n D"]:
    """The latents that tokens stand for, all dynamic categories in a row."""
    dynamic = [not category.isolated for category in tokenizer.layout.categories]
    with torch.no_grad():
        found = tokenizer.quantizer.decode(tokenizer.quantizer.grid(torch.from_numpy(tokens)))
    return found[:, dynamic].flatten(1).double().numpy()


def fit(tokenizer: Tokenizer, train: Tokens, isolated: Bool[np.ndarray, " S"], how: Fit) -> Space:
    """The space, with k-means (k = 12) on the truth of the training operators.

    Args:
        tokenizer: the frozen one.
        train: tokens of their single views, realization 0.
        isolated: tokens of INITIAL categories.
        how: seed and starts of k-means.
    """
    values = codes(tokenizer, train)
    return Space(
        tokenizer=tokenizer,
        isolated=isolated,
        centres=kmeans(values, CLUSTERS, how.named("clusters")),
        variance=float(values.var(0).sum() / num_categories(tokenizer)),
    )


def metrics(space: Space, compared: Mapping[str, Tokens], real: Tokens, how: Bootstrap) -> Metrics:
    """How far the tokens of each predictor are from those of the truth, in its code space.

    * `code_error` [< 0.15]: squared distance of the codes of a category, mean over categories and
      operators. The latents of a category have a variance of about 1, all components together, in
      the aggregated view; in the single view, which is compared here, it differs by category, and
      `code_error_relative` divides by that of the codes, mean over categories, over the training
      operators: 1 is what the mean of all codes gets, about 2 another operator's codes.
    * `entropy_ratio`: entropy of the predicted tokens over that of the true ones, both summed over
      tokens; noise has more, collapse less. `entropy_ratio_two_sided` [> 0.9]: the smaller of it
      and its inverse.
    * `token_divergence`: Jensen–Shannon divergence in bits, mean over tokens; 0 … 1.
    * `token_utilization` [> 40 %]: share of all codes that occur in the group.
    * `cluster_agreement` [> 80 %] and `cluster_ari`: share of operators whose codes fall into the
      cluster of the truth's, and the adjusted Rand index.

    Args:
        space: the code space.
        compared: tokens by suffix: "" the agent's, "_persistence", "_policy" the commonest of the
            update policy, "_ceiling" another realization.
        real: tokens of realization 0 of the truth.
        how: resamples and the smallest group.
    """
    result: Metrics = {f"{name}{suffix}": None for suffix in compared for name in NAMES}
    if len(real) < how.min_operators or space.isolated.all():
        return result
    for suffix, tokens in compared.items():
        found = _beside(space, tokens, real, how)
        result |= {f"{name}{suffix}{end}": value for (name, end), value in found.items()}
    return result


def _beside(
    space: Space, tokens: Tokens, real: Tokens, how: Bootstrap
) -> dict[tuple[str, str], float | None]:
    predicted, wanted = space.codes(tokens), space.codes(real)
    error = interval(space.distance(predicted, wanted), "mean", how)
    clusters = nearest(predicted, space.centres), nearest(wanted, space.centres)
    same = interval((clusters[0] == clusters[1]).astype(float), "mean", how)
    dynamic = ~space.isolated
    own, true = tokens[:, dynamic], real[:, dynamic]
    ratio = _entropy(own) / _entropy(true) if _entropy(true) > 0 else None
    variance = space.variance or None
    return {
        ("code_error", ""): error.value,
        ("code_error", "_low"): error.low,
        ("code_error", "_high"): error.high,
        ("code_error_relative", ""): _divided(error.value, variance),
        ("entropy_ratio", ""): ratio,
        ("entropy_ratio_two_sided", ""): None if ratio is None else two_sided(ratio),
        ("token_divergence", ""): divergence(own, true),
        ("token_utilization", ""): utilization(own, space.sizes[dynamic]),
        ("cluster_agreement", ""): same.value,
        ("cluster_agreement", "_low"): same.low,
        ("cluster_agreement", "_high"): same.high,
        ("cluster_ari", ""): float(adjusted_rand_score(clusters[1], clusters[0])),
    }


def _divided(value: float | None, by: float | None) -> float | None:
    return None if value is None or by is None else value / by


def two_sided(ratio: float) -> float:
    """The smaller of a ratio and its inverse: 1 at best, 0 for nothing at all."""
    return min(ratio, 1 / ratio) if ratio > 0 else 0.0


def _entropy(tokens: Tokens) -> float:
    """Sum over tokens of their entropies, in bits."""
    return sum(information.entropy(column) for column in tokens.T)


def divergence(a: Tokens, b: Tokens) -> float:
    r"""Jensen–Shannon divergence of the two distributions of each token, mean over tokens, in bits.

    $H((p + q)/2) - (H(p) + H(q))/2$ (Lin 1991): 0 for equal, 1 for disjoint distributions.
    """
    return float(np.mean([_divergence(x, y) for x, y in zip(a.T, b.T, strict=True)]))


def _divergence(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    size = max(a.max(), b.max()) + 1
    p, q = (np.bincount(x, minlength=size) / len(x) for x in (a, b))
    return _plain((p + q) / 2) - (_plain(p) + _plain(q)) / 2


def _plain(share: Float[np.ndarray, " k"]) -> float:
    seen = share[share > 0]
    return float(-(seen * np.log2(seen)).sum())


def utilization(tokens: Tokens, sizes: Int[np.ndarray, " S"]) -> float:
    """Share of all codes that occur among some operators; at most n / K for n operators."""
    return float(sum(len(np.unique(column)) for column in tokens.T) / sizes.sum())
