"""How far a predicted trajectory is from the true one, frame by frame."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock import fourier

EPSILON = 1e-7  # of The Well
QUIESCENT = 1e-3  # standard deviation below which a frame has no pattern to predict
NUM_BANDS = 3


@dataclass(frozen=True, slots=True)
class FieldScores:
    """Errors of one predicted trajectory; NaN where the truth is missing or quiescent.

    A prediction that is not finite has infinite errors.
    """

    vrmse: Float[Tensor, " T"]
    mse: Float[Tensor, " T"]
    spectral_error: Float[Tensor, "T 3"]
    spectral_octaves: Float[Tensor, "T 3"]
    quiescent: Float[Tensor, " T"]  # share of the channels


def score(predicted: Float[Tensor, "T C H W"], truth: Float[Tensor, "T C H W"]) -> FieldScores:
    """All scores of a predicted trajectory, averaged over the channels."""
    error, wanted, found = (band_power(u) for u in (predicted - truth, truth, predicted))
    squared, variance = error.sum(-1), wanted[..., 1:].sum(-1)  # Parseval
    exists, still = variance.isfinite(), quiescent(variance)
    measured = {
        "mse": (squared, exists),
        "vrmse": (vrmse(squared, variance), exists & ~still),
        "spectral_error": (spectral_error(error[..., 1:], wanted[..., 1:]), exists & ~still),
        "spectral_octaves": (spectral_octaves(found[..., 1:], wanted[..., 1:]), exists & ~still),
    }
    finite = squared.isfinite()
    return FieldScores(
        **{name: _over_channels(v, live, finite) for name, (v, live) in measured.items()},
        quiescent=torch.where(exists.all(-1), still.float().mean(-1), torch.nan),
    )


def vrmse(
    squared_error: Float[Tensor, "*batch"], variance: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch"]:
    r"""Root of the mean squared error over the variance of the true frame.

    $\sqrt{\langle (\hat u - u)^2 \rangle / (\langle (u - \bar u)^2 \rangle + 10^{-7})}$ over the
    grid: 0 is perfect, 1 is what the mean of the true frame reaches. Source: The Well (Ohana et
    al. 2024), section "Benchmark metrics"; its code divides the variance by HW − 1, not HW.

    Args:
        squared_error: mean of (û − u)² over the grid.
        variance: of u over the grid, divided by HW.
    """
    return (squared_error / (variance + EPSILON)).sqrt()


def quiescent(variance: Float[Tensor, "*batch"]) -> Bool[Tensor, "*batch"]:
    """Frames whose standard deviation over the grid is below 1e-3: VRMSE is noise there."""
    return variance.sqrt() < QUIESCENT


def band_power(field: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch 4"]:
    r"""Mean square of a field: of its mean, and in three log-spaced bands of wavenumber.

    Edges $(H/2)^{b/3}$ cycles per domain for b = 0 … 3; the last band also holds the corners
    beyond H / 2; hence the four sum to $\langle u^2 \rangle$ (Parseval). Bands as in The Well's
    `binned_spectral_mse`, but the mean over the grid stands apart.
    """
    size = field.shape[-1]
    power = fourier.power_spectrum(field).flatten(-2)
    length = fourier.wavenumbers(size, field.device)[2].flatten()
    edges = torch.tensor([0.5, *((size / 2) ** (b / NUM_BANDS) for b in range(1, NUM_BANDS))])
    band = torch.bucketize(length, edges.to(field.device), right=True)
    member = torch.nn.functional.one_hot(band, NUM_BANDS + 1).to(field.dtype)
    return power @ member


def spectral_error(
    error: Float[Tensor, "*batch 3"], truth: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    r"""VRMSE in each band: $\sqrt{P_b(\hat u - u) / (P_b(u) + 10^{-7})}$.

    Args:
        error: power of û − u by band, without its mean.
        truth: power of u by band, without its mean.
    """
    return (error / (truth + EPSILON)).sqrt()


def spectral_octaves(
    predicted: Float[Tensor, "*batch 3"], truth: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    r"""How wrong the power in each band is, wherever the pattern stands, in octaves.

    $|\log_2(P_b(\hat u) / P_b(u))|$, $10^{-7}$ added to both; 1 is twice or half the power.
    """
    return ((predicted + EPSILON) / (truth + EPSILON)).log2().abs()


def valid_steps(
    vrmse_curve: Float[Tensor, "*batch T"], threshold: float
) -> Float[Tensor, "*batch"]:
    """Valid prediction time: the first step with VRMSE above the threshold.

    The step after the last one that has a VRMSE if none is, which is T + 1 where the truth lasts:
    a truth that ends or stands still early shows no more than that. NaN where there is none at all.
    """
    steps = torch.arange(1, vrmse_curve.shape[-1] + 1, dtype=vrmse_curve.dtype)
    end = torch.where(vrmse_curve.isnan(), 0.0, steps).amax(-1) + 1
    above = vrmse_curve > threshold
    first = above.float().argmax(-1) + 1
    found = torch.where(above.any(-1), first, end)
    return torch.where(vrmse_curve.isnan().all(-1), torch.nan, found).to(vrmse_curve.dtype)


def bounded(predicted: Float[Tensor, "T C H W"], bound: float) -> bool:
    """Whether every value is finite and at most `bound` in size."""
    return bool((predicted.abs() <= bound).all())


def _over_channels(
    values: Float[Tensor, "T C *rest"], live: Bool[Tensor, "T C"], finite: Bool[Tensor, "T C"]
) -> Float[Tensor, "T *rest"]:
    """Mean over the live channels, NaN if there is none; infinite where û is not finite."""
    one = (..., *[None] * (values.ndim - 2))
    values = torch.where(finite[one], values, torch.inf)
    return torch.where(live[one], values, torch.nan).nanmean(1)
