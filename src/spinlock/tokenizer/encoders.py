"""Encoders: each category's latent from its own columns alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from spinlock.cleaning.sets import Cleaned
from spinlock.tokenizer.blocks import FieldNet, GroupedLinear, RaggedLinear, SeriesBlock
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Cleaned features as the encoders read them."""

    cells: Float[Tensor, "n Q"]  # target cells in the order of the layout, 0 where missing
    exists: Float[Tensor, "n Q"]  # 1 where a cell exists; a bin: share of its steps
    series: Float[Tensor, "n bins F"]  # the TEMPORAL series, F = w·D values of each window
    fields: Float[Tensor, "m C H W"]  # u0, once for all views of an operator
    field_of: Int[Tensor, " n"]  # the field of each row

    def take(self, rows: Int[Tensor, " r"], fields: Int[Tensor, " k"], views: int) -> "Inputs":
        """Some rows, which are `views` rows for each of some fields."""
        return replace(
            self,
            cells=self.cells.index_select(0, rows),
            exists=self.exists.index_select(0, rows),
            series=self.series.index_select(0, rows),
            fields=self.fields.index_select(0, fields),
            field_of=torch.arange(len(fields)).repeat_interleave(views),
        )


def prepare(cleaned: Cleaned, layout: Layout) -> Inputs:
    """Cut the series, average them by window and put the cells in the order of the layout.

    Differentiable. A bin is the mean over the steps that exist.
    """
    series, bins, share = _windows(cleaned, layout)
    values = torch.cat([cleaned.initial, cleaned.summary], 1)
    seen = torch.cat([cleaned.initial_mask, cleaned.summary_mask], 1)
    order = layout.window_order()
    cells = torch.cat([torch.where(seen, values, 0.0), bins.flatten(1)], 1)
    exists = torch.cat([seen, share.flatten(1)], 1)
    return Inputs(
        cells=cells.index_select(1, order),
        exists=exists.index_select(1, order),
        series=series.flatten(2),
        fields=cleaned.fields,
        field_of=torch.arange(len(cleaned)),
    )


def _windows(cleaned: Cleaned, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """The series cut into windows [n, bins, w, D]; their means, and the shares that exist."""
    mask, windows = cleaned.temporal_mask, (layout.temporal_bins, layout.window)
    if mask.all():  # the rule; the same to the bit, without the copies
        series = cleaned.temporal.unflatten(1, windows)
        bins = series.sum(2) / max(layout.window, 1)
        return series, bins, torch.ones_like(bins)
    series = torch.where(mask, cleaned.temporal, 0.0).unflatten(1, windows)
    count = mask.to(series.dtype).unflatten(1, windows).sum(2)
    return series, series.sum(2) / count.clamp_min(1.0), count / max(layout.window, 1)


def stack_views(views: Sequence[Inputs]) -> Inputs:
    """Several views of the same operators: the rows of an operator follow each other."""
    first, count = views[0], len(views[0].cells)
    joined = {
        name: torch.stack([getattr(view, name) for view in views], 1).flatten(0, 1)
        for name in ("cells", "exists", "series")
    }
    return Inputs(
        **joined, fields=first.fields, field_of=torch.arange(count).repeat_interleave(len(views))
    )


class CategoryEncoder(nn.Module):
    """Latents of all categories: an affine path plus a small non-linear correction.

    The affine path reads a category's cells and the masks of its INITIAL and SUMMARY columns; the
    correction is an MLP over these columns and masks plus a 1-D ResNet over its TEMPORAL series. A
    category with an INITIAL column also reads the learned dimensions of the field; no other does.
    """

    order: Tensor  # of the values of a window, category after category

    def __init__(self, layout: Layout, channels: int, config: Config) -> None:
        super().__init__()
        self.layout = layout
        width, hidden = config.group_embedding_dim, config.group_hidden_dim
        self.extra = [config.field_dim if c.initial else 0 for c in layout.categories]
        beside = [n + extra for n, extra in zip(layout.static_sizes, self.extra, strict=True)]
        self.static = [i for i, size in enumerate(layout.static_sizes) if size]
        self.dynamic = [i for i, c in enumerate(layout.categories) if c.temporal]
        self.affine = RaggedLinear(
            [a + b for a, b in zip(layout.sizes, beside, strict=True)], width
        )
        if any(self.extra):
            self.field = FieldNet(channels, config.field_channels, config.field_dim)
        if self.static:
            self.static_in = RaggedLinear(
                [layout.static_sizes[i] + beside[i] for i in self.static], hidden
            )
            self.static_out = GroupedLinear(len(self.static), hidden, width)
        if self.dynamic:
            stem = config.group_temporal_channels
            spans = [len(layout.categories[i].temporal) * layout.window for i in self.dynamic]
            self.stem = RaggedLinear(spans, stem)
            self.register_buffer("order", layout.series_order(), persistent=False)
            self.series = nn.ModuleList(
                SeriesBlock(len(self.dynamic), stem) for _ in range(config.group_temporal_blocks)
            )
            self.series_out = GroupedLinear(len(self.dynamic), stem * layout.temporal_bins, width)

    def forward(
        self, inputs: Inputs, known: Float[Tensor, "m dim"] | None = None
    ) -> Float[Tensor, "n G E"]:
        """Latents; `known` are the learned dimensions of the fields, if they are known."""
        cells = inputs.cells.split(self.layout.sizes, 1)
        beside = self._beside(inputs, known)
        latents = self.affine([torch.cat(p, 1) for p in zip(cells, beside, strict=True)])
        if self.static:
            sizes = self.layout.static_sizes
            slices = [torch.cat([cells[i][:, : sizes[i]], beside[i]], 1) for i in self.static]
            correction = self.static_out(F.gelu(self.static_in(slices)))
            latents = latents.index_add(1, torch.tensor(self.static), correction)
        if self.dynamic:
            latents = latents.index_add(1, torch.tensor(self.dynamic), self._dynamic(inputs.series))
        return latents

    def dimensions(self, fields: Float[Tensor, "m C H W"]) -> Float[Tensor, "m dim"]:
        """Learned dimensions of fields; none if no category has an INITIAL column."""
        return self.field(fields) if any(self.extra) else fields.new_zeros(len(fields), 0)

    def _beside(self, inputs: Inputs, known: Tensor | None) -> list[Float[Tensor, "n _"]]:
        """What each category reads beside its cells: masks, and the field's dimensions."""
        masks = [
            part[:, :size]
            for part, size in zip(
                inputs.exists.split(self.layout.sizes, 1), self.layout.static_sizes, strict=True
            )
        ]
        if not any(self.extra):
            return masks
        known = self.dimensions(inputs.fields) if known is None else known
        field = known.index_select(0, inputs.field_of)
        return [
            torch.cat([mask, field], 1) if extra else mask
            for mask, extra in zip(masks, self.extra, strict=True)
        ]

    def _dynamic(self, series: Float[Tensor, "n bins F"]) -> Float[Tensor, "n g E"]:
        stem = self.stem.of_columns(series.flatten(0, 1), self.order)
        x = stem.unflatten(0, series.shape[:2])
        for block in self.series:
            x = block(x)
        return self.series_out(F.gelu(x).transpose(1, 2).flatten(2))
