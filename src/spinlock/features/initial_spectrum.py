"""Spectral statistics of one field; wavenumbers in cycles per domain."""

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import fourier

RESOLVED = 15  # shells of the power law, whole annuli on the grid of 32²
FLOOR = 1e-6  # of the mean power per mode: 60 dB, above the rounding of empty shells


def shells(fields: Float[Tensor, "B H W"]) -> tuple[Float[Tensor, "B S"], Float[Tensor, "S"]]:
    """Power and number of modes in the annuli b - 1/2 ≤ k < b + 1/2, b = 1 … S (the corners)."""
    size = fields.shape[-1]
    power = fourier.power_spectrum(fields)
    modes = fourier.power_spectrum(_impulse(fields))
    _, _, k = fourier.wavenumbers(size, fields.device, fields.dtype)
    shell = (k + 0.5).floor()
    inside = [shell == b for b in range(1, int(shell.max()) + 1)]
    return (
        torch.stack([(power * mask).sum((-2, -1)) for mask in inside], dim=-1),
        torch.stack([(modes * mask).sum() for mask in inside]),
    )


def _impulse(fields: Float[Tensor, "B H W"]) -> Float[Tensor, "H W"]:
    """An impulse has the power 1 in every mode: its half spectrum counts the modes."""
    impulse = torch.zeros_like(fields[0])
    impulse[0, 0] = impulse.numel()
    return impulse


def dominant_wavenumber(
    shells: tuple[Float[Tensor, "B S"], Float[Tensor, "S"]],
) -> Float[Tensor, "B"]:
    """The annulus that holds most power."""
    power, _ = shells
    return power.argmax(-1) + 1


def centroid(fields: Float[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""$\sum_k k P_k / \sum_k P_k$ over all modes but the mean."""
    power = fourier.power_spectrum(fields)
    _, _, k = fourier.wavenumbers(fields.shape[-1], fields.device, fields.dtype)
    return (power * k).sum((-2, -1)) / (power * (k > 0)).sum((-2, -1))


def power_law_exponent(
    shells: tuple[Float[Tensor, "B S"], Float[Tensor, "S"]],
) -> Float[Tensor, "B"]:
    r"""Exponent e of $\bar P_b \propto b^e$, $\bar P_b$ the mean power per mode of an annulus.

    $e = \mathrm{cov}(\ln b, \ln(\bar P_b + \epsilon)) / \mathrm{var}(\ln b)$, b = 1 … 15. The
    floor ε, a millionth of the mean power per mode, gives empty annuli a value that does not
    depend on rounding.
    """
    power, modes = (values[..., :RESOLVED] for values in shells)
    floor = FLOOR * power.sum(-1, keepdim=True) / modes.sum()
    abscissa = torch.arange(1, RESOLVED + 1, dtype=power.dtype, device=power.device).log()
    abscissa = abscissa - abscissa.mean()
    slope = ((power / modes + floor).log() * abscissa).sum(-1) / abscissa.square().sum()
    return slope
