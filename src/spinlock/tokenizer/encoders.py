"""Encoders: each category's latent from its own columns alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from spinlock.cleaning.sets import Cleaned
from spinlock.tokenizer.blocks import FieldNet, GroupedLinear, RaggedLinear, SeriesNet
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Cleaned features as the encoders read them."""

    cells: Float[Tensor, "n Q"]  # target cells in the order of the layout, 0 where missing
    exists: Float[Tensor, "n Q"]  # 1 where a cell exists; a bin: share of its steps
    fields: Float[Tensor, "m C H W"]  # u0, once for all views of an operator
    field_of: Int[Tensor, " n"]  # the field of each row

    def take(self, rows: Int[Tensor, " r"], fields: Int[Tensor, " k"], views: int) -> "Inputs":
        """Some rows, which are `views` rows for each of some fields."""
        return replace(
            self,
            cells=self.cells.index_select(0, rows),
            exists=self.exists.index_select(0, rows),
            fields=self.fields.index_select(0, fields),
            field_of=torch.arange(len(fields)).repeat_interleave(views),
        )


def prepare(cleaned: Cleaned, layout: Layout) -> Inputs:
    """Average the series by window and put the cells in the order of the layout.

    Differentiable. A bin is the mean over the steps that exist.
    """
    bins, share = _windows(cleaned, layout)
    values = torch.cat([cleaned.initial, cleaned.summary], 1)
    seen = torch.cat([cleaned.initial_mask, cleaned.summary_mask], 1)
    order = layout.window_order()  # of the shares, if they are one column, that one
    cells = torch.cat([torch.where(seen, values, 0.0), bins.flatten(1)], 1)
    exists = torch.cat([seen, share.flatten(1)], 1)
    return Inputs(
        cells=cells.index_select(1, order),
        exists=exists.index_select(1, order.clamp_max(exists.shape[1] - 1)),
        fields=cleaned.fields,
        field_of=torch.arange(len(cleaned)),
    )


def _windows(cleaned: Cleaned, layout: Layout) -> tuple[Tensor, Tensor]:
    """Means of the series over windows of time [n, bins, D], and the shares that exist.

    If all steps exist, as is the rule, one column of ones stands for all shares; the same to the
    bit, without the copies.
    """
    mask, windows = cleaned.temporal_mask, (layout.temporal_bins, layout.window)
    if mask.numpy().all():
        bins = cleaned.temporal.unflatten(1, windows).sum(2) / max(layout.window, 1)
        return bins, bins.new_ones(len(bins), 1)
    total = torch.where(mask, cleaned.temporal, 0.0).unflatten(1, windows).sum(2)
    count = mask.to(total.dtype).unflatten(1, windows).sum(2)
    return total / count.clamp_min(1.0), count / max(layout.window, 1)


def stack_views(views: Sequence[Inputs]) -> Inputs:
    """Several views of the same operators: the rows of an operator follow each other."""
    first, count = views[0], len(views[0].cells)
    joined = {
        name: torch.stack([getattr(view, name) for view in views], 1).flatten(0, 1)
        for name in ("cells", "exists")
    }
    return Inputs(
        **joined, fields=first.fields, field_of=torch.arange(count).repeat_interleave(len(views))
    )


class CategoryEncoder(nn.Module):
    """Latents of all categories: an affine path plus a small non-linear correction.

    The affine path reads a category's cells and the masks of its INITIAL and SUMMARY columns; the
    correction is an MLP over these columns and masks plus a 1-D ResNet along its TEMPORAL cells,
    each if it has a width. A category with an INITIAL column also reads the learned dimensions of
    the field; no other does.
    """

    def __init__(self, layout: Layout, channels: int, config: Config) -> None:
        super().__init__()
        self.layout = layout
        width, hidden = config.group_embedding_dim, config.group_hidden_dim
        self.extra = [config.field_dim if c.initial else 0 for c in layout.categories]
        series = config.group_temporal_channels
        self.static = [i for i, size in enumerate(layout.static_sizes) if size and hidden]
        self.dynamic = [i for i, c in enumerate(layout.categories) if c.temporal and series]
        parts = zip(self.extra, layout.static_sizes, layout.sizes, strict=True)
        self.affine = RaggedLinear([e + masks + cells for e, masks, cells in parts], width)
        if any(self.extra):
            self.field = FieldNet(channels, config.field_channels, config.field_dim)
        if self.static:
            self.static_in = RaggedLinear([self._fixed(i) for i in self.static], hidden)
            self.static_out = GroupedLinear(len(self.static), hidden, width)
        if self.dynamic:
            self.series = SeriesNet(
                [len(layout.categories[i].temporal) for i in self.dynamic],
                layout.temporal_bins,
                series,
                config.group_temporal_blocks,
                width,
            )

    def forward(
        self, inputs: Inputs, known: Float[Tensor, "m dim"] | None = None
    ) -> Float[Tensor, "n G E"]:
        """Latents; `known` are the learned dimensions of the fields, if they are known."""
        columns = self._columns(inputs, known)
        latents = self.affine(columns)
        if self.static:
            inner = self.static_in([columns[i][:, : self._fixed(i)] for i in self.static])
            correction = self.static_out(F.gelu(inner))
            latents = latents.index_add_(1, torch.tensor(self.static), correction)
        if self.dynamic:
            correction = self.series([columns[i][:, self._fixed(i) :] for i in self.dynamic])
            latents = latents.index_add_(1, torch.tensor(self.dynamic), correction)
        return latents

    def dimensions(self, fields: Float[Tensor, "m C H W"]) -> Float[Tensor, "m dim"]:
        """Learned dimensions of fields; none if no category has an INITIAL column."""
        return self.field(fields) if any(self.extra) else fields.new_zeros(len(fields), 0)

    def _fixed(self, category: int) -> int:
        """Columns of a category that come before its TEMPORAL cells."""
        return self.extra[category] + 2 * self.layout.static_sizes[category]

    def _columns(self, inputs: Inputs, known: Tensor | None) -> list[Float[Tensor, "n _"]]:
        """What each category reads: dimensions of the field, masks, cells."""
        sizes = self.layout.sizes
        masks = inputs.exists.split(sizes, 1)
        parts = [
            [mask[:, :size], cells]
            for mask, size, cells in zip(
                masks, self.layout.static_sizes, inputs.cells.split(sizes, 1), strict=True
            )
        ]
        if any(self.extra):
            known = self.dimensions(inputs.fields) if known is None else known
            field = known.index_select(0, inputs.field_of)
            parts = [
                [field, *part] if extra else part
                for extra, part in zip(self.extra, parts, strict=True)
            ]
        return [torch.cat(part, 1) for part in parts]
