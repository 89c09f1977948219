"""SUMMARY, group temporal: how a trajectory grows, oscillates, jumps and forgets, 36 columns.

E_t is the mean square of u_t over channels and domain (energy), x_t = ln E_t, V_t the same of the
deviation from the mean of each channel (variance), D_t the mean square of u_t − u_(t−1), and
a_t = D_t + 1e-14 E_t (activity, never zero); r_t is what the least-squares line leaves of x_t,
t = 1 … T. Steps are the unit of time. A window has w steps and rolls by one; m_j, s_j and b_j are
mean, standard deviation and slope of x_t inside the window that starts at j, A_j the mean of a_t.
A column that needs more steps than there are is NaN.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.numerics import deviation, median, slope, trend, variance
from spinlock.features.summary import temporal_columns, windows
from spinlock.features.summary.series import QUIET, ROUNDING, Series
from spinlock.features.summary.trajectories import Trajectories

JUMP = 1e-7  # of x: what float32 leaves of a relative change
BAND = 0.5  # standard deviations; half the width of the band between two regimes


def compute(trajectories: Trajectories) -> Float[Tensor, "*B 36"]:
    """The columns of every trajectory, as in `COLUMNS`; NaN where undefined."""
    series = trajectories.series
    absent = torch.full_like(series.energy[..., 0], torch.nan)
    own = [
        function(series) if series.steps >= needed else absent
        for function, needed in FUNCTIONS.items()
    ]
    found = torch.stack([*own, *windows.compute(series, absent)], -1)
    return torch.where(series.defined[..., None], found, torch.nan)


def energy_growth(series: Series) -> Float[Tensor, "*B"]:
    return series.growth


def variance_growth(series: Series) -> Float[Tensor, "*B"]:
    weight = trend(series.steps, series.energy.device)
    growth = (series.variance[..., 1:].log() * weight).sum(-1)
    return torch.where(series.varies, growth, torch.nan)


def acceleration(series: Series) -> Float[Tensor, "*B"]:
    square = deviation(deviation(series.time).square())
    return (series.log_energy * (square * (2 * series.steps / square.square().sum()))).sum(-1)


def dominant_frequency(series: Series) -> Float[Tensor, "*B"]:
    square = series.periodogram.square()
    frequency = series.time[: square.shape[-1]] / series.steps
    value = (square * frequency).sum(-1) / square.sum(-1)
    return torch.where(series.fluctuates, value, torch.nan)


def amplitude(series: Series) -> Float[Tensor, "*B"]:
    power = series.periodogram
    return torch.where(series.fluctuates, (power.amax(-1) / power.sum(-1)).sqrt(), torch.nan)


def period(series: Series) -> Float[Tensor, "*B"]:
    power = torch.fft.rfft(series.fluctuation, n=2 * series.steps).abs().square()
    correlation = torch.fft.irfft(power)[..., : series.steps]
    zero = _first_crossing(correlation / correlation[..., :1], 0.0)
    return torch.where(series.fluctuates, 4 * zero, torch.nan)


def _first_crossing(y: Float[Tensor, "*B n"], level: float) -> Float[Tensor, "*B"]:
    """First place where y, linear between its points, falls to a level; n − 1 if nowhere."""
    below = y[..., 1:] <= level
    after = below.int().argmax(-1, keepdim=True) + 1
    high, low = y.gather(-1, after - 1), y.gather(-1, after)
    crosses = below.any(-1, keepdim=True)
    drop = torch.where(crosses, high - low, 1)
    place = torch.where(crosses, after - 1 + (high - level) / drop, y.shape[-1] - 1)
    return place[..., 0]


def autocorrelation_decay(series: Series) -> Float[Tensor, "*B"]:
    scale = (series.variance[..., 1:] * series.variance[..., :1]).sqrt()
    return torch.where(series.varies, 1 - (series.covariance / scale).mean(-1), torch.nan)


def divergence_rate(series: Series) -> Float[Tensor, "*B"]:
    distance = series.distance + ROUNDING * series.energy[..., 1:]
    return slope(distance.log(), series.time.log())


def smoothness(series: Series) -> Float[Tensor, "*B"]:
    activity = series.floored_activity
    before, after = activity[..., :-1].sum(-1), activity[..., 1:].sum(-1)
    return series.turning.sum(-1) / (before * after).sqrt()


def regime_switches(series: Series) -> Float[Tensor, "*B"]:
    activity = deviation(series.floored_activity.log())
    band = BAND * activity.square().mean(-1, keepdim=True).sqrt().clamp(min=JUMP)
    regime = (activity > band).int() - (activity < -band).int()
    place = torch.arange(regime.shape[-1], device=regime.device)
    latest = torch.where(regime != 0, place, -1).cummax(-1).values
    held = regime.gather(-1, latest.clamp(min=0))
    switched = (held[..., 1:] != held[..., :-1]) & (held[..., :-1] != 0)
    return switched.to(activity.dtype).mean(-1)


def final_initial_energy(series: Series) -> Float[Tensor, "*B"]:
    return (series.energy[..., -1] / series.energy[..., 0]).log()


def trend_strength(series: Series) -> Float[Tensor, "*B"]:
    total = variance(series.log_energy)
    moves = total > QUIET
    explained = 1 - series.remainder_variance / torch.where(moves, total, 1)
    return torch.where(moves, explained, torch.nan)


def detrended_variance(series: Series) -> Float[Tensor, "*B"]:
    return (series.remainder_variance + ROUNDING).log10()


def spikes(series: Series) -> Float[Tensor, "*B"]:
    change = series.log_energy.diff(dim=-1)
    distance = (change - median(change)[..., None]).abs()
    return ((distance.amax(-1) + JUMP) / (median(distance) + JUMP)).log10()


def bursts(series: Series) -> Float[Tensor, "*B"]:
    activity = series.floored_activity.sort(-1).values
    count = activity.shape[-1]
    weight = 2 * torch.arange(1, count + 1, device=activity.device) - count - 1
    return (weight * activity).sum(-1) / (count * activity.sum(-1))


def zero_crossings(series: Series) -> Float[Tensor, "*B"]:
    positive = series.fluctuation > 0
    rate = (positive[..., 1:] ^ positive[..., :-1]).to(series.energy.dtype).mean(-1)
    return torch.where(series.fluctuates, rate, torch.nan)


def time_to_half(series: Series) -> Float[Tensor, "*B"]:
    change = (series.energy / series.energy[..., :1]).log2()
    return _first_crossing(change, -1.0).log10()


def time_to_double(series: Series) -> Float[Tensor, "*B"]:
    change = (series.energy[..., :1] / series.energy).log2()
    return _first_crossing(change, -1.0).log10()


# steps that each function needs; its name is the column's
FUNCTIONS: dict[Callable[[Series], Tensor], int] = {
    energy_growth: 2,
    variance_growth: 2,
    acceleration: 3,
    dominant_frequency: 4,
    amplitude: 4,
    period: 4,
    autocorrelation_decay: 1,
    divergence_rate: 2,
    smoothness: 3,
    regime_switches: 4,
    final_initial_energy: 1,
    trend_strength: 3,
    detrended_variance: 3,
    spikes: 4,
    bursts: 3,
    zero_crossings: 4,
    time_to_half: 1,
    time_to_double: 1,
}
COLUMNS = (*temporal_columns.COLUMNS, *windows.COLUMNS)
