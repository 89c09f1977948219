"""Hierarchical clustering of columns, and how many clusters to make."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import cophenet, cut_tree, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata, t
from sklearn.metrics import adjusted_rand_score, silhouette_score

from spinlock import randomness, workers
from spinlock.categories.partition import Config, Score, Tree

CONFIDENCE = 0.95  # of the one-sided interval of a stability

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
        total += cophenet(_linkage(_apart(_correlations(ranks[rows]))))
    return squareform(total / num_trees)


def _linkage(distance: Float[np.ndarray, "D D"]) -> Float[np.ndarray, "D-1 4"]:
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


def resampled(
    table: Float[np.ndarray, "n D"],
    max_number: int,
    config: Config,
    seed: int,
    purpose: str,
    run: workers.Run = workers.here,
) -> list[Found]:
    """What `partitions` finds in `num_bootstraps` sets of operators drawn with replacement.

    The clusters of a resample are found as those of the whole table are, bagging included, though
    by fewer trees: what its clusters owe to chance alone counts against the whole table's.

    Args:
        table: one number per operator and column.
        max_number: most clusters.
        config: how.
        seed: root seed.
        purpose: of the resamples; those of another purpose are others.
        run: where the resamples are clustered; it changes no bit.
    """
    one = functools.partial(_resample, table, max_number, config, seed, f"categories/{purpose}")
    return list(run([functools.partial(one, number) for number in range(config.num_bootstraps)]))


def _resample(
    table: Float[np.ndarray, "n D"],
    max_number: int,
    config: Config,
    seed: int,
    purpose: str,
    number: int,
) -> Found:
    rng = randomness.stream(seed, purpose, realization=number)
    drawn = table[rng.integers(len(table), size=len(table))]
    distance = bagged(drawn, config.num_resample_trees, rng)
    return partitions(distance, config.min_features_per_category, max_number)


def stability(labels: Int[np.ndarray, "D"], resamples: Sequence[Found]) -> tuple[float, float]:
    """How well clusters hold under other operators: mean adjusted Rand index, and its lower end.

    The index is 1 for the same clusters and 0 for chance (Hubert and Arabie 1985). A resample that
    does not form the number of clusters counts as 0. Bad case: the mean over the resamples that
    chose a number is too high for that number, as of several noisy means the highest is.

    Args:
        labels: of the columns, two clusters or more.
        resamples: what resamples of the operators make of the same columns, two or more.

    Returns:
        The mean, and the lower end of its one-sided 95 % interval (Student's t).
    """
    number = int(labels.max()) + 1
    values = [
        adjusted_rand_score(labels, found[number]) if number in found else 0.0
        for found in resamples
    ]
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    return mean, mean - float(t.ppf(CONFIDENCE, len(values) - 1)) * error


def jaccards(labels: Int[np.ndarray, "D"], resamples: Sequence[Found]) -> Float[np.ndarray, "g"]:
    """How well each cluster holds by itself: mean Jaccard index with the most like of a resample.

    1 if every resample has the same cluster; below about 0.5 a cluster is dissolved as often as it
    is found, at 0.75 it may be believed (Hennig 2007). A resample that does not form the number of
    clusters counts as 0.

    Args:
        labels: of the columns.
        resamples: what resamples of the operators make of the same columns.
    """
    number = int(labels.max()) + 1
    own = np.eye(number)[labels]
    total = np.zeros(number)
    for found in resamples:
        if number in found:
            other = np.eye(number)[found[number]]
            shared = own.T @ other
            either = own.sum(0)[:, None] + other.sum(0) - shared
            total += (shared / either).max(1)
    return total / len(resamples)


def choose(scores: Sequence[Score], min_stability: float) -> int:
    """The number of the best silhouette among the stable ones; if none is, the most stable.

    Stable: even the lower end of the interval is at least `min_stability`, so that the resamples
    of another seed take the same number. One cluster is chosen only if there is no other number;
    of equals, the smallest number.
    """
    several = [
        (s.number, s.silhouette, s.stability, s.stability_low)
        for s in scores
        if s.silhouette is not None and s.stability is not None and s.stability_low is not None
    ]
    stable = [entry for entry in several if entry[3] >= min_stability]
    if stable:
        return max(stable, key=lambda entry: (entry[1], -entry[0]))[0]
    if several:
        return max(several, key=lambda entry: (entry[2], -entry[0]))[0]
    return scores[0].number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """The clusters of a pool of columns, and what is known of them."""

    labels: Int[np.ndarray, "D"]
    considered: tuple[Score, ...]  # every number that could be formed; these resamples choose
    judged: Score  # the number that was taken, by other resamples
    held: tuple[float | None, ...]  # `jaccards` of the clusters, by those; None of a single one
    tree: Tree


def cluster(
    table: Float[np.ndarray, "n D"],
    config: Config,
    max_number: int,
    seed: int,
    run: workers.Run = workers.here,
) -> Clusters:
    """Cluster columns into the number that `choose` prefers, and judge it by fresh resamples."""
    rng = randomness.stream(seed, "categories/trees")
    distance = bagged(table, config.num_trees, rng)
    found = partitions(distance, config.min_features_per_category, max_number)
    apart = distances(table)
    judge = functools.partial(resampled, table, max(found), config, seed, run=run)
    resamples = judge("choice") if len(found) > 1 else []
    scores = tuple(_score(labels, apart, resamples) for labels in found.values())
    labels = found[choose(scores, config.min_stability)]
    fresh = judge("judgement") if labels.max() else []
    return Clusters(
        labels=labels,
        considered=scores,
        judged=_score(labels, apart, fresh),
        held=tuple(jaccards(labels, fresh).tolist()) if fresh else (None,),
        tree=_tree(distance),
    )


def _score(
    labels: Int[np.ndarray, "D"], apart: Float[np.ndarray, "D D"], resamples: Sequence[Found]
) -> Score:
    """Silhouette and stability; one cluster always agrees with itself, so it has no stability."""
    number = int(labels.max()) + 1
    mean, low = stability(labels, resamples) if number > 1 else (None, None)
    return Score(
        number=number, silhouette=silhouette(apart, labels), stability=mean, stability_low=low
    )


def _tree(distance: Float[np.ndarray, "D D"]) -> Tree:
    if len(distance) < 2:
        return ()
    return tuple((int(a), int(b), float(h)) for a, b, h, _ in _linkage(distance))
