"""Do the initial conditions have what their labels promise? Measured on the fields themselves."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import fourier
from spinlock.initial_conditions.families import lookup


def variance(u0: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch"]:
    """Variance over the domain, in the unit of `u0` squared."""
    return u0.double().var((-2, -1), correction=0)


def band_purity(
    u0: Float[Tensor, "*batch H W"], band: tuple[float, float]
) -> Float[Tensor, "*batch"]:
    """Share of the power, the mean's excepted, at wavenumbers inside the half-open band."""
    power = fourier.power_spectrum(u0.double())
    _, _, k = fourier.wavenumbers(u0.shape[-1], u0.device, torch.float64)
    inside = (k >= band[0]) & (k < band[1])
    return (power * inside).sum((-2, -1)) / (power * (k > 0)).sum((-2, -1))


def radial_spectrum(
    u0: Float[Tensor, "*batch H W"],
) -> tuple[Float[Tensor, "*batch S"], Float[Tensor, "S"]]:
    """Power and number of modes in the annuli b - 1/2 ≤ k < b + 1/2, b = 1 … S = (H - 1) // 2."""
    size = u0.shape[-1]
    power, modes = fourier.power_spectrum(u0.double()), _mode_count(size, u0.device)
    _, _, k = fourier.wavenumbers(size, u0.device, torch.float64)
    shell = (k + 0.5).floor()
    inside = [shell == b for b in range(1, (size + 1) // 2)]
    return (
        torch.stack([(power * mask).sum((-2, -1)) for mask in inside], dim=-1),
        torch.stack([(modes * mask).sum() for mask in inside]),
    )


def non_flatness(u0: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch"]:
    r"""One minus the flatness of the radial spectrum: about 0 for white noise, 1 for one wave.

    $1 - \exp\langle\ln S_b\rangle / \langle S_b\rangle$ with $S_b$ the mean power per mode of
    an annulus (spectral flatness, Johnston 1988).
    """
    power, modes = radial_spectrum(u0)
    mean_power = power / modes
    return 1 - mean_power.log().mean(-1).exp() / mean_power.mean(-1)


def _mode_count(size: int, device: torch.device) -> Float[Tensor, "H half"]:
    """Modes that each entry of the half spectrum stands for: an impulse has equal power in all."""
    impulse = torch.zeros(size, size, dtype=torch.float64, device=device)
    impulse[0, 0] = size**2
    return fourier.power_spectrum(impulse)


def metrics(u0: Float[Tensor, "N C H W"], labels: Sequence[str]) -> dict[str, float]:
    """Flat metrics by variant present: mean variance, least band purity, least non-flatness.

    Args:
        u0: initial conditions.
        labels: the variant of each, [N].

    Raises:
        Refusal: a label is no known variant.
    """
    names = np.asarray(labels)
    result: dict[str, float] = {}
    for variant in sorted(set(labels)):
        fields = u0[torch.from_numpy(np.flatnonzero(names == variant))]
        band = lookup(variant).band
        result[f"generate/ic_variance_{variant}"] = float(variance(fields).mean())
        if band is not None:
            result[f"generate/ic_band_purity_{variant}"] = float(band_purity(fields, band).min())
        result[f"generate/ic_non_flatness_{variant}"] = float(non_flatness(fields).min())
    return result
