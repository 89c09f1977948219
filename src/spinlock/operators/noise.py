r"""The stochastic block: random fields of unit variance that enter before the output.

A 1×1 convolution $V$ [C, width] follows the block, so that noise can enter after V, where it needs
fewer fields:

* *gaussian* adds independent noise $s_t \varepsilon$ to each hidden channel. All that V leaves of
  it, $s_t V \varepsilon$, has exactly the law of $s_t L \xi$ with $L L^\top = V V^\top$ and C
  fields ξ only.
* *laplace* adds $s_t L \xi$ with C fields ξ of double-exponential numbers: the same covariance,
  heavy tails. (Independent Laplace noise on every hidden channel would be gaussian again after
  V, by the central limit theorem.)
* *multiplicative* scales all hidden channels of a cell by $1 + s_t \varepsilon$ with one gaussian
  field ε, which commutes with V: $O(u) = (1 + s_t \varepsilon) V h$.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import fourier


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A type of noise: its numbers, how many fields of them, and how they enter."""

    unit: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]  # mean 0, variance 1
    fields: Callable[[int], int]  # channels C → fields of noise
    enter: Callable[[Tensor, Tensor, Tensor], Tensor]  # mean output V h, noise, L → output


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "*shape"]:
    """Independent normal numbers of mean 0 and variance 1."""
    return rng.standard_normal(shape, dtype=np.float32)


def laplace(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "*shape"]:
    r"""Independent double-exponential numbers of mean 0 and variance 1, excess kurtosis 3.

    The difference of two exponential numbers of scale b has density $e^{-|x| / b} / 2b$ and
    variance $2 b^2$; here $b = 1 / \sqrt 2$.
    """
    first, second = rng.standard_exponential((2, *shape), dtype=np.float32)
    return (first - second) * np.float32(math.sqrt(0.5))


def adding(
    mean: Float[Tensor, "R C H W"], noise: Float[Tensor, "R C H W"], lower: Float[Tensor, "C C 1 1"]
) -> Float[Tensor, "R C H W"]:
    """Add the noise fields, mixed by L."""
    return mean + (lower[:, :, 0, 0] @ noise.flatten(2)).view_as(noise)


def scaling(
    mean: Float[Tensor, "R C H W"], noise: Float[Tensor, "R 1 H W"], lower: Float[Tensor, "C C 1 1"]
) -> Float[Tensor, "R C H W"]:
    """Scale every channel of a cell by 1 + noise; V drops out, and L with it."""
    return mean * (1 + noise)


# noise_type → what it is
TYPES = {
    "gaussian": Type(unit=gaussian, fields=lambda channels: channels, enter=adding),
    "laplace": Type(unit=laplace, fields=lambda channels: channels, enter=adding),
    "multiplicative": Type(unit=gaussian, fields=lambda channels: 1, enter=scaling),
}


def constant(step: int, steps: int, period: float) -> float:
    """The same at every step."""
    return 1.0


def annealing(step: int, steps: int, period: float) -> float:
    """Linear from 1 at t = 0 to 0 at t = T."""
    return 1.0 - step / steps


def periodic(step: int, steps: int, period: float) -> float:
    r"""$(1 + \sin(2 \pi t / \text{period})) / 2$."""
    return (1.0 + math.sin(2.0 * math.pi * step / period)) / 2.0


# noise_schedule → share of noise_scale at step t in 1 … T, given schedule_period in steps
SCHEDULES: dict[str, Callable[[int, int, float], float]] = {
    "constant": constant,
    "annealing": annealing,
    "periodic": periodic,
}


def transfer(grid_size: int, length: float) -> Float[Tensor, "H half"]:
    r"""Filter that turns white noise into a field of unit variance with a correlation length.

    $h_k \propto \exp(-\pi^2 \ell^2 k^2)$, k in cycles per domain: the autocorrelation of the
    filtered field is $\exp(-x^2 / 2 \ell^2)$ (periodically continued), normalized so that
    $\sum_k h_k^2 = HW$ over all modes. Length 0 is white noise.

    Args:
        grid_size: H = W.
        length: ℓ, as a share of the domain.
    """
    ky, kx, _ = fourier.wavenumbers(grid_size, dtype=torch.float64)
    along = torch.exp(-((math.pi * length * ky) ** 2))
    unit = along.square().mean().sqrt()
    across = torch.exp(-((math.pi * length * kx) ** 2))
    return (along / unit * across / unit).float()


def filtered(
    field: Float[Tensor, "*batch H W"], response: Float[Tensor, "H half"]
) -> Float[Tensor, "*batch H W"]:
    """The field with its Fourier modes multiplied by a response."""
    return torch.fft.irfft2(torch.fft.rfft2(field) * response, s=field.shape[-2:])


def mixing(output: Float[Tensor, "C width 1 1"]) -> Float[Tensor, "C C 1 1"]:
    r"""The L of the module's docstring: lower triangular, $L L^\top = V V^\top$.

    From the QR decomposition of $V^\top$, which exists even where $V V^\top$ is singular.
    """
    matrix = output[:, :, 0, 0].double()
    _, upper = torch.linalg.qr(matrix.T, mode="r")
    lower = torch.zeros(matrix.shape[0], matrix.shape[0], dtype=torch.float64)
    lower[:, : upper.shape[0]] = upper.T
    return lower.float()[:, :, None, None].contiguous()
