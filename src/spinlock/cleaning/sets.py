"""Features of some operators, before and after cleaning: tensors that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

FAMILIES = ("initial", "summary", "temporal")


def _take(self, rows: Tensor | np.ndarray | Sequence[int] | slice):
    """The same set with some of its rows, in the order asked for."""
    if isinstance(rows, slice):
        index = rows
    else:
        index = torch.as_tensor(rows, device=self.initial.device)
        index = index if index.dtype == torch.bool else index.long()
    return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


def _require_equal_lengths(self) -> None:
    lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{type(self).__name__}: rows differ: {lengths}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """Raw features of n operators in either view; NaN where a value does not exist.

    In the *aggregated* view the SUMMARY columns are mean, std and cv over the realizations and the
    TEMPORAL ones means over them. In the *single* view the mean columns and the TEMPORAL ones hold
    the values of one realization, and the std and cv columns are NaN in the whole row.
    """

    initial: Float[Tensor, "n D0"]  # 14 statistics of u0
    summary: Float[Tensor, "n D1"]  # mean block, std block, cv block
    temporal: Float[Tensor, "n T D2"]
    fields: Float[Tensor, "n C H W"]  # u0 itself

    def __post_init__(self) -> None:
        _require_equal_lengths(self)

    def __len__(self) -> int:
        return len(self.initial)

    take = _take


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """Kept columns of n operators, standardized; every value finite.

    A mask is True exactly where the value was measured, and only such values may count in a loss
    or a score. Where it is False there is a stand-in:

    * 0 in the std and cv columns of a row that shows a single realization (they are no part of
      that view), and
    * the standardized train median where a value of the row's own view is missing (imputed; not 0
      in general).
    """

    initial: Float[Tensor, "n K0"]
    summary: Float[Tensor, "n K1"]
    temporal: Float[Tensor, "n T K2"]
    fields: Float[Tensor, "n C H W"]  # as they came
    initial_mask: Bool[Tensor, "n K0"]
    summary_mask: Bool[Tensor, "n K1"]
    temporal_mask: Bool[Tensor, "n T K2"]

    def __post_init__(self) -> None:
        _require_equal_lengths(self)

    def __len__(self) -> int:
        return len(self.initial)

    take = _take
