"""Hierarchical clustering of columns."""

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import cophenet, cut_tree, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from sklearn.metrics import silhouette_score

Found = dict[int, Int[np.ndarray, "D"]]  # labels of the columns, by number of clusters


def associations(table: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D D"]:
    """|ρ|, Spearman's rank correlation (1904), of every two columns; 0 if one does not vary."""
    return _correlations(rankdata(table, axis=0))


def distances(table: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D D"]:
    """Correlation distance 1 − ρ² of every two columns: the variance of ranks they do not share."""
    return _apart(associations(table))


def _correlations(table: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D D"]:
    """|r| of every two columns, exactly symmetric, 1 on the diagonal."""
    centered = table - table.mean(0)
    norm = np.sqrt((centered**2).sum(0))
    unit = centered / np.where(norm > 0, norm, 1.0)
    similar = np.clip(np.abs(unit.T @ unit), 0.0, 1.0)
    np.fill_diagonal(similar, 1.0)
    return (similar + similar.T) / 2


def _apart(similar: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D D"]:
    return 1.0 - similar**2


def first_component(values: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
    """Scores of the operators on the first principal component of some columns."""
    left, singular, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    return left[:, 0] * singular[0]


def bagged(
    table: Float[np.ndarray, "n D"], num_trees: int, rng: np.random.Generator
) -> Float[np.ndarray, "D D"]:
    """The height at which two columns meet, mean over trees of resampled operators.

    Average linkage of the correlation distance makes a tree of each resample, and the heights of
    the trees (cophenetic distances) are averaged: bagging, which makes clusters hold under another
    sample of the operators (Dudoit and Fridlyand 2003). The ranks are those of the whole table.
    """
    if table.shape[1] < 2:
        return np.zeros((table.shape[1], table.shape[1]))
    ranks = rankdata(table, axis=0).astype(np.float32)  # exact, and twice as fast to multiply
    total = np.zeros(table.shape[1] * (table.shape[1] - 1) // 2)
    for _ in range(num_trees):
        rows = rng.integers(len(ranks), size=len(ranks))
        total += cophenet(merges(_apart(_correlations(ranks[rows]))))
    return squareform(total / num_trees)


def merges(distance: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D-1 4"]:
    """The tree of average linkage, as scipy writes it."""
    return linkage(squareform(distance, checks=False), "average")


def partitions(distance: Float[np.ndarray, "D D"], min_size: int, max_number: int) -> Found:
    """Group columns into 1, 2, … clusters of at least `min_size` each, as far as possible.

    Average linkage makes a tree. For each number g, the coarsest cut of it with exactly g clusters
    of at least `min_size` columns is taken; the columns of smaller clusters (orphans) join the
    cluster they are nearest to on average.

    Args:
        distance: between columns.
        min_size: least columns of a cluster; a single cluster may have fewer.
        max_number: most clusters.

    Returns:
        Labels 0 … g − 1 in the order of first appearance, by number g; 1 is always there.
    """
    found = {1: np.zeros(len(distance), dtype=np.int64)}
    if len(distance) < 2 * min_size or max_number == 1:
        return found
    cuts = cut_tree(merges(distance))
    for labels in cuts.T[::-1]:
        sizes = np.bincount(labels)
        large = np.flatnonzero(sizes >= min_size)
        if 1 < len(large) <= max_number and len(large) not in found:
            found[len(large)] = _joined(distance, labels, large)
    return dict(sorted(found.items()))


def _joined(
    distance: Float[np.ndarray, "D D"], labels: Int[np.ndarray, "D"], large: Int[np.ndarray, "g"]
) -> Int[np.ndarray, "D"]:
    """Labels after every column outside the large clusters has joined the nearest of them."""
    member = labels[:, None] == large
    to_cluster = distance @ member / member.sum(0)
    nearest = np.where(member.any(1), member.argmax(1), to_cluster.argmin(1))
    order = list(dict.fromkeys(nearest.tolist()))
    return np.array([order.index(label) for label in nearest], dtype=np.int64)


def silhouette(distance: Float[np.ndarray, "D D"], labels: Int[np.ndarray, "D"]) -> float | None:
    """Mean silhouette of the columns (Rousseeuw 1987); None where it is not defined."""
    if not 1 < labels.max() + 1 < len(labels):
        return None
    return float(silhouette_score(distance, labels, metric="precomputed"))
