"""Columns of SUMMARY temporal, anew from their definitions: u_0 … u_T, [T + 1, C, H, W] float64."""

import math
from itertools import pairwise

import numpy as np
from scipy import signal, stats

ROUNDING = 1e-14
JUMP = 1e-7


def mean_square(x):
    return np.array([np.mean(field**2) for field in x])


def centered(u):
    return np.array([[channel - channel.mean() for channel in field] for field in u])


def steps(u):
    """1 … T."""
    return np.arange(1, len(u))


def log_energy(u):
    """x_1 … x_T."""
    return np.log(mean_square(u))[1:]


def remainder(u):
    return signal.detrend(log_energy(u))


def activity(u):
    """a_2 … a_T."""
    return mean_square(np.diff(u[1:], axis=0)) + ROUNDING * mean_square(u)[2:]


def slope_over(t, y):
    return stats.linregress(t, y).slope


def periodogram(u):
    """Frequencies and one-sided power of r_t."""
    frequency, power = signal.periodogram(remainder(u), detrend=False, scaling="spectrum")
    return frequency[1:], power[1:]


def dominant_frequency(u):
    frequency, power = periodogram(u)
    return np.average(frequency, weights=power**2)


def period(u):
    r = remainder(u)
    correlation = np.correlate(r, r, "full")[len(r) - 1 :]
    return 4 * first_passage(correlation)


def first_passage(y):
    """First place where y falls to zero, on straight lines between its points; else the last."""
    for place in range(len(y) - 1):
        if y[place + 1] <= 0:
            return place + y[place] / (y[place] - y[place + 1])
    return len(y) - 1


def forgetting(u):
    v = centered(u)
    return 1 - np.mean([np.corrcoef(field.ravel(), v[0].ravel())[0, 1] for field in v[1:]])


def divergence_rate(u):
    distance = mean_square(u[1:] - u[0]) + ROUNDING * mean_square(u)[1:]
    return slope_over(np.log(steps(u)), np.log(distance))


def smoothness(u):
    change, size = np.diff(u[1:], axis=0), activity(u)
    turning = sum(np.mean(later * sooner) for sooner, later in pairwise(change))
    return turning / math.sqrt(size[:-1].sum() * size[1:].sum())


def regime_switches(u):
    """A switch with hysteresis, step by step."""
    x = np.log(activity(u))
    x = x - x.mean()
    band, state, count = x.std() / 2, 0, 0
    for value in x:
        now = 1 if value > band else -1 if value < -band else state
        count += state not in (0, now)
        state = now
    return count / (len(x) - 1)


def spikes(u):
    change = np.diff(log_energy(u))
    distance = np.abs(change - np.median(change))
    return math.log10((distance.max() + JUMP) / (np.median(distance) + JUMP))


def gini(u):
    x = activity(u)
    return np.abs(x[:, None] - x).mean() / (2 * x.mean())


def zero_crossings(u):
    return np.mean(np.diff(np.sign(remainder(u))) != 0)


def time_to(u, factor):
    """log10 of the first passage of E_t through `factor` E_0; factor below 1 or above."""
    x = np.log(mean_square(u) / mean_square(u)[0] / factor)
    return math.log10(first_passage(x if factor < 1 else -x))


OWN = {
    "energy_growth": lambda u: slope_over(steps(u), log_energy(u)),
    "variance_growth": lambda u: slope_over(steps(u), np.log(mean_square(centered(u)))[1:]),
    "acceleration": lambda u: 2 * np.polyfit(steps(u), log_energy(u), 2)[0] * len(steps(u)),
    "dominant_frequency": dominant_frequency,
    "amplitude": lambda u: math.sqrt(periodogram(u)[1].max() / periodogram(u)[1].sum()),
    "period": period,
    "autocorrelation_decay": forgetting,
    "divergence_rate": divergence_rate,
    "smoothness": smoothness,
    "regime_switches": regime_switches,
    "final_initial_energy": lambda u: math.log(mean_square(u)[-1] / mean_square(u)[0]),
    "trend_strength": lambda u: stats.linregress(steps(u), log_energy(u)).rvalue ** 2,
    "detrended_variance": lambda u: math.log10(remainder(u).var() + ROUNDING),
    "spikes": spikes,
    "bursts": gini,
    "zero_crossings": zero_crossings,
    "time_to_half": lambda u: time_to(u, 1 / 2),
    "time_to_double": lambda u: time_to(u, 2),
}


def rolled(x, u, part):
    """All windows of a series of w = T / part values."""
    width = len(steps(u)) // part
    return [x[start : start + width] for start in range(len(x) - width + 1)]


def deviations(u, part):
    return np.array([window.std() for window in rolled(log_energy(u), u, part)])


def inside(u, part):
    rest = np.mean([window.std() for window in rolled(remainder(u), u, part)])
    return math.log10((rest + JUMP) / (remainder(u).std() + JUMP))


def unevenness(u, part):
    return deviations(u, part).std() / (deviations(u, part).mean() + JUMP)


def shift(u, part):
    level = [window.mean() for window in rolled(log_energy(u), u, part)]
    width = len(steps(u)) // part
    jump = max(abs(later - sooner) for sooner, later in zip(level, level[width:], strict=False))
    return math.log10((jump + JUMP) / (math.sqrt(np.mean(deviations(u, part) ** 2)) + JUMP))


def persistence(u, part):
    windows = rolled(log_energy(u), u, part)
    slopes = np.array([slope_over(np.arange(len(window)), window) for window in windows])
    return slopes.mean() / (math.sqrt(np.mean(slopes**2)) + JUMP)


def burst(u, part):
    parts = rolled(activity(u), u, part)
    return math.log10(max(window.mean() for window in parts) / activity(u).mean())


def settling(u, part):
    return math.log10((deviations(u, part)[-1] + JUMP) / (deviations(u, part)[0] + JUMP))


WINDOWS = {
    "deviation": inside,
    "unevenness": unevenness,
    "shift": shift,
    "persistence": persistence,
    "burst": burst,
    "settling": settling,
}
SERIES = OWN | {
    f"{name}_{statistic}": lambda u, function=function, part=part: function(u, part)
    for name, part in (("eighth", 8), ("quarter", 4), ("half", 2))
    for statistic, function in WINDOWS.items()
}
