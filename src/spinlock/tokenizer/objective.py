"""The training objective: every loss on one batch, and their weighted sum."""

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


def terms(
    model: Tokenizer, batch: Examples, pairs: Int[Tensor, "2 p"], quantized: bool
) -> tuple[dict[str, Float[Tensor, ""]], Quantized | None]:
    """Every loss that is switched on, unweighted; without quantization, those that need none.

    Args:
        model: the tokenizer in training.
        batch: rows with weights.
        pairs: rows whose distances the topographic loss compares.
        quantized: False during the warm-up: decoders then read the latents themselves.
    """
    weights, inputs = model.config.losses, batch.inputs
    latents = model.encoder(inputs)
    codes = model.quantize(latents) if quantized else None
    read = codes.latents if codes else latents
    found = {
        "reconstruction": losses.reconstruction(model.decoder(read), inputs.cells, batch.cells)
    }
    if weights.informativeness:
        own = model.partial(read)
        found["informativeness"] = losses.reconstruction(own, inputs.cells, batch.cells)
    if weights.orthogonality:
        target = weights.orthogonality_target
        found["orthogonality"] = losses.orthogonality(latents, batch.groups, target)
    if weights.topographic:
        found["topographic"] = _topographic(model, batch, pairs, latents, codes)
    if weights.families:
        embedded = model.families.decode(model.families(inputs))
        found["families"] = losses.reconstruction(embedded, inputs.cells, batch.cells)
    if codes and weights.vq:
        found["vq"] = model.config.commitment * losses.commitment(codes.commitment, batch.groups)
    if codes and isinstance(model.quantizer, ResidualQuantizer):
        if weights.codebook:
            rest = latents.detach() - model.quantizer.decode(codes.tokens)
            distances = rest.square().sum(-1)
            found["codebook"] = losses.codebook(distances, batch.groups, model.members.sum(0))
        if weights.symbols:
            found["symbols"] = _symbols(model, model.quantizer, batch, codes)
    return found, codes


def total(found: dict[str, Float[Tensor, ""]], weights: LossConfig) -> Float[Tensor, ""]:
    """The weighted sum."""
    return torch.stack([getattr(weights, name) * value for name, value in found.items()]).sum()


def _symbols(
    model: Tokenizer, quantizer: ResidualQuantizer, batch: Examples, codes: Quantized
) -> Float[Tensor, ""]:
    """Input ↔ tokens, of all pairs of the first `PAIRED` operators, each in its first view."""
    rows = slice(None, PAIRED * batch.views, batch.views)
    cells, exists = batch.inputs.cells[rows], batch.inputs.exists[rows]
    apart = scores.cell_distances(cells, exists, model.members.sum(1))
    soft = quantizer.probabilities(codes, rows, model.config.losses.symbols_temperature)
    i, j = torch.triu_indices(len(soft), len(soft), 1)
    return losses.symbols(apart, (soft @ soft.T)[i, j])


def _topographic(
    model: Tokenizer,
    batch: Examples,
    pairs: Int[Tensor, "2 p"],
    latents: Float[Tensor, "n G E"],
    codes: Quantized | None,
) -> Float[Tensor, ""]:
    """Input ↔ latent, and latent ↔ quantized once there is one."""
    inputs, share = batch.inputs, model.config.losses.topographic_pre
    before, valid = losses.cell_distance(inputs.cells, inputs.exists, model.members, pairs)
    middle = losses.distance(latents, pairs)
    loss = share * losses.topographic(before, middle, valid)
    if codes:
        after = losses.distance(codes.latents, pairs)
        loss = loss + (1 - share) * losses.topographic(middle, after, valid)
    return loss
