"""What categories speak of: how their columns go together, on some operators."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spinlock.categories import clustering
from spinlock.evaluation.codes import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantics:
    """Absolute rank correlations over operators, in [0, 1]; a TEMPORAL column is its mean over time."""

    category_of: Int[np.ndarray, " D"]  # of each column
    association: Float[np.ndarray, "D G"]  # mean |ρ| of a column with the others of a category
    correlation: Float[np.ndarray, "G G"]  # mean |ρ| between columns of two categories


def semantics(target: Target, num_categories: int) -> Semantics:
    """Correlate all columns over the rows of a target; D columns in the order of the layout."""
    num_columns = target.column.max() + 1
    cells = np.zeros((len(target.column), num_columns))
    cells[np.arange(len(cells)), target.column] = 1
    values = target.values @ (cells / cells.sum(0))
    similar = clustering.associations(values)
    category_of = np.zeros(num_columns, dtype=np.int64)
    category_of[target.column] = target.category
    member = np.eye(num_categories)[category_of]
    others = member.sum(0) - member  # a column is no evidence for itself
    total = similar @ member - member
    association = np.divide(total, others, out=np.zeros_like(total), where=others > 0)
    counts = member.sum(0)
    correlation = member.T @ similar @ member / np.outer(counts, counts)
    return Semantics(category_of=category_of, association=association, correlation=correlation)
