"""How much of the agent's pattern to believe, by θ and by the age of what it knows."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

TIMES = (1.0, 4.0, 16.0)  # steps, τ of the functions of age; beyond the largest nothing changes
START = 3.0  # first logit: 0.95 of the pattern is kept
GAIN = 10.0  # of the logits: a step of Adam moves a weight by the learning rate at most


class Certainty(nn.Module):
    r"""Shrink the pattern of an output towards its mean over the grid.

    $o \leftarrow \bar o + g\,(o - \bar o)$ with a share
    $g = \sigma(a(e) + \sum_τ b_τ(e)\,(1 - e^{-k/τ}))$ for each channel, a and b linear in the
    embedding e of θ, k the steps since a true field was seen. What has forgotten u0, or was
    drowned in noise, is best predicted by its mean: squared error 1 in units of its variance,
    where a pattern of full size that is not the true one costs 2.
    """

    def __init__(self, embedding_dim: int, channels: int) -> None:
        super().__init__()
        self.size = (1 + len(TIMES), channels)
        self.linear = nn.Linear(embedding_dim, self.size[0] * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        nn.init.constant_(self.linear.bias[:channels], START / GAIN)

    def coefficients(self, embedding: Float[Tensor, "n E"]) -> Float[Tensor, "n K C"]:
        """a and b of some operators."""
        return GAIN * self.linear(embedding).unflatten(1, self.size)

    def forward(
        self, output: Float[Tensor, "n C H W"], coefficients: Float[Tensor, "n K C"], age: int
    ) -> Float[Tensor, "n C H W"]:
        """Shrink outputs for fields that are `age` steps old."""
        functions = torch.tensor([1.0, *(1 - math.exp(-age / time) for time in TIMES)])
        share = torch.einsum("k,nkc->nc", functions, coefficients).sigmoid()[..., None, None]
        mean = output.mean((-2, -1), keepdim=True)
        return mean + share * (output - mean)
