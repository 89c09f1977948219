"""What categories speak of: how their columns go together, on some operators."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from spinlock.categories import clustering
from spinlock.categories.grouping import Grouping
from spinlock.evaluation.codes import Target
from spinlock.evaluation.resampling import Flat

NAMES = (
    "categories_silhouette",
    "categories_davies_bouldin",
    "categories_correlation",
    "categories_correlation_within",
    "categories_redundancy",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantics:
    """Rank correlations |ρ| over operators, in [0, 1]; a TEMPORAL column is its mean over time."""

    count: int  # operators
    category_of: Int[np.ndarray, " D"]  # of each column
    similar: Float[np.ndarray, "D D"]  # |ρ| of two columns
    association: Float[np.ndarray, "D G"]  # mean |ρ| of a column with the others of a category
    correlation: Float[np.ndarray, "G G"]  # mean |ρ| between columns of two categories
    components: Float[np.ndarray, "D+G D+G"]  # |ρ| of columns and first principal components


def semantics(target: Target, num_categories: int) -> Semantics:
    """Correlate all columns over the rows of a target; D columns in the order of the layout."""
    num_columns = target.column.max() + 1
    cells = np.zeros((len(target.column), num_columns))
    cells[np.arange(len(cells)), target.column] = 1
    values = target.values @ (cells / cells.sum(0))
    category_of = np.zeros(num_columns, dtype=np.int64)
    category_of[target.column] = target.category
    mains = [clustering.first_component(values[:, category_of == g]) for g in range(num_categories)]
    together = clustering.associations(np.column_stack([values, *mains]))
    similar = together[:num_columns, :num_columns]
    member = np.eye(num_categories)[category_of]
    others = member.sum(0) - member  # a column is no evidence for itself
    total = similar @ member - member
    association = np.divide(total, others, out=np.zeros_like(total), where=others > 0)
    counts = member.sum(0)
    correlation = member.T @ similar @ member / np.outer(counts, counts)
    return Semantics(
        count=len(values),
        category_of=category_of,
        similar=similar,
        association=association,
        correlation=correlation,
        components=together,
    )


def metrics(found: Semantics) -> Flat:
    """How well the categories part the columns, on operators they were not made from.

    * `categories_silhouette`: mean silhouette of the columns by 1 − ρ² (Rousseeuw 1987), in
      [−1, 1]; bad case: 0 or less.
    * `categories_davies_bouldin`: mean over categories of the largest
      $(s_g + s_h) / d_{gh}$ (Davies & Bouldin 1979), with s the mean 1 − ρ² of a category's
      columns to its first principal component and d that of two components. 0 if every category
      is one direction; bad case: 1 or more.
    * `categories_correlation`: mean |ρ| between columns of two different categories, and
      `categories_correlation_within`, of one; `categories_redundancy`: mean |ρ| of two components.
    """
    number = len(found.correlation)
    if number < 2:
        return dict.fromkeys(NAMES)
    same = found.category_of[:, None] == found.category_of[None]
    pairs = ~np.eye(len(same), dtype=bool)
    num_columns = len(same)
    between = found.components[num_columns:, num_columns:]
    values = (
        clustering.silhouette(1 - found.similar**2, found.category_of),
        _davies_bouldin(found),
        float(found.similar[~same].mean()),
        float(found.similar[same & pairs].mean()) if (same & pairs).any() else None,
        float(between[~np.eye(number, dtype=bool)].mean()),
    )
    return dict(zip(NAMES, values, strict=True))


def _davies_bouldin(found: Semantics) -> float:
    num_columns = len(found.category_of)
    apart = 1 - found.components[num_columns:, num_columns:] ** 2
    own = 1 - found.components[np.arange(num_columns), num_columns + found.category_of] ** 2
    spread = np.bincount(found.category_of, own) / np.bincount(found.category_of)
    ratio = np.full(apart.shape, np.inf)
    np.divide(spread[:, None] + spread, apart, out=ratio, where=apart > 0)
    np.fill_diagonal(ratio, -np.inf)
    return float(ratio.max(1).mean())


def tree(
    found: Semantics, columns: Sequence[str], grouping: Grouping
) -> Float[np.ndarray, "D-1 4"]:
    """The tree of the columns, as scipy's linkage.

    Those that made the categories, one a pool of columns, which meet at the top; where there are
    none, because the categories were given, average linkage by 1 − ρ².

    Args:
        found: correlations of the columns.
        columns: their names, in the same order.
        grouping: what `discover-categories` wrote.
    """
    if grouping.pools.keys() != grouping.trees.keys():
        apart = squareform(1 - found.similar**2, checks=False)
        return linkage(apart, "average") if len(columns) > 1 else np.zeros((0, 4))
    place = {name: index for index, name in enumerate(columns)}
    rows: list[tuple[float, float, float, float]] = []
    sizes = [1] * len(columns)

    def join(a: int, b: int, height: float) -> int:
        rows.append((a, b, height, sizes[a] + sizes[b]))
        sizes.append(sizes[a] + sizes[b])
        return len(sizes) - 1

    roots = []
    for pool, names in grouping.pools.items():
        nodes = [place[name] for name in names]
        for a, b, height in grouping.trees[pool]:
            nodes.append(join(nodes[a], nodes[b], height))
        roots.append(nodes[-1])
    top = roots[0]
    for root in roots[1:]:
        top = join(top, root, 1.0)
    return np.array(rows).reshape(-1, 4)
