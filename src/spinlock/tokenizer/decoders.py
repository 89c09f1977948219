"""Decoders: quantized latents back to the cells of the target."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from spinlock.tokenizer.blocks import Linear, RaggedReadout
from spinlock.tokenizer.layout import Layout


class Decoder(nn.Module):
    """Cells from the latents of all categories of a block; the blocks see nothing of each other.

    Each category's cells are an affine function of its own latent plus a joint correction by a
    small network that reads all latents of the block, plus, once `readout.fit` has run, a linear
    one of all latents of the block. The isolated (INITIAL) categories are one block and all others
    the other, so isolation holds in decoding, in both directions.
    """

    place: Tensor  # where each cell stands in the blocks' order [Q]
    fitted: Tensor  # whether the linear corrections are; they cost a product each

    def __init__(self, layout: Layout, width: int, hidden: int) -> None:
        super().__init__()
        self.blocks = layout.blocks()
        sizes = layout.sizes
        self.own = RaggedReadout(width, sizes)
        self.joint_in = nn.ModuleList(Linear(len(b) * width, hidden) for b in self.blocks)
        self.joint_out = nn.ModuleList(
            Linear(hidden, sum(sizes[i] for i in b)) for b in self.blocks
        )
        cells = torch.arange(sum(sizes)).split(sizes)
        order = torch.cat([cells[i] for b in self.blocks for i in b])
        self.register_buffer("place", torch.argsort(order), persistent=False)
        self.register_buffer("fitted", torch.tensor(False))
        for i, block in enumerate(self.blocks):
            correction = torch.zeros(len(block) * width, sum(sizes[g] for g in block))
            self.register_buffer(f"correction_{i}", correction)

    def correction(self, block: int) -> Float[Tensor, "i o"]:
        """The linear correction of a block: its latents side by side, its cells."""
        return self.get_buffer(f"correction_{block}")

    def forward(self, latents: Float[Tensor, "n G E"]) -> Float[Tensor, "n Q"]:
        parts = []
        for i, block in enumerate(self.blocks):
            read = latents[:, list(block)].flatten(1)
            part = self.joint_out[i](F.gelu(self.joint_in[i](read)))
            parts.append(torch.addmm(part, read, self.correction(i)) if self.fitted else part)
        return self.own(latents) + torch.cat(parts, 1).index_select(1, self.place)
