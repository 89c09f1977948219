"""Spectral mixing as in an adaptive Fourier neural operator (Guibas et al. 2022)."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def mix(
    x: Float[Tensor, "n C H W"],
    first: Complex[Tensor, "groups in middle"],
    second: Complex[Tensor, "groups middle out"],
    modes: int,
) -> Float[Tensor, "n C H W"]:
    r"""$F^{-1} W_2\, g(W_1 F x)$ on the retained modes, 0 on the others.

    W₁ and W₂ are block-diagonal over channels and shared by all retained modes. The shrinkage
    $g(z) = z |z|^2 / (1 + |z|^2)$ acts on the modulus: acting on real and imaginary parts, as
    in the paper, would tell apart two fields that differ by a translation.

    Args:
        x: periodic fields.
        first: W₁, a matrix for each group of channels.
        second: W₂.
        modes: largest wavenumber retained in either direction, of both signs along the rows.
    """
    height, width = x.shape[-2:]
    columns = min(modes, width // 2) + 1
    z = torch.fft.rfft2(x, norm="ortho")[..., :columns]
    z = _retained(z, modes).unflatten(1, (len(first), -1))
    z = torch.einsum("ngihw,gio->ngohw", z, first)
    power = z.real.square() + z.imag.square()
    z = torch.einsum("ngihw,gio->ngohw", z * (power / (1 + power)), second)
    z = _restored(z.flatten(1, 2), height, modes)
    return torch.fft.irfft2(z, s=(height, width), norm="ortho")  # columns left out count as 0


def _retained(z: Complex[Tensor, "n C H half"], modes: int) -> Complex[Tensor, "n C rows half"]:
    """The rows of wavenumbers 0 … modes and -modes … -1."""
    height = z.shape[-2]
    if 2 * modes + 1 >= height:
        return z
    return torch.cat([z[..., : modes + 1, :], z[..., height - modes :, :]], -2)


def _restored(
    z: Complex[Tensor, "n C rows half"], height: int, modes: int
) -> Complex[Tensor, "n C H half"]:
    """The rows back in their places, zeros between them."""
    if z.shape[-2] == height:
        return z
    gap = z.new_zeros(*z.shape[:2], height - z.shape[-2], z.shape[-1])
    return torch.cat([z[..., : modes + 1, :], gap, z[..., modes + 1 :, :]], -2)
