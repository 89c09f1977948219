"""What `discover-categories` tells the stages after it."""

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import is_valid_linkage

from spinlock import artifacts, params
from spinlock.refusals import Refusal

# A token is named category/level, and a picture after its category, beside overview.png.
NAME = re.compile(r"(?!overview$)\w[\w.+-]{0,59}", re.ASCII)

Tree = tuple[tuple[int, int, float], ...]  # merges: two nodes (columns, then merges) and the height


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Every column in one category and in one pool."""

    categories: dict[str, tuple[str, ...]]  # category name to column names
    pools: dict[str, tuple[str, ...]]  # columns that might share a category, in a tree's order
    trees: dict[str, Tree]  # by pool, where a clustering made one


def read(path: Path) -> Grouping:
    """Read `data/categories.json`.

    Raises:
        Refusal: missing, of another form, a category that has no column, a name of no file, or
            columns of two pools, pools of other columns, or a tree that is not one of its pool's.
    """
    written = artifacts.read_object(path)
    groups = dict[str, tuple[str, ...]]
    found = Grouping(
        categories=params.parse("categories", written, groups, path),
        pools=params.parse("pools", written, groups, path),
        trees=params.parse("trees", written, dict[str, Tree], path),
    )
    grouped = _columns(found.categories)
    if not grouped or len(set(grouped)) < len(grouped) or _columns(found.pools) != grouped:
        raise Refusal(f"{path}: pools: expected every column of the categories once")
    for category, columns in found.categories.items():
        together = any(set(columns) <= set(pool) for pool in found.pools.values())
        if not NAME.fullmatch(category) or not columns or not together:
            raise Refusal(
                f"{path}: categories: {category!r}: expected a name of letters, digits and "
                "_ . + -, and columns of one pool"
            )
    for pool, tree in found.trees.items():
        count = len(found.pools.get(pool, ()))
        if not _joins(tree, count):
            raise Refusal(f"{path}: trees: {pool}: expected a tree of its {count} columns")
    return found


def _columns(groups: dict[str, tuple[str, ...]]) -> list[str]:
    return sorted(chain.from_iterable(groups.values()))


def _joins(tree: Tree, count: int) -> bool:
    """Whether the merges join so many nodes to one, each node once and after it was made."""
    if count < 2 or len(tree) != count - 1:
        return count == 1 and not tree
    return bool(is_valid_linkage(np.array([(*merge, 1.0) for merge in tree])))
