"""The training objective: every loss on one batch, and their weighted sum."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.tokenizer import losses, scores
from spinlock.tokenizer.config import LossConfig
from spinlock.tokenizer.examples import Examples
from spinlock.tokenizer.grid import Quantized
from spinlock.tokenizer.model import Tokenizer
from spinlock.tokenizer.quantizer import ResidualQuantizer

PAIRED = 512  # operators whose distances are all compared: the price is their square


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a tokenizer makes of a batch on the way from features to features."""

    latents: Float[Tensor, "n G E"]
    codes: Quantized | None  # None during the warm-up
    cells: Float[Tensor, "n Q"]  # decoded

    @property
    def read(self) -> Float[Tensor, "n G E"]:
        """What the decoders read."""
        return self.codes.latents if self.codes else self.latents


def forward(model: Tokenizer, batch: Examples, quantized: bool) -> Pass:
    """Encode, quantize, decode.

    Args:
        model: the tokenizer.
        batch: rows.
        quantized: False during the warm-up: decoders then read the latents themselves.
    """
    latents = model.encoder(batch.inputs)
    codes = model.quantize(latents) if quantized else None
    cells = model.decoder(codes.latents if codes else latents)
    return Pass(latents=latents, codes=codes, cells=cells)


def terms(
    model: Tokenizer, batch: Examples, pairs: Int[Tensor, "2 p"], made: Pass
) -> dict[str, Float[Tensor, ""]]:
    """Every loss that is switched on, unweighted; without quantization, those that need none.

    Args:
        model: the tokenizer in training.
        batch: rows with weights.
        pairs: rows whose distances the topographic loss compares.
        made: what `forward` made of this batch.
    """
    weights, inputs, codes = model.config.losses, batch.inputs, made.codes
    found = {"reconstruction": losses.reconstruction(made.cells, inputs.cells, batch.cells)}
    if weights.informativeness:
        own = model.partial(made.read)
        found["informativeness"] = losses.reconstruction(own, inputs.cells, batch.cells)
    if weights.orthogonality:
        target = weights.orthogonality_target
        found["orthogonality"] = losses.orthogonality(made.latents, batch.groups, target)
    if weights.topographic:
        found["topographic"] = _topographic(model, batch, pairs, made)
    if weights.families:
        embedded = model.families.decode(model.families(inputs))
        found["families"] = losses.reconstruction(embedded, inputs.cells, batch.cells)
    if codes and weights.vq:
        found["vq"] = model.config.commitment * losses.commitment(codes.commitment, batch.groups)
    if codes and isinstance(model.quantizer, ResidualQuantizer):
        if weights.codebook:
            rest = made.latents.detach() - model.quantizer.decode(codes.tokens)
            distances = rest.square().sum(-1)
            found["codebook"] = losses.codebook(distances, batch.groups, model.members.sum(0))
        if weights.symbols:
            soft = model.quantizer.probabilities(codes, _first(batch), weights.symbols_temperature)
            found["symbols"] = _symbols(batch, soft, model.members.sum(1))
    return found


def total(found: dict[str, Float[Tensor, ""]], weights: LossConfig) -> Float[Tensor, ""]:
    """The weighted sum."""
    return torch.stack([getattr(weights, name) * value for name, value in found.items()]).sum()


def _first(batch: Examples) -> slice:
    """Rows of the first `PAIRED` operators, each in its first view."""
    return slice(None, PAIRED * batch.views, batch.views)


def _symbols(
    batch: Examples, soft: Float[Tensor, "r c"], weights: Float[Tensor, " Q"]
) -> Float[Tensor, ""]:
    """Input ↔ tokens, of all pairs of the `_first` rows.

    Args:
        batch: rows.
        soft: `ResidualQuantizer.probabilities` of the `_first` rows.
        weights: of cells, each that of its column.
    """
    cells, exists = batch.inputs.cells[_first(batch)], batch.inputs.exists[_first(batch)]
    apart = scores.cell_distances(cells, exists, weights)
    i, j = torch.triu_indices(len(soft), len(soft), 1)
    return losses.symbols(apart, (soft @ soft.T)[i, j])


def _topographic(
    model: Tokenizer,
    batch: Examples,
    pairs: Int[Tensor, "2 p"],
    made: Pass,
) -> Float[Tensor, ""]:
    """Input ↔ latent, and latent ↔ quantized once there is one."""
    inputs, share = batch.inputs, model.config.losses.topographic_pre
    before, valid = losses.cell_distance(inputs.cells, inputs.exists, model.members, pairs)
    middle = losses.distance(made.latents, pairs)
    loss = share * losses.topographic(before, middle, valid)
    if made.codes:
        after = losses.distance(made.read, pairs)
        loss = loss + (1 - share) * losses.topographic(middle, after, valid)
    return loss
