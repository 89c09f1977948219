"""Layers whose weights an embedding may choose: normalization and convolution.

`condition` turns an embedding into the weights of a layer. They do not depend on the field, so a
rollout computes them once and applies the layer as often as it has steps.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spinlock.operators.periodic import wrap

NORM_EPSILON = 1e-5
FILM_GAIN = 0.3  # size of the first modulation: small beside the 1 that it is added to


class Norm(nn.Module):
    """Normalize each channel over space, then scale and shift it.

    y = (1 + s) x̂ + b, where (s, b) is a linear map of the embedding (FiLM, Perez et al. 2018) or,
    without one, a parameter.
    """

    def __init__(self, width: int, embedding_dim: int) -> None:
        super().__init__()
        self.width = width
        if embedding_dim:
            self.film = nn.Linear(embedding_dim, 2 * width)
            nn.init.normal_(self.film.weight, std=FILM_GAIN * embedding_dim**-0.5)
            nn.init.zeros_(self.film.bias)
        else:
            self.affine = nn.Parameter(torch.zeros(1, 2 * width))

    def condition(
        self, embedding: Float[Tensor, "n embedding"] | None
    ) -> Float[Tensor, "n 2 width 1 1"]:
        """Scale and shift of each field of a batch."""
        pair = self.affine if embedding is None else self.film(embedding)
        return pair.reshape(-1, 2, self.width, 1, 1)

    def forward(
        self, x: Float[Tensor, "n width H W"], weights: Float[Tensor, "n 2 width 1 1"]
    ) -> Float[Tensor, "n width H W"]:
        """Normalize and modulate fields."""
        scale, shift = weights.unbind(1)
        # group_norm with one channel a group is instance_norm, several times faster on the CPU
        return torch.addcmul(shift, F.group_norm(x, self.width, eps=NORM_EPSILON), 1 + scale)


class Conv(nn.Module):
    r"""Periodic convolution with an odd kernel; with several kernels, a mixture of them.

    $W = \sum_j a_j W_j$ with a a linear map of the embedding: each field of a batch has a
    kernel of its own, at the cost of one (a grouped convolution). Without bias.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel_size: int,
        *,
        dilation: int = 1,
        stride: int = 1,
        kernels: int = 1,
        embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        self.dilation, self.stride = dilation, stride
        self.margin = dilation * (kernel_size // 2)
        size = (kernels, channels_out, channels_in, kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.randn(size) * (channels_in * kernel_size**2) ** -0.5)
        if kernels > 1:
            self.mixture = nn.Linear(embedding_dim, kernels)
            nn.init.normal_(self.mixture.weight, std=embedding_dim**-0.5)
            nn.init.constant_(self.mixture.bias, kernels**-0.5)

    def condition(
        self, embedding: Float[Tensor, "n embedding"] | None
    ) -> Float[Tensor, "m out in k k"]:
        """Kernels: one (m = 1), or one for each field of a batch."""
        if len(self.weight) == 1:
            return self.weight
        return torch.tensordot(self.mixture(embedding), self.weight, 1)

    def forward(
        self, x: Float[Tensor, "n in H W"], weights: Float[Tensor, "m out in k k"]
    ) -> Float[Tensor, "n out h w"]:
        """Convolve fields; the grid shrinks by the stride."""
        groups, out = weights.shape[:2]
        padded = wrap(x, self.margin)
        y = F.conv2d(
            padded.reshape(len(x) // groups, -1, *padded.shape[-2:]),
            weights.flatten(0, 1),
            stride=self.stride,
            dilation=self.dilation,
            groups=groups,
        )
        return y.reshape(len(x), out, *y.shape[-2:])
