"""θ as the agent sees it: standardized columns, embedded by a small network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from spinlock.refusals import Refusal
from spinlock.sampling.table import Operators, theta_features

ACTIVE = ".active"  # ending of the flag that tells whether an operator uses a parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of the columns of θ, with what the training operators say about them."""

    names: tuple[str, ...]
    mean: Float[Tensor, " P"]
    scale: Float[Tensor, " P"]  # standard deviation; 1 for flags, choices and constants
    neutral: Float[Tensor, " P"]  # mean of the standardized columns: what says nothing


def fit(operators: Operators) -> Columns:
    """Mean and standard deviation of the numeric columns, over the operators that use them.

    Flags and choices stay 0 or 1.

    Args:
        operators: the training operators, and no others.
    """
    values, names, kinds = theta_features(operators)
    mean, scale = np.zeros(len(names)), np.ones(len(names))
    for column, kind in enumerate(kinds):
        used = values[_active(values, names)[:, column], column]
        if kind in ("numeric", "weights") and len(used):
            mean[column] = used.mean()
            scale[column] = used.std() if used.std() > 0 else 1.0
    columns = Columns(
        names=names,
        mean=torch.from_numpy(mean).float(),
        scale=torch.from_numpy(scale).float(),
        neutral=torch.zeros(len(names)),
    )
    return replace(columns, neutral=standardized(operators, columns).mean(0))


def standardized(operators: Operators, columns: Columns) -> Float[Tensor, "n P"]:
    """The columns of θ for some operators; 0 where a parameter is not in use.

    Raises:
        Refusal: the operators have other columns than those that were fitted.
    """
    values, names, _ = theta_features(operators)
    if names != columns.names:
        missing = [name for name in columns.names if name not in names]
        unknown = [name for name in names if name not in columns.names]
        detail = f"missing {missing}, unexpected {unknown}" if missing or unknown else "reordered"
        raise Refusal(f"operators: columns of θ do not match the agent's: {detail}")
    found = (torch.from_numpy(values).float() - columns.mean) / columns.scale
    return torch.where(torch.from_numpy(_active(values, names)), found, 0.0)


def _active(values: Float64[np.ndarray, "n P"], names: Sequence[str]) -> np.ndarray:
    """True where an operator uses a parameter [n, P]."""
    active = np.ones(values.shape, dtype=bool)
    for column, name in enumerate(names):
        if name + ACTIVE in names:
            active[:, column] = values[:, names.index(name + ACTIVE)] > 0
    return active


class ThetaEmbedding(nn.Module):
    """Two layers: θ [n, P] → embedding [n, E]."""

    def __init__(self, num_columns: int, embedding_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(num_columns, embedding_dim),
            nn.GELU(),
            nn.Linear(embedding_dim, embedding_dim),
            nn.GELU(),
        )

    def forward(self, theta: Float[Tensor, "n P"]) -> Float[Tensor, "n E"]:
        """Embed standardized columns."""
        return self.layers(theta)
