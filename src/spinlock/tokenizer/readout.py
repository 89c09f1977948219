"""The last word of the decoder: a linear correction by all latents of a block, in closed form."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock import randomness
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
        parts = []
        for group in block:
            operators = torch.full((len(block), width), config.others)
            operators[block.index(group)] = config.own
            penalty = operators.flatten() / train.num_operators
            weights = found.ridge(dims[list(block)].flatten(), cells[group], penalty)
            parts.append(weights[:-1])
            decoder.own.bias[cells[group]] += weights[-1]
        decoder.correction(number).add_(torch.cat(parts, 1))
    decoder.fitted.fill_(True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moments:
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


def _moments(model: Tokenizer, train: Examples, seed: int) -> _Moments:
    """Of the quantized latents, and of what the decoder leaves over."""
    rng = randomness.stream(seed, "tokenizer/readout")
    everyone = torch.arange(train.num_operators).repeat(model.config.readout.copies)
    total = torch.zeros(())
    for operators in everyone.split(AT_ONCE):
        rows = train.jittered(operators, rng, model.config.jitter)
        tokens = model.quantizer.choose(model.encoder(rows.inputs))
        latents = model.quantizer.decode(tokens)
        rest = (rows.inputs.cells - model.decoder(latents)) * (rows.inputs.exists > 0)
        sides = torch.cat([torch.ones(len(rest), 1), latents.flatten(1), rest], 1).double()
        count = 1 + latents[0].numel()
        share = rows.groups.amax(1, keepdim=True)  # of the row
        total = total + (sides[:, :count] * share).T @ sides
    total = total / total[0, 0]
    mean = total[0, 1:]
    centered = total[1:, 1:] - total[1:, :1] * mean
    dims = count - 1
    return _Moments(
        inputs=mean[:dims],
        outputs=mean[dims:],
        own=centered[:, :dims],
        cross=centered[:, dims:],
    )
