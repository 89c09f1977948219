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
    exists = truth.isfinite().all(-1).all(-1)
    live = exists & ~quiescent(truth)
    squared = mean_squared_error(predicted, truth)
    return FieldScores(
        vrmse=_over_channels(vrmse(predicted, truth), live),
        mse=_over_channels(squared, exists),
        spectral_error=_over_channels(spectral_error(predicted, truth), live[..., None]),
        spectral_octaves=_over_channels(spectral_octaves(predicted, truth), live[..., None]),
        quiescent=torch.where(exists.all(-1), quiescent(truth).float().mean(-1), torch.nan),
    )


def mean_squared_error(
    predicted: Float[Tensor, "*batch H W"], truth: Float[Tensor, "*batch H W"]
) -> Float[Tensor, "*batch"]:
    """Mean over the grid of (û − u)²; infinite where û is not finite."""
    return _infinite((predicted - truth).square().mean((-1, -2)), predicted)


def vrmse(
    predicted: Float[Tensor, "*batch H W"], truth: Float[Tensor, "*batch H W"]
) -> Float[Tensor, "*batch"]:
    r"""Root of the mean squared error over the variance of the true frame.

    $\sqrt{\langle (\hat u - u)^2 \rangle / (\langle (u - \bar u)^2 \rangle + 10^{-7})}$ over the
    grid: 0 is perfect, 1 is what the mean of the true frame reaches. Source: The Well (Ohana et
    al. 2024), section "Benchmark metrics"; its code divides the variance by HW − 1, not HW.
    """
    variance = truth.var((-1, -2), correction=0)
    return (mean_squared_error(predicted, truth) / (variance + EPSILON)).sqrt()


def quiescent(truth: Float[Tensor, "*batch H W"]) -> Bool[Tensor, "*batch"]:
    """Frames whose standard deviation over the grid is below 1e-3: VRMSE is noise there."""
    return truth.std((-1, -2), correction=0) < QUIESCENT


def band_power(field: Float[Tensor, "*batch H W"]) -> Float[Tensor, "*batch 3"]:
    r"""Mean square of a field in three log-spaced bands of wavenumber.

    Edges $(H/2)^{b/3}$ cycles per domain for b = 0 … 3; the first band also holds the mean, the
    last the corners beyond H / 2; hence the three sum to $\langle u^2 \rangle$. Bands as in The
    Well's `binned_spectral_mse`.
    """
    size = field.shape[-1]
    power = fourier.power_spectrum(field).flatten(-2)
    length = fourier.wavenumbers(size, field.device)[2].flatten()
    edges = torch.tensor([(size / 2) ** (b / NUM_BANDS) for b in range(1, NUM_BANDS)])
    band = torch.bucketize(length, edges.to(field.device), right=True)
    member = torch.nn.functional.one_hot(band, NUM_BANDS).to(field.dtype)
    return power @ member


def spectral_error(
    predicted: Float[Tensor, "*batch H W"], truth: Float[Tensor, "*batch H W"]
) -> Float[Tensor, "*batch 3"]:
    r"""VRMSE in each band: $\sqrt{P_b(\hat u - u) / (P_b(u - \bar u) + 10^{-7})}$."""
    centred = truth - truth.mean((-1, -2), keepdim=True)
    ratio = band_power(predicted - truth) / (band_power(centred) + EPSILON)
    return _infinite(ratio.sqrt(), predicted)


def spectral_octaves(
    predicted: Float[Tensor, "*batch H W"], truth: Float[Tensor, "*batch H W"]
) -> Float[Tensor, "*batch 3"]:
    r"""How wrong the power in each band is, wherever the pattern stands, in octaves.

    $|\log_2(\hat P_b / P_b)|$, powers of the deviation from the frame's mean, $10^{-7}$ added to
    both; 1 is twice or half the power.
    """
    power = [
        band_power(field - field.mean((-1, -2), keepdim=True)) + EPSILON
        for field in (predicted, truth)
    ]
    return _infinite((power[0] / power[1]).log2().abs(), predicted)


def valid_steps(
    vrmse_curve: Float[Tensor, "*batch T"], threshold: float
) -> Float[Tensor, "*batch"]:
    """Valid prediction time: the first step with VRMSE above the threshold; T + 1 if none is."""
    above = vrmse_curve > threshold
    first = above.float().argmax(-1) + 1
    return torch.where(above.any(-1), first, vrmse_curve.shape[-1] + 1).to(vrmse_curve.dtype)


def bounded(predicted: Float[Tensor, "T C H W"], bound: float) -> bool:
    """Whether every value is finite and at most `bound` in size."""
    return bool((predicted.abs() <= bound).all())


def _infinite(error: Tensor, predicted: Tensor) -> Tensor:
    """Errors of frames whose prediction is not finite are infinite, not NaN."""
    finite = predicted.isfinite().all(-1).all(-1)
    finite = finite[(...,) + (None,) * (error.ndim - finite.ndim)]
    return torch.where(finite, error, torch.inf)


def _over_channels(values: Float[Tensor, "T C *rest"], live: Bool[Tensor, "T C *one"]) -> Tensor:
    """Mean over the live channels; NaN if there is none."""
    values = torch.where(live, values, torch.nan)
    return values.nanmean(1)
