"""How much of the target a code gives back."""

import numpy as np
from jaxtyping import Bool, Float

from spinlock.evaluation.codes import Target


def row_errors(
    values: Float[np.ndarray, "n M"], target: Target, cells: Bool[np.ndarray, " M"]
) -> Float[np.ndarray, " n"]:
    r"""Mean squared error of the standardized columns, for each operator.

    $\sum_m w_m (\hat x_m - x_m)^2 / \sum_m w_m$ over the chosen cells that exist; NaN if none does.
    The train mean scores 1 on average over the training rows.
    """
    weight = target.weight[cells] * target.exists[:, cells]
    squared = np.square(values[:, cells] - target.values[:, cells])
    total = weight.sum(1)
    return np.divide(
        (weight * squared).sum(1), total, out=np.full(len(values), np.nan), where=total > 0
    )


def column_r2(values: Float[np.ndarray, "n M"], target: Target) -> Float[np.ndarray, " columns"]:
    """1 − squared error / squared deviation from the rows' mean, for each column.

    The bins of a TEMPORAL column count together; NaN for a column that does not vary.
    """
    exists = target.exists
    count = np.maximum(exists.sum(0), 1)
    mean = np.where(exists, target.values, 0.0).sum(0) / count
    residual = (exists * np.square(values - target.values)).sum(0)
    spread = (exists * np.square(target.values - mean)).sum(0)
    residual, spread = (np.bincount(target.column, total) for total in (residual, spread))
    return 1 - np.divide(residual, spread, out=np.full(spread.shape, np.nan), where=spread > 0)


def effective_rank(values: Float[np.ndarray, "n M"]) -> float:
    r"""Dimensions in use: $\exp(-\sum_i p_i \ln p_i)$, $p_i$ the shares of variance by PCA.

    Source: Roy & Vetterli 2007, with variances for singular values. 0 if nothing varies.
    """
    singular = np.linalg.svd(values - values.mean(0), compute_uv=False)
    variance = np.square(singular)
    if variance.sum() <= 0:
        return 0.0
    share = variance[variance > 0] / variance.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
