"""Wavenumbers, spectra and derivatives on the periodic unit square."""

import torch
from jaxtyping import Float
from torch import Tensor


def wavenumbers(
    size: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Wavenumbers of the half spectrum of `rfft2` on a square grid, in cycles per domain.

    Returns:
        `ky` [H, 1], `kx` [1, W // 2 + 1] (signed) and their length `k` [H, W // 2 + 1].
    """
    ky = torch.fft.fftfreq(size, 1 / size, device=device, dtype=dtype)[:, None]
    kx = torch.fft.rfftfreq(size, 1 / size, device=device, dtype=dtype)[None, :]
    return ky, kx, (ky.square() + kx.square()).sqrt()


def power_spectrum(field: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch H half"]:
    r"""Power of each mode of the half spectrum, in the unit of `field` squared.

    $P_k = w_k |\hat u_k|^2 / (HW)^2$, where $w_k$ is 2 for a column of modes that stands for its
    complex conjugates too and 1 otherwise; hence $\sum_k P_k = \langle u^2 \rangle$ (Parseval).

    Raises:
        ValueError: the grid is not square.
    """
    height, width = field.shape[-2:]
    if height != width:
        raise ValueError(f"power_spectrum: the grid must be square, got {height}x{width}")
    modes = torch.fft.rfft2(field, norm="forward")
    weight = torch.full((width // 2 + 1,), 2.0, dtype=field.dtype, device=field.device)
    weight[0] = 1.0
    if width % 2 == 0:
        weight[-1] = 1.0
    return (modes.real.square() + modes.imag.square()) * weight


def gradient(
    field: Float[Tensor, "*batch H W"],
) -> tuple[Float[Tensor, "*batch H W"], Float[Tensor, "*batch H W"]]:
    """Central periodic differences (∂u/∂y, ∂u/∂x), per unit length of the domain."""
    height, width = field.shape[-2:]
    dy = (field.roll(-1, -2) - field.roll(1, -2)) * (height / 2)
    dx = (field.roll(-1, -1) - field.roll(1, -1)) * (width / 2)
    return dy, dx


def laplacian(field: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch H W"]:
    """Five-point periodic Laplacian, per unit length of the domain squared."""
    height, width = field.shape[-2:]
    yy = (field.roll(-1, -2) + field.roll(1, -2) - 2 * field) * height**2
    xx = (field.roll(-1, -1) + field.roll(1, -1) - 2 * field) * width**2
    return yy + xx
