"""Which columns say most of a category."""

import numpy as np
from jaxtyping import Float

COUNT = 6  # columns that define a category, at most
NEGLIGIBLE = 1e-9  # of the variance of all columns: what is left of it then is rounding


def greedy(values: Float[np.ndarray, "n D"], count: int) -> list[tuple[int, float]]:
    r"""The few columns that say most of all: greedy selection of columns.

    One after the other is taken whose regression explains the largest share of the variance of all
    columns that the ones before leave: $\max_j \sum_k (r_j^T r_k)^2 / r_j^T r_j$, r the residuals.

    Args:
        values: one number per operator and column, none missing.
        count: at most so many; fewer if nothing is left.

    Returns:
        Column and share of the variance explained by it and those before, one pair for each.
    """
    rest = values - values.mean(0)
    whole = np.square(rest).sum()
    chosen: list[tuple[int, float]] = []
    while len(chosen) < count and np.square(rest).sum() > NEGLIGIBLE * whole:
        norm = np.square(rest).sum(0)
        able = norm > NEGLIGIBLE * whole / len(norm)
        gain = np.square(rest.T @ rest).sum(1)
        best = int(np.argmax(np.divide(gain, norm, out=np.zeros(len(norm)), where=able)))
        rest = rest - np.outer(rest[:, best], rest[:, best] @ rest / norm[best])
        chosen.append((best, float(1 - np.square(rest).sum() / whole)))
    return chosen
