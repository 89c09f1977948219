"""What tokens say, in bits: entropy, mutual information, agreement beyond chance."""

import numpy as np
from jaxtyping import Float, Int

from spinlock import randomness


def entropy(symbols: Int[np.ndarray, " n"]) -> float:
    r"""Entropy in bits, Miller–Madow: $-\sum_k p_k \log_2 p_k + (m - 1) / (2 n \ln 2)$.

    m is the number of symbols that occur (Miller 1955).
    """
    counts = np.bincount(symbols)
    counts = counts[counts > 0]
    share = counts / len(symbols)
    return float(
        -(share * np.log2(share)).sum() + (len(counts) - 1) / (2 * len(symbols) * np.log(2))
    )


def mutual_information(a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"]) -> float:
    r"""Plug-in mutual information in bits, biased upwards.

    $\sum_{ab} p_{ab} \log_2 (p_{ab} / p_a p_b)$ over the pairs of symbols that occur together.
    """
    joint = np.bincount(a * (b.max() + 1) + b, minlength=(a.max() + 1) * (b.max() + 1))
    share = joint.reshape(a.max() + 1, b.max() + 1) / len(a)
    independent = share.sum(1, keepdims=True) * share.sum(0)
    seen = share > 0
    return float((share[seen] * np.log2(share[seen] / independent[seen])).sum())


def shuffles(seed: int, purpose: str, count: int, num_permutations: int) -> np.ndarray:
    """Permutations [num_permutations, count] of the operators, for nulls."""
    rng = randomness.stream(seed, f"permutation/{purpose}")
    return np.stack([rng.permutation(count) for _ in range(num_permutations)])


def null_information(
    a: Int[np.ndarray, " n"], b: Int[np.ndarray, " n"], permutations: Int[np.ndarray, "q n"]
) -> float:
    """Mean of the plug-in mutual information, in bits, when b is permuted: its bias."""
    return float(np.mean([mutual_information(a, b[order]) for order in permutations]))


def shared(
    tokens: Int[np.ndarray, "n S"], permutations: Int[np.ndarray, "q n"]
) -> Float[np.ndarray, "S S"]:
    """Mutual information in bits of each two tokens, less its mean under permutation, at least 0.

    The diagonal is 0.
    """
    num_tokens = tokens.shape[1]
    found = np.zeros((num_tokens, num_tokens))
    for s in range(num_tokens):
        for t in range(s):
            null = null_information(tokens[:, s], tokens[:, t], permutations)
            found[s, t] = max(mutual_information(tokens[:, s], tokens[:, t]) - null, 0.0)
    return found + found.T


def joint_entropy(tokens: Int[np.ndarray, "n S"], between: Float[np.ndarray, "S S"]) -> float:
    r"""Upper estimate in bits of the entropy of all tokens of an operator together.

    $\sum_s H(s) - \sum_{(s,t)} I(s; t)$ over the tree of pairs that share most (Chow & Liu 1968).
    A plug-in estimate would be log2 n at most: with dozens of tokens every operator is unique.

    Args:
        tokens: of n operators.
        between: see `shared`.
    """
    return sum(entropy(token) for token in tokens.T) - _tree_weight(between)


def agreement(a: Int[np.ndarray, "n S"], b: Int[np.ndarray, "n S"]) -> Float[np.ndarray, " n"]:
    """Share of equal tokens, for each operator."""
    return (a == b).mean(1)


def chance_agreement(a: Int[np.ndarray, "n S"], b: Int[np.ndarray, "n S"]) -> float:
    """Agreement of a with b of another operator: the mean over all pairs i ≠ j."""
    num_operators, num_tokens = a.shape
    equal = sum(
        (a[:, s, None] == b[None, :, s]).sum() - (a[:, s] == b[:, s]).sum()
        for s in range(num_tokens)
    )
    return float(equal / (num_operators * (num_operators - 1) * num_tokens))


def kappa(a: Int[np.ndarray, "n S"], b: Int[np.ndarray, "n S"]) -> float:
    r"""Cohen's κ pooled over tokens: $(p_o - p_e) / (1 - p_e)$; NaN if chance alone always agrees.

    $p_o$ is the share of equal tokens and $p_e = \sum_k p_a(k) p_b(k)$, both averaged over the S
    tokens, so that a token which never varies neither helps nor divides by zero (Cohen 1960).
    """
    observed = (a == b).mean()
    size = max(a.max(), b.max()) + 1
    share = [
        [np.bincount(column, minlength=size) / len(column) for column in tokens.T]
        for tokens in (a, b)
    ]
    expected = float((np.array(share[0]) * np.array(share[1])).sum(1).mean())
    return float((observed - expected) / (1 - expected)) if expected < 1 else float("nan")


def _tree_weight(weight: Float[np.ndarray, "S S"]) -> float:
    """Weight of the maximum spanning tree (Prim)."""
    total, inside = 0.0, np.zeros(len(weight), dtype=bool)
    inside[0] = True
    best = weight[0].copy()
    for _ in range(len(weight) - 1):
        following = int(np.where(inside, -np.inf, best).argmax())
        total += float(best[following])
        inside[following] = True
        best = np.maximum(best, weight[following])
    return total
