"""Features of some operators, before and after cleaning: tensors that belong together."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

FAMILIES = ("initial", "summary", "temporal")


class _Rows:
    """Tensors whose first axes are the same rows."""

    __slots__ = ()

    def __post_init__(self) -> None:
        lengths = {name: len(values) for name, values in self._tensors().items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{type(self).__name__}: rows differ: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self._tensors().values())))

    def take(self, rows: Tensor | np.ndarray | Sequence[int] | slice) -> Self:
        """The same set with some of its rows, in the order asked for."""
        return type(self)(**{n: v[_index(rows, v)] for n, v in self._tensors().items()})

    def join(self, *others: Self) -> Self:
        """The rows of this set, and then those of the others."""
        parts = [each._tensors() for each in (self, *others)]
        return type(self)(**{n: torch.cat([part[n] for part in parts]) for n in parts[0]})

    def _tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


def _index(rows: Tensor | np.ndarray | Sequence[int] | slice, values: Tensor) -> Tensor | slice:
    if isinstance(rows, slice):
        return rows
    index = torch.as_tensor(rows, device=values.device)
    return index if index.dtype == torch.bool else index.long()  # an empty list has no integer type


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet(_Rows):
    """Raw features of n operators in either view; NaN where a value does not exist.

    In the *aggregated* view the SUMMARY columns are mean, std and cv over the realizations and the
    TEMPORAL ones means over them. In the *single* view the mean columns and the TEMPORAL ones hold
    the values of one realization, and the std and cv columns are NaN in the whole row.
    """

    initial: Float[Tensor, "n D0"]  # 14 statistics of u0
    summary: Float[Tensor, "n D1"]  # mean block, std block, cv block
    temporal: Float[Tensor, "n T D2"]
    fields: Float[Tensor, "n C H W"]  # u0 itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned(_Rows):
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
