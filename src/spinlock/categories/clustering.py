"""Hierarchical clustering of columns, and how many clusters to make."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score, silhouette_score

from spinlock import randomness
from spinlock.categories.partition import Config, Score


def distances(table: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D D"]:
    """Correlation distance 1 − |r| between columns; 1 to a column that does not vary."""
    centered = table - table.mean(0)
    norm = np.sqrt((centered**2).sum(0))
    unit = centered / np.where(norm > 0, norm, 1.0)
    distance = np.clip(1.0 - np.abs(unit.T @ unit), 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    return (distance + distance.T) / 2


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
    cuts = cut_tree(linkage(squareform(distance, checks=False), "average"))
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

    The operators are drawn with replacement, each resample from its own stream. One that does not
    form a number of clusters counts as 0 for that number.
    """
    total = dict.fromkeys(reference, 0.0)
    for resample in range(config.num_bootstraps):
        rng = randomness.stream(seed, "categories/bootstrap", realization=resample)
        rows = rng.integers(len(table), size=len(table))
        found = partitions(distances(table[rows]), config.min_features_per_category, max(reference))
        for number in reference.keys() & found.keys():
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
) -> tuple[Int[np.ndarray, "D"], tuple[Score, ...]]:
    """Cluster columns into the number that `choose` prefers.

    Returns:
        Labels, and the scores of every number that could be formed.
    """
    distance = distances(table)
    found = partitions(distance, config.min_features_per_category, max_number)
    stability = stabilities(table, found, config, seed)
    scores = tuple(
        Score(number=g, silhouette=silhouette(distance, labels), stability=stability[g])
        for g, labels in found.items()
    )
    return found[choose(scores, config.min_stability)], scores
