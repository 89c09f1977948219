"""Isotropic filters of periodic fields, exact for their Fourier series: the grid has no say."""

from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from spinlock import fourier


def apply(
    spectrum: Complex[Tensor, "*B H half"], response: Float[Tensor, "H half"]
) -> Float[Tensor, "*B H W"]:
    """The real field of a half spectrum (`norm="forward"`) times a response."""
    size = spectrum.shape[-2]
    return torch.fft.irfft2(spectrum * response, s=(size, size), norm="forward")


def transform(field: Float[Tensor, "*B H W"]) -> Complex[Tensor, "*B H half"]:
    """Half spectrum whose first entry is the mean."""
    return torch.fft.rfft2(field, norm="forward")


@lru_cache(maxsize=64)
def band(
    size: int, low: float, high: float, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "H half"]:
    """1 for the waves with low ≤ k < high (cycles per domain), else 0."""
    _, _, k = fourier.wavenumbers(size, dtype=torch.float64)
    return ((k >= low) & (k < high)).to(device, dtype)


@lru_cache(maxsize=64)
def gaussian(
    size: int, width: float, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "H half"]:
    """exp(−2 π² k² σ²): an average weighted with a Gaussian of standard deviation σ (domains)."""
    _, _, k = fourier.wavenumbers(size, dtype=torch.float64)
    return (-2 * (torch.pi * width * k).square()).exp().to(device, dtype)
