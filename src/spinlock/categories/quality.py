"""What can be said of a partition: its scores, its defining columns, the overlap that is left."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from spinlock.categories import clustering
from spinlock.categories.partition import Partition, Score, Tree

NUM_DEFINING = 3

Table = Mapping[str, Float[np.ndarray, "n"]]  # column name to one number per operator


def described(
    categories: Mapping[str, tuple[str, ...]],
    table: Table,
    pools: Mapping[str, Sequence[str]],
    considered: Mapping[str, tuple[Score, ...]],
    trees: Mapping[str, Tree],
) -> Partition:
    """A partition with its scores by pool, and the columns that define each category."""
    chosen, isolated = {}, []
    for pool, names in pools.items():
        own = {c: columns for c, columns in categories.items() if columns[0] in set(names)}
        isolated += [] if pool == "others" else list(own)
        stability = [s.stability for s in considered[pool] if s.number == len(own)]
        chosen[pool] = Score(
            number=len(own),
            silhouette=silhouette(own, table),
            stability=stability[0] if stability else None,
        )
    return Partition(
        categories=dict(categories),
        isolated=tuple(isolated),
        defining={c: _defining(columns, table) for c, columns in categories.items()},
        chosen=chosen,
        considered=dict(considered),
        pools={pool: tuple(names) for pool, names in pools.items()},
        trees=dict(trees),
    )


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
    components = [_first_component(names, table) for names in categories.values()]
    overlap = clustering.associations(np.stack(components, 1))
    return float(overlap[~np.eye(len(overlap), dtype=bool)].mean())


def metrics(partition: Partition, table: Table) -> dict[str, float | int | None]:
    """Flat scores: over all columns, and by pool of columns that may share a category.

    The stability of all is the mean over the pools that have several categories, weighted by their
    columns; None if no pool has, or if the categories were given.
    """
    sizes = [len(names) for names in partition.categories.values()]
    stabilities = [score.stability for score in partition.chosen.values()]
    weights = {pool: 0 for pool in partition.chosen}
    for category, names in partition.categories.items():
        weights[_pool(category, partition, names)] += len(names)
    known = [
        (own, weight)
        for own, weight in zip(stabilities, weights.values(), strict=True)
        if own is not None
    ]
    found: dict[str, float | int | None] = {
        "categories/number": len(sizes),
        "categories/columns": sum(sizes),
        "categories/smallest": min(sizes),
        "categories/largest": max(sizes),
        "categories/silhouette": silhouette(partition.categories, table),
        "categories/stability": (
            sum(own * weight for own, weight in known) / sum(weight for _, weight in known)
            if known
            else None
        ),
        "categories/redundancy": redundancy(partition.categories, table),
    }
    for pool, score in partition.chosen.items():
        found[f"categories/{pool}/number"] = score.number
        found[f"categories/{pool}/silhouette"] = score.silhouette
        found[f"categories/{pool}/stability"] = score.stability
    return found


def _pool(category: str, partition: Partition, names: Sequence[str]) -> str:
    return names[0].partition(".")[0] if category in partition.isolated else "others"


def _first_component(names: Sequence[str], table: Table) -> Float[np.ndarray, "n"]:
    """Scores of the operators on the first principal component of some columns."""
    values = np.stack([table[name] for name in names], 1)
    left, singular, _ = np.linalg.svd(values - values.mean(0), full_matrices=False)
    return left[:, 0] * singular[0]


def _defining(names: Sequence[str], table: Table) -> tuple[str, ...]:
    """The most central columns: those of the least mean distance to the category's columns."""
    distance = clustering.distances(np.stack([table[name] for name in names], 1))
    central = np.argsort(distance.mean(0), kind="stable")[:NUM_DEFINING]
    return tuple(names[index] for index in central)
