"""The last word of the decoder: a linear correction by all latents of a block, in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock import randomness
from spinlock.tokenizer.config import ReadoutConfig
from spinlock.tokenizer.examples import Examples
from spinlock.tokenizer.model import Tokenizer

AT_ONCE = 4096  # operators read at a time
TINY = 1e-9  # share of a mean square that is rounding: latents that are all the same say nothing


@torch.no_grad()
def fit(model: Tokenizer, train: Examples, seed: int) -> None:
    r"""Fit the decoder's linear correction to what it leaves over; the tokens stay as they are.

    Ridge regression (Hoerl and Kennard 1970) of $x - \hat x$ on the quantized latents of a block,
    over jittered copies of the training rows with their weights. The penalty stands for m operators
    which say that no latent corrects anything: with n to train on and $\bar v$ the mean variance of
    a latent's dimension, it is $\bar v m / n$ beside the mean square. m is `readout.own` for the
    latent of a cell's own category and `readout.others` for those of the others, most of which
    have nothing to say about it. The offset of a cell is free. Where a cell is missing, there is
    nothing to correct. A second fit corrects what the first leaves over.

    Args:
        model: trained.
        train: every view of the training operators.
        seed: the tokenizer's own.
    """
    config, decoder = model.config.readout, model.decoder
    if not config.copies:
        return
    found = _moments(model, train, seed)
    width, sizes = model.config.group_embedding_dim, model.layout.sizes
    cells = torch.arange(sum(sizes)).split(sizes)
    dims = torch.arange(len(sizes) * width).view(len(sizes), width)
    for number, block in enumerate(decoder.blocks):
        read, parts = [dims[group] for group in block], []
        for place, group in enumerate(block):
            weights = correction(found, read, place, cells[group], config, train.num_operators)
            parts.append(weights[:-1])
            decoder.own.bias[cells[group]] += weights[-1]
        decoder.correction(number).add_(torch.cat(parts, 1))
    decoder.fitted.fill_(True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Means and covariances of D inputs and Q outputs."""

    inputs: Float[Tensor, " D"]
    outputs: Float[Tensor, " Q"]
    own: Float[Tensor, "D D"]
    cross: Float[Tensor, "D Q"]

    def ridge(
        self, read: Int[Tensor, " d"], written: Int[Tensor, " q"], penalty: Float[Tensor, " d"]
    ) -> Float[Tensor, "d+1 q"]:
        """Weights of some inputs for some outputs, and the offset in the last row.

        Args:
            read: which inputs.
            written: which outputs.
            penalty: of each input, in mean variances of an input.
        """
        own, mean_square = self.own[read][:, read], self.inputs[read].square().mean()
        variance = torch.maximum(own.diagonal().mean(), TINY * mean_square.clamp_min(TINY))
        weights = torch.linalg.solve(
            own + torch.diag(penalty * variance), self.cross[read][:, written]
        )
        offset = self.outputs[written] - self.inputs[read] @ weights
        return torch.cat([weights, offset[None]])


def correction(
    found: Moments,
    read: Sequence[Int[Tensor, " e"]],
    place: int,
    written: Int[Tensor, " q"],
    config: ReadoutConfig,
    num_operators: int,
) -> Float[Tensor, "d+1 q"]:
    """Weights of all inputs of a block for the cells of one category; the offset is the last row.

    Args:
        found: moments of what is read and of what is left over.
        read: inputs of each category of the block.
        place: of the category among them.
        written: its cells.
        config: `own` and `others` are the penalties, in operators.
        num_operators: how many there are to train on.
    """
    operators = [
        torch.full((len(inputs),), config.own if number == place else config.others)
        for number, inputs in enumerate(read)
    ]
    return found.ridge(torch.cat(list(read)), written, torch.cat(operators) / num_operators)


def moments(
    inputs: Float[Tensor, "n D"], outputs: Float[Tensor, "n Q"], weights: Float[Tensor, "n 1"]
) -> Float[Tensor, "D+1 D+Q+1"]:
    """Sums over rows of the products of (1, inputs) with (1, inputs, outputs); see `centered`."""
    sides = torch.cat([torch.ones(len(inputs), 1), inputs, outputs], 1).double()
    return (sides[:, : 1 + inputs.shape[1]] * weights).T @ sides


def centered(total: Float[Tensor, "D+1 D+Q+1"]) -> Moments:
    """Means and covariances from sums of `moments`."""
    dims, total = len(total) - 1, total / total[0, 0]
    mean = total[0, 1:]
    covariance = total[1:, 1:] - total[1:, :1] * mean
    return Moments(
        inputs=mean[:dims],
        outputs=mean[dims:],
        own=covariance[:, :dims],
        cross=covariance[:, dims:],
    )


def _moments(model: Tokenizer, train: Examples, seed: int) -> Moments:
    """Of the quantized latents, and of what the decoder leaves over."""
    rng = randomness.stream(seed, "tokenizer/readout")
    everyone = torch.arange(train.num_operators).repeat(model.config.readout.copies)
    total = torch.zeros(())
    for operators in everyone.split(AT_ONCE):
        rows = train.jittered(operators, rng, model.config.jitter)
        tokens = model.quantizer.choose(model.encoder(rows.inputs))
        latents = model.quantizer.decode(tokens)
        rest = (rows.inputs.cells - model.decoder(latents)) * (rows.inputs.exists > 0)
        share = rows.groups.amax(1, keepdim=True)  # of the row
        total = total + moments(latents.flatten(1), rest, share)
    return centered(total)
