"""Training examples: every view of every operator, with weights of rows, cells and categories."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.cleaning.sets import Cleaned
from spinlock.tokenizer.encoders import Inputs, stack_views
from spinlock.tokenizer.layout import Layout
from spinlock.tokenizer.model import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Rows of `views` views per operator; the rows of an operator follow each other."""

    inputs: Inputs
    cells: Float[Tensor, "n Q"]  # weight of each cell in a reconstruction loss, 0 where missing
    groups: Float[Tensor, "n G"]  # weight of each row in each category, 0 without a column
    views: int

    @property
    def num_operators(self) -> int:
        """Operators, each with `views` rows."""
        return len(self.inputs.fields)

    def take(self, operators: Int[Tensor, " k"]) -> "Examples":
        """All rows of some operators."""
        rows = (operators[:, None] * self.views + torch.arange(self.views)).flatten()
        return Examples(
            inputs=self.inputs.take(rows, operators, self.views),
            cells=self.cells.index_select(0, rows),
            groups=self.groups.index_select(0, rows),
            views=self.views,
        )

    def jittered(
        self, operators: Int[Tensor, " k"], rng: np.random.Generator, share: float
    ) -> "Examples":
        """Some operators, each plus h times the difference of two drawn among all.

        x + h (x' − x″) with the same view of each (differential evolution's mutation, Storn and
        Price 1997). Its noise has the covariance of the operators themselves, so the codes are
        fitted to a smoothed density instead of to single rows. A cell that one of the three lacks
        stays as it is; fields and masks are the first one's.
        """
        batch = self.take(operators)
        others = torch.from_numpy(rng.integers(self.num_operators, size=(2, len(operators))))
        if not share:
            return batch
        one, two = (self.take(drawn).inputs for drawn in others)
        inputs = batch.inputs
        exists = (inputs.exists > 0) * (one.exists > 0) * (two.exists > 0)
        cells = inputs.cells + share * exists * (one.cells - two.cells)
        return replace(batch, inputs=replace(inputs, cells=cells))


def examples(model: Tokenizer, views: Sequence[Cleaned], single_weight: float) -> Examples:
    """Examples from the aggregated view, which comes first, and any single views.

    All single views of an operator together weigh `single_weight`, the aggregated one 1; then
    all weights are divided by their mean. The cells of a column share the column's weight, and
    columns that fewer rows have weigh more in those: all columns count alike.
    """
    singles = len(views) - 1
    rows = torch.tensor([1.0] + [single_weight / max(singles, 1)] * singles)
    rows = (rows / rows.mean()).repeat(len(views[0]))
    inputs = stack_views([model.inputs(view) for view in views])
    seen = (inputs.exists > 0).float()
    groups = torch.stack([p.any(1) for p in (seen > 0).split(model.layout.sizes, 1)], 1)
    return Examples(
        inputs=inputs,
        cells=_cell_weights(seen * rows[:, None], model.layout),
        groups=groups * rows[:, None],
        views=len(views),
    )


def _cell_weights(seen: Float[Tensor, "n Q"], layout: Layout) -> Float[Tensor, "n Q"]:
    """Divide by the mean presence of each cell, so that every column weighs 1 / D over all rows."""
    presence = seen.mean(0)
    weights = torch.where(presence > 0, layout.weights() / presence.clamp_min(1e-12), 0.0)
    return seen * weights / layout.weights().sum()
