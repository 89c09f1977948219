"""From cleaned training features to a partition of their columns."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from spinlock import workers
from spinlock.categories import mapping, naming, quality, selection
from spinlock.categories.partition import Config, Partition
from spinlock.cleaning.sets import FAMILIES, Cleaned
from spinlock.refusals import Refusal

Groups = list[tuple[str, ...]]


def summaries(train: Cleaned, columns: Mapping[str, Sequence[str]]) -> quality.Table:
    """One number per operator and column: the value, or the mean over time of a TEMPORAL series.

    That mean is what a whole series says about its operator, on the footing of a SUMMARY column:
    correlating all steps instead would compare the common course of time (the transient that all
    operators share), which tells no operator from another. A missing value counts as imputed.
    """
    parts = (train.initial, train.summary, train.temporal.mean(1))
    values = np.concatenate([part.double().numpy() for part in parts], axis=1)
    names = [name for family in FAMILIES for name in columns[family]]
    return dict(zip(names, values.T, strict=True))


def discover(
    train: Cleaned,
    columns: Mapping[str, Sequence[str]],
    config: Config,
    seed: int,
    given: object = None,
    run: workers.Run = workers.here,
) -> Partition:
    """Group the cleaned columns into categories.

    Args:
        train: the aggregated view of valid training operators; nothing else is looked at.
        columns: their names by family.
        config: how.
        seed: root seed, for the resamples.
        given: the JSON of `config.mapping_file`, with the method "mapping".
        run: where the resamples are clustered; it changes no bit.

    Raises:
        Refusal: fewer than two operators, categories larger than any pool, or a mapping that does
            not fit the columns.
    """
    if len(train) < 2:
        raise Refusal(f"discover_categories: expected 2 training operators, found {len(train)}")
    table, pools = summaries(train, columns), config.pools(columns)
    _require_room(pools, config)
    clusters: dict[str, selection.Clusters] = {}
    if config.method == "mapping":
        place = f"discover_categories.mapping_file: {config.mapping_file}"
        categories = mapping.parse(given, columns, config, place)
    else:
        groups: Groups = []
        for left, (pool, names) in zip(range(len(pools))[::-1], pools.items(), strict=True):
            # Each pool may use what those before it left, less one category for each after it.
            budget = config.max_clusters - len(groups) - left
            if config.method == "semantic":
                minimum = config.min_features_per_category
                groups += mapping.semantic(names, minimum, budget, "discover_categories")
                continue
            values = np.stack([table[name] for name in names], 1)
            clusters[pool] = selection.cluster(values, config, budget, seed, run)
            groups += _grouped(names, clusters[pool].labels)
        telling = [quality.telling(names, table)[0] for names in groups]
        categories = dict(zip(naming.names(groups, telling), groups, strict=True))
    return quality.described(categories, table, pools, clusters)


def _require_room(pools: Mapping[str, Sequence[str]], config: Config) -> None:
    """A small family may have fewer columns than a category must, but not all of them."""
    least, most = config.min_features_per_category, max(map(len, pools.values()))
    if least > most:
        raise Refusal(
            f"discover_categories.min_features_per_category: expected at most {most}, the columns "
            f"that may share a category, found {least}"
        )


def _grouped(names: Sequence[str], labels: Int[np.ndarray, " D"]) -> Groups:
    """The columns of each label."""
    return [
        tuple(name for name, label in zip(names, labels, strict=True) if label == index)
        for index in range(labels.max() + 1)
    ]
