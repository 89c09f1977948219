"""Embeddings of whole families, for heads and probes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from spinlock.tokenizer.blocks import FieldNet, Linear, SeriesNet
from spinlock.tokenizer.config import Config, FamilyConfig
from spinlock.tokenizer.encoders import Inputs
from spinlock.tokenizer.layout import Layout


class FamilyEncoder(nn.Module):
    """Embeddings of whole families, each read by its own decoder; heads and probes use them.

    INITIAL: its columns and the learned dimensions of the field; SUMMARY: an MLP over values and
    masks; TEMPORAL: a 1-D ResNet along its cells. A family without columns has no embedding.
    """

    order: Tensor  # where each cell of the layout stands in the families' order [Q]
    place: Tensor  # the inverse of `order` [Q]

    def __init__(self, layout: Layout, channels: int, config: Config) -> None:
        super().__init__()
        sizes = {family: len(names) for family, names in layout.columns.items()}
        self.cells = {**sizes, "temporal": sizes["temporal"] * layout.temporal_bins}
        self.register_buffer("order", layout.order(), persistent=False)
        self.register_buffer("place", torch.argsort(layout.order()), persistent=False)
        self.families = tuple(family for family, size in sizes.items() if size)
        self.encoders = nn.ModuleDict()
        dims = {"initial": config.field_dim, **_dims(config.families)}
        for family in self.families:
            self.encoders[family] = _family(family, channels, layout, config)
        self.decoders = nn.ModuleDict({f: Linear(dims[f], self.cells[f]) for f in self.families})

    def forward(self, inputs: Inputs) -> dict[str, Float[Tensor, "n dim"]]:
        """Learned embedding of each family."""
        embeddings = {}
        if "initial" in self.families:
            embeddings["initial"] = self.encoders["initial"](inputs.fields)[inputs.field_of]
        _, summary, temporal = self.place.split(list(self.cells.values()))
        if "summary" in self.families:
            seen = [part.index_select(1, summary) for part in (inputs.cells, inputs.exists)]
            embeddings["summary"] = self.encoders["summary"](torch.cat(seen, 1))
        if "temporal" in self.families:
            series = inputs.cells.index_select(1, temporal)
            embeddings["temporal"] = self.encoders["temporal"]([series])[:, 0]
        return embeddings

    def decode(self, embeddings: dict[str, Tensor]) -> Float[Tensor, "n Q"]:
        """Cells in the order of the layout, each from its family's embedding."""
        parts = [self.decoders[family](embeddings[family]) for family in self.families]
        return torch.cat(parts, 1).index_select(1, self.order)


def _family(family: str, channels: int, layout: Layout, config: Config) -> nn.Module:
    size = len(layout.columns[family])
    if family == "initial":
        return FieldNet(channels, config.field_channels, config.field_dim)
    if family == "summary":
        return _Perceptron((2 * size, *config.families.summary_hidden, config.families.summary_dim))
    own = config.families
    return SeriesNet(
        [size], layout.temporal_bins, own.temporal_channels, own.temporal_blocks, own.temporal_dim
    )


class _Perceptron(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(Linear, widths[:-1], widths[1:]))

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        for layer in self.layers[:-1]:
            x = F.gelu(layer(x))
        return self.layers[-1](x)


def _dims(config: FamilyConfig) -> dict[str, int]:
    return {"summary": config.summary_dim, "temporal": config.temporal_dim}
