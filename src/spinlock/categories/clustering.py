"""Hierarchical clustering of columns, and how many clusters to make."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import cophenet, cut_tree, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from sklearn.metrics import adjusted_rand_score, silhouette_score

from spinlock import randomness
from spinlock.categories.partition import Config, Score, Tree


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
    ranks = rankdata(table, axis=0)
    total = np.zeros(table.shape[1] * (table.shape[1] - 1) // 2)
    for _ in range(num_trees):
        rows = rng.integers(len(ranks), size=len(ranks))
        total += cophenet(_linkage(_apart(_correlations(ranks[rows]))))
    return squareform(total / num_trees)


def _linkage(distance: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D-1 4"]:
    return linkage(squareform(distance, checks=False), "average")


def partitions(
    distance: Float[np.ndarray, "D D"], min_size: int, max_number: int
) -> dict[int, Int[np.ndarray, "D"]]:
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
    cuts = cut_tree(_linkage(distance))
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


def stabilities(
    table: Float[np.ndarray, "n D"],
    reference: dict[int, Int[np.ndarray, "D"]],
    config: Config,
    seed: int,
) -> dict[int, float]:
    """Mean adjusted Rand index between the clusters of all operators and those of resamples.

    One cluster always agrees with itself, so it has no stability. The operators are drawn with
    replacement, each resample from its own stream, and its clusters are found as those of the whole
    table are, bagging included. A resample that does not form a number of clusters counts as 0 for
    that number.
    """
    total = dict.fromkeys(sorted(reference.keys() - {1}), 0.0)
    for resample in range(config.num_bootstraps):
        rng = randomness.stream(seed, "categories/bootstrap", realization=resample)
        drawn = table[rng.integers(len(table), size=len(table))]
        distance = bagged(drawn, config.num_trees, rng)
        found = partitions(distance, config.min_features_per_category, max(reference))
        for number in total.keys() & found.keys():
            total[number] += adjusted_rand_score(reference[number], found[number])
    return {number: value / config.num_bootstraps for number, value in total.items()}


def choose(scores: Sequence[Score], min_stability: float) -> int:
    """The number of the best silhouette among the stable ones; if none is, the most stable.

    One cluster is chosen only if there is no other number; of equals, the smallest number.
    """
    several = [
        (s.number, s.silhouette, s.stability)
        for s in scores
        if s.silhouette is not None and s.stability is not None
    ]
    stable = [entry for entry in several if entry[2] >= min_stability]
    if stable:
        return max(stable, key=lambda entry: (entry[1], -entry[0]))[0]
    if several:
        return max(several, key=lambda entry: (entry[2], -entry[0]))[0]
    return scores[0].number


def cluster(
    table: Float[np.ndarray, "n D"], config: Config, max_number: int, seed: int
) -> tuple[Int[np.ndarray, "D"], tuple[Score, ...], Tree]:
    """Cluster columns into the number that `choose` prefers.

    Returns:
        Labels, the scores of every number that could be formed, and the tree of the columns.
    """
    rng = randomness.stream(seed, "categories/trees")
    distance = bagged(table, config.num_trees, rng)
    found = partitions(distance, config.min_features_per_category, max_number)
    stability = stabilities(table, found, config, seed)
    apart = distances(table)
    scores = tuple(
        Score(number=g, silhouette=silhouette(apart, labels), stability=stability.get(g))
        for g, labels in found.items()
    )
    return found[choose(scores, config.min_stability)], scores, _tree(distance)


def _tree(distance: Float[np.ndarray, "D D"]) -> Tree:
    if len(distance) < 2:
        return ()
    return tuple((int(a), int(b), float(h)) for a, b, h, _ in _linkage(distance))
