"""How many clusters of columns to make, and how well they hold under other operators."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t
from sklearn.metrics import adjusted_rand_score

from spinlock import randomness, workers
from spinlock.categories import clustering
from spinlock.categories.grouping import Tree
from spinlock.categories.partition import Config, Score

CONFIDENCE = 0.95  # of the one-sided intervals


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resample:
    """What another sample of the operators makes of the same columns."""

    found: clustering.Found  # its own clusters
    silhouettes: dict[int, float | None]  # of the whole table's clusters, by their number


def resampled(
    table: Float[np.ndarray, "n D"],
    reference: clustering.Found,
    config: Config,
    seed: int,
    purpose: str,
    run: workers.Run = workers.here,
) -> list[Resample]:
    """What `num_bootstraps` sets of operators drawn with replacement make of the columns.

    The clusters of a resample are found as those of the whole table are, bagging included, though
    by fewer trees: what its clusters owe to chance alone counts against the whole table's.

    Args:
        table: one number per operator and column.
        reference: what `partitions` makes of the whole table.
        config: how.
        seed: root seed.
        purpose: of the resamples; those of another purpose are others.
        run: where the resamples are clustered; it changes no bit.
    """
    one = functools.partial(_resample, table, reference, config, seed, f"categories/{purpose}")
    return list(run([functools.partial(one, number) for number in range(config.num_bootstraps)]))


def _resample(
    table: Float[np.ndarray, "n D"],
    reference: clustering.Found,
    config: Config,
    seed: int,
    purpose: str,
    number: int,
) -> Resample:
    rng = randomness.stream(seed, purpose, realization=number)
    drawn = table[rng.integers(len(table), size=len(table))]
    apart = clustering.distances(drawn)
    distance = clustering.bagged(drawn, config.num_resample_trees, rng)
    return Resample(
        found=clustering.partitions(distance, config.min_features_per_category, max(reference)),
        silhouettes={
            size: clustering.silhouette(apart, labels) for size, labels in reference.items()
        },
    )


def stability(
    labels: Int[np.ndarray, "D"], resamples: Sequence[clustering.Found]
) -> tuple[float, float]:
    """How well clusters hold under other operators: mean adjusted Rand index, and its lower end.

    The index is 1 for the same clusters and 0 for chance (Hubert and Arabie 1985). A resample that
    does not form the number of clusters counts as 0. Bad case: the mean over the resamples that
    chose a number is too high for that number, as of several noisy means the highest is. The lower
    end is that of the mean: it comes the nearer the more resamples there are, while single ones
    spread as before.

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


def jaccards(
    labels: Int[np.ndarray, "D"], resamples: Sequence[clustering.Found]
) -> Float[np.ndarray, "g"]:
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


def compared(
    scores: Sequence[Score], resamples: Sequence[Resample], min_stability: float
) -> tuple[Score, ...]:
    """The scores, and by how much the silhouettes of stable numbers are behind the best of them.

    Stable: even the lower end of the stability is at least `min_stability`. By how much: the lower
    end of its one-sided 95 % interval, a percentile over the resamples (Efron 1979).

    Args:
        scores: of every number.
        resamples: of the operators.
        min_stability: least stability.
    """
    stable = {
        s.number: s.silhouette
        for s in scores
        if s.silhouette is not None
        and s.stability_low is not None
        and s.stability_low >= min_stability
    }
    if not stable:
        return tuple(scores)
    drawn = {g: np.array([r.silhouettes[g] for r in resamples], dtype=float) for g in stable}
    best = drawn[max(stable, key=stable.__getitem__)]
    behind = {g: float(np.quantile(best - own, 1 - CONFIDENCE)) for g, own in drawn.items()}
    return tuple(dataclasses.replace(s, behind=behind.get(s.number)) for s in scores)


def choose(scores: Sequence[Score]) -> int:
    """The smallest stable number whose silhouette is not certainly behind; else the most stable.

    Where a finer number is stable for some seeds of the resamples alone, and no better for certain,
    this takes the same number for all of them. One cluster is chosen only if there is no other
    number; of equals, the smallest number.
    """
    equal = [s.number for s in scores if s.behind is not None and s.behind <= 0]
    if equal:
        return min(equal)
    several = [
        (s.stability, -s.number)
        for s in scores
        if s.silhouette is not None and s.stability is not None
    ]
    return -max(several)[1] if several else scores[0].number


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
    distance = clustering.bagged(table, config.num_trees, rng)
    found = clustering.partitions(distance, config.min_features_per_category, max_number)
    apart = clustering.distances(table)
    judge = functools.partial(resampled, table, found, config, seed, run=run)
    resamples = judge("choice") if len(found) > 1 else []
    scores = [_score(labels, apart, resamples) for labels in found.values()]
    considered = compared(scores, resamples, config.min_stability)
    labels = found[choose(considered)]
    fresh = judge("judgement") if labels.max() else []
    return Clusters(
        labels=labels,
        considered=considered,
        judged=_score(labels, apart, fresh),
        held=tuple(jaccards(labels, _found(fresh)).tolist()) if fresh else (None,),
        tree=_tree(distance),
    )


def _score(
    labels: Int[np.ndarray, "D"], apart: Float[np.ndarray, "D D"], resamples: Sequence[Resample]
) -> Score:
    """Silhouette and stability; one cluster always agrees with itself, so it has no stability."""
    number = int(labels.max()) + 1
    mean, low = stability(labels, _found(resamples)) if number > 1 else (None, None)
    return Score(
        number=number,
        silhouette=clustering.silhouette(apart, labels),
        stability=mean,
        stability_low=low,
        behind=None,
    )


def _found(resamples: Sequence[Resample]) -> list[clustering.Found]:
    return [resample.found for resample in resamples]


def _tree(distance: Float[np.ndarray, "D D"]) -> Tree:
    if len(distance) < 2:
        return ()
    return tuple((int(a), int(b), float(h)) for a, b, h, _ in clustering.merges(distance))
