r"""The stochastic block: random fields of unit variance that enter before the output.

The block adds independent noise $s_t \varepsilon$ to each hidden channel. A linear map $V$
[C, width] follows, the 1×1 output convolution, so that all that is left of it is
$s_t V \varepsilon$, which for gaussian noise has exactly the law of $s_t L \xi$ with
$L L^\top = V V^\top$ and only C fields ξ. We draw those: ten times fewer numbers for the same law.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import fourier


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "*shape"]:
    """Independent normal numbers of mean 0 and variance 1."""
    return rng.standard_normal(shape, dtype=np.float32)


# noise_type → independent numbers of mean 0 and variance 1
TYPES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "gaussian": gaussian,
}


def constant(step: int, steps: int, period: float) -> float:
    """The same at every step."""
    return 1.0


# noise_schedule → share of noise_scale at step t of T, given schedule_period
SCHEDULES: dict[str, Callable[[int, int, float], float]] = {
    "constant": constant,
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
