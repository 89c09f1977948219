"""Partitions that are given: by a JSON file, or by the names of the columns."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinlock import artifacts
from spinlock.categories.grouping import NAME
from spinlock.categories.partition import FAMILIES, Config
from spinlock.refusals import Refusal

KEYS = ("group_indices", "categories")
SHOWN = 3  # names of a list that may be long


def read(path: Path) -> object:
    """Read a mapping file, for `parse`.

    Raises:
        Refusal: missing, or not JSON.
    """
    if not path.is_file():
        raise Refusal(f"discover_categories.mapping_file: {path}: no such file")
    return artifacts.read_json(path)


def parse(
    tree: object, columns: Mapping[str, Sequence[str]], config: Config, place: str
) -> dict[str, tuple[str, ...]]:
    """Read a mapping of category names to columns, and check it against the columns there are.

    Args:
        tree: JSON, `{"group_indices": {category: [column, …]}}`, each column a name or an index
            into all cleaned columns, INITIAL first, then SUMMARY, then TEMPORAL. The key
            `categories` does as well, so that data/categories.json is such a file.
        columns: cleaned columns by family.
        config: which families may not share a category with others, how many categories there may
            be, and how few columns one may have, unless its pool has fewer.
        place: where the mapping comes from, for messages.

    Raises:
        Refusal: it has another form; a category is empty, too small or mixes an isolated family
            with another; there are too many; a column is unknown, in two categories or in none.
    """
    known = [name for family in FAMILIES for name in columns[family]]
    owner: dict[str, str] = {}
    categories: dict[str, tuple[str, ...]] = {}
    for category, entries in _groups(tree, place).items():
        names = tuple(_column(entry, known, f"{place}: {category}") for entry in entries)
        for name in names:
            if name in owner:
                raise Refusal(f"{place}: {name} stands in {owner[name]} and again in {category}")
            owner[name] = category
        _require_one_pool(names, config, f"{place}: {category}")
        categories[category] = names
    if left := [name for name in known if name not in owner]:
        shown = ", ".join(left[:SHOWN]) + " …" * (len(left) > SHOWN)
        raise Refusal(f"{place}: {len(left)} columns stand in no category: {shown}")
    _require_limits(categories, columns, config, place)
    return categories


def _groups(tree: object, place: str) -> dict[str, list]:
    keys = [key for key in KEYS if isinstance(tree, dict) and key in tree]
    if len(keys) != 1 or not isinstance(tree, dict) or not isinstance(tree[keys[0]], dict):
        raise Refusal(f"{place}: expected one object under the key {' or '.join(KEYS)}")
    groups = tree[keys[0]]
    for category, entries in groups.items():
        if not NAME.fullmatch(category):
            raise Refusal(
                f"{place}: expected names of categories of at most 60 letters, digits and _ . + -, "
                f"other than overview, got {category!r}"
            )
        if not isinstance(entries, list) or not entries:
            raise Refusal(f"{place}: {category}: expected a list of columns, found {entries!r}")
    return groups


def _column(entry: object, known: Sequence[str], place: str) -> str:
    """The name of a column given by name or index."""
    if isinstance(entry, int) and not isinstance(entry, bool):
        if not 0 <= entry < len(known):
            raise Refusal(f"{place}: index {entry}; there are {len(known)} cleaned columns")
        return known[entry]
    if entry not in known:
        close = difflib.get_close_matches(str(entry), known, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise Refusal(f"{place}: {entry!r} is not a cleaned column{hint}")
    return str(entry)


def _require_one_pool(names: Sequence[str], config: Config, place: str) -> None:
    families = sorted({name.partition(".")[0] for name in names})
    apart = [family for family in families if family in config.isolated_families]
    if apart and len(families) > 1:
        raise Refusal(f"{place}: {apart[0]} is isolated, but shares it with {families}")


def _require_limits(
    categories: Mapping[str, Sequence[str]],
    columns: Mapping[str, Sequence[str]],
    config: Config,
    place: str,
) -> None:
    if len(categories) > config.max_clusters:
        raise Refusal(
            f"{place}: expected at most discover_categories.max_clusters = {config.max_clusters} "
            f"categories, found {len(categories)}"
        )
    for pool in config.pools(columns).values():
        least = min(config.min_features_per_category, len(pool))
        for category, names in categories.items():
            if names[0] in pool and len(names) < least:
                raise Refusal(
                    f"{place}: {category}: expected at least {least} columns, found {len(names)}; "
                    "discover_categories.min_features_per_category is "
                    f"{config.min_features_per_category}"
                )


def semantic(
    names: Sequence[str], min_size: int, max_number: int, place: str
) -> list[tuple[str, ...]]:
    """Group columns `family.group.statistic[.aggregate]` by what their names say.

    First by family, group and the first word of the statistic; then, as long as a group is too
    small or there are too many, the smallest joins the largest of its family and group, or of its
    family where it has no other.

    Args:
        names: columns that may share a category.
        min_size: least columns of a category, where the names allow it.
        max_number: most categories.
        place: what asks, for messages.

    Raises:
        Refusal: there are more families than `max_number`.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        family, group, statistic = name.split(".")[:3]
        groups.setdefault((family, group, statistic.partition("_")[0]), []).append(name)
    while True:
        joinable = [key for key in groups if _nearest(key, groups)]
        too_many = len(groups) > max_number
        small = [key for key in joinable if too_many or len(groups[key]) < min_size]
        if not small:
            break
        key = min(small, key=lambda key: (len(groups[key]), key))
        groups[_nearest(key, groups)[0]] += groups.pop(key)
    if len(groups) > max_number:
        raise Refusal(f"{place}: max_clusters leaves {max_number}, names need {len(groups)}")
    return [tuple(name for name in names if name in set(group)) for group in groups.values()]


def _nearest(
    key: tuple[str, ...], groups: Mapping[tuple[str, ...], Sequence[str]]
) -> list[tuple[str, ...]]:
    """Other groups of the same family, best first: of the same group, the largest."""
    family = [other for other in groups if other != key and other[0] == key[0]]
    return sorted(family, key=lambda other: (other[1] != key[1], -len(groups[other]), other))
