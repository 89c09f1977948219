"""What can be said of a partition: its scores, its defining columns, the overlap that is left."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from spinlock.categories import clustering, defining, selection
from spinlock.categories.partition import Partition, Score

Table = Mapping[str, Float[np.ndarray, "n"]]  # column name to one number per operator


def described(
    categories: Mapping[str, tuple[str, ...]],
    table: Table,
    pools: Mapping[str, Sequence[str]],
    clusters: Mapping[str, selection.Clusters],
) -> Partition:
    """A partition with its scores by pool, and the columns that define each category.

    Args:
        categories: in the order of their pools, and in a pool of its clusters.
        table: one number per operator and column.
        pools: columns that may share a category.
        clusters: by pool, where a clustering made the categories.
    """
    chosen, isolated = {}, []
    held: dict[str, float | None] = dict.fromkeys(categories)
    for pool, names in pools.items():
        own = {c: columns for c, columns in categories.items() if columns[0] in set(names)}
        isolated += [] if pool == "others" else list(own)
        if pool in clusters:
            chosen[pool] = clusters[pool].judged
            held |= dict(zip(own, clusters[pool].held, strict=True))
        else:
            chosen[pool] = Score(
                number=len(own),
                silhouette=silhouette(own, table),
                stability=None,
                stability_low=None,
                behind=None,
            )
    return Partition(
        categories=dict(categories),
        isolated=tuple(isolated),
        defining={c: telling(columns, table) for c, columns in categories.items()},
        held=held,
        chosen=chosen,
        considered={pool: clusters[pool].considered if pool in clusters else () for pool in pools},
        pools={pool: tuple(names) for pool, names in pools.items()},
        trees={pool: found.tree for pool, found in clusters.items()},
    )


def telling(names: Sequence[str], table: Table) -> tuple[str, ...]:
    """The few columns that say most of all of them, the most telling first; at least one."""
    found = defining.greedy(np.stack([table[name] for name in names], 1), defining.COUNT)
    return tuple(names[place] for place, _ in found) or tuple(names[:1])


def silhouette(categories: Mapping[str, Sequence[str]], table: Table) -> float | None:
    """Mean silhouette of the columns of some categories; None where it is not defined."""
    labels = np.concatenate([[i] * len(names) for i, names in enumerate(categories.values())])
    columns = [table[name] for names in categories.values() for name in names]
    return clustering.silhouette(clustering.distances(np.stack(columns, 1)), labels)


def redundancy(categories: Mapping[str, Sequence[str]], table: Table) -> float | None:
    """Mean |ρ| between the first principal components of two different categories.

    0 if no category's main direction tells of another's; None if there is only one category.
    """
    if len(categories) < 2:
        return None
    components = [
        clustering.first_component(np.stack([table[name] for name in names], 1))
        for names in categories.values()
    ]
    overlap = clustering.associations(np.stack(components, 1))
    return float(overlap[~np.eye(len(overlap), dtype=bool)].mean())


def metrics(partition: Partition, table: Table) -> dict[str, float | int | None]:
    """Flat scores: over all columns, and by pool of columns that may share a category.

    The stability of all is the mean over the pools that have several categories, weighted by their
    columns, and its lower end the least of theirs; `held_least` is the Jaccard index of the
    category that holds least. None if no pool has several, or if the categories were given.
    """
    sizes = [len(names) for names in partition.categories.values()]
    weights = dict.fromkeys(partition.chosen, 0)
    for category, names in partition.categories.items():
        weights[_pool(category, partition, names)] += len(names)
    chosen = partition.chosen.items()
    means = [(s.stability, weights[pool]) for pool, s in chosen if s.stability is not None]
    lows = [s.stability_low for _, s in chosen if s.stability_low is not None]
    held = [value for value in partition.held.values() if value is not None]
    found: dict[str, float | int | None] = {
        "categories/number": len(sizes),
        "categories/columns": sum(sizes),
        "categories/smallest": min(sizes),
        "categories/largest": max(sizes),
        "categories/silhouette": silhouette(partition.categories, table),
        "categories/stability": (
            sum(own * weight for own, weight in means) / sum(weight for _, weight in means)
            if means
            else None
        ),
        "categories/stability_low": min(lows, default=None),
        "categories/held_least": min(held, default=None),
        "categories/redundancy": redundancy(partition.categories, table),
    }
    for pool, score in chosen:
        found[f"categories/{pool}/number"] = score.number
        found[f"categories/{pool}/silhouette"] = score.silhouette
        found[f"categories/{pool}/stability"] = score.stability
        found[f"categories/{pool}/stability_low"] = score.stability_low
    return found


def unsure(partition: Partition, min_stability: float) -> dict[str, Score]:
    """Pools whose categories are not certainly stable by the resamples that judge, with scores."""
    return {
        pool: score
        for pool, score in partition.chosen.items()
        if score.stability_low is not None and score.stability_low < min_stability
    }


def _pool(category: str, partition: Partition, names: Sequence[str]) -> str:
    return names[0].partition(".")[0] if category in partition.isolated else "others"
