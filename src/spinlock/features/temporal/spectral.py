"""TEMPORAL, group spectral: how the variance of one field spreads over its waves, 27 columns.

P_k is the share of a wave (a mode and its conjugate) in the variance of one channel, k the length
of its wave vector in cycles per domain, φ its direction; sums are over the waves. The columns are
averaged over the channels; they know no offset, no scale, no origin. Bands of wavenumber are fixed,
not relative to the grid; where a grid is too small to have one, its columns are NaN. ε = 1e-11,
the rounding of float32 with a margin, keeps logarithms of empty bands from being random.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import statistic
from spinlock.features.fields import Fields, Modes
from spinlock.features.kernels import dot, log, sums
from spinlock.features.numerics import NOISE, deviation, root, slope
from spinlock.features.temporal.spectral_columns import BANDS, COLUMNS

ANNULI = (
    *(1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0),
    *(20.0, 24.0, 32.0, 45.0, 64.0, 90.0, 128.0, 181.0, 256.0, torch.inf),
)  # edges; about half an octave, or a unit
LOW, HIGH = 3.0, 10.0  # between low and mid, mid and high
RESOLVED = 16.0  # waves that a grid of 32² still has in all directions
ROLL_OFF = 0.85


def compute(fields: Fields) -> Float[Tensor, "*B C 27"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined."""
    modes, power = fields.modes, fields.power
    floored = power + NOISE
    logarithm = log(floored)
    shares = sums(power, annuli(modes).starts)
    found = _bands(shares, power, logarithm, modes) | _disorder(floored, logarithm, modes)
    found |= _peak(power, modes) | _spread(power, modes) | _annuli(shares, modes)
    return fields.masked(torch.stack([found[statistic(column)] for column in COLUMNS], -1))


@lru_cache(maxsize=64)
def slices(modes: Modes, edges: tuple[float, ...]) -> tuple[slice, ...]:
    """Places of the waves between neighboring edges; of length zero where the grid has none."""
    return tuple(modes.slice(low, high) for low, high in pairwise(edges))


def _bands(
    shares: Float[Tensor, "*B A"],
    power: Float[Tensor, "*B M"],
    logarithm: Float[Tensor, "*B M"],
    modes: Modes,
) -> dict[str, Float[Tensor, "*B"]]:
    bands = slices(modes, BANDS)
    share = (_shares(shares, annuli(modes).bands) + NOISE).log10()
    absent = torch.full_like(share[..., 0], torch.nan)
    found = [power[..., band].amax(-1) if band.start < band.stop else absent for band in bands]
    maximum = (torch.stack(found, -1) + NOISE).log10() - share
    spread = torch.stack([_variance(logarithm[..., band]) for band in bands], -1)
    columns = {"mean": share, "max": maximum, "std": root(spread) / math.log(10)}
    return {
        f"band_{number}_{name}": values[..., number - 1]
        for name, values in columns.items()
        for number in range(1, len(bands) + 1)
    }


def _shares(shares: Float[Tensor, "*B A"], parts: tuple[slice, ...]) -> Float[Tensor, "*B P"]:
    """Sums over some annuli each; NaN if the grid has none of them."""
    absent = torch.full_like(shares[..., 0], torch.nan)
    found = [shares[..., part].sum(-1) if part.start < part.stop else absent for part in parts]
    return torch.stack(found, -1)


def _variance(x: Float[Tensor, "*B m"]) -> Float[Tensor, "*B"]:
    from_mean = deviation(x)
    return dot(from_mean, from_mean) / x.shape[-1] if x.shape[-1] else from_mean.mean(-1)


def _peak(power: Float[Tensor, "*B M"], modes: Modes) -> dict[str, Float[Tensor, "*B"]]:
    """The strongest waves: means weighted with the square of the power, no argmax that jumps."""
    square, total = power * power, dot(power, power)
    return {
        "dominant_wavenumber": dot(square, modes.k) / total,
        "direction_cos": dot(square, modes.cos2) / total,
        "direction_sin": dot(square, modes.sin2) / total,
    }


def _spread(power: Float[Tensor, "*B M"], modes: Modes) -> dict[str, Float[Tensor, "*B"]]:
    octave = modes.k.log2()
    from_mean = octave - dot(power, octave)[..., None]
    along, across = dot(power, modes.cos2), dot(power, modes.sin2)
    return {
        "centroid": dot(power, modes.k),
        "bandwidth": root(dot(power, from_mean * from_mean)),
        "anisotropy": root(along.square() + across.square()),
    }


def _disorder(
    floored: Float[Tensor, "*B M"], logarithm: Float[Tensor, "*B M"], modes: Modes
) -> dict[str, Float[Tensor, "*B"]]:
    """Flatness and entropy over the waves that every grid from 32² on resolves."""
    (resolved,) = slices(modes, (1.0, RESOLVED))
    p, logarithm = floored[..., resolved], logarithm[..., resolved]
    total, waves = p.sum(-1), math.log(p.shape[-1])
    return {
        "flatness": (logarithm.mean(-1) - total.log() + waves) / math.log(10),
        "entropy": (total.log() - dot(p, logarithm) / total) / waves,
    }


def _annuli(shares: Float[Tensor, "*B A"], modes: Modes) -> dict[str, Float[Tensor, "*B"]]:
    known = annuli(modes)
    density = shares[..., : len(known.waves)] / known.waves + NOISE
    low, mid, high = (_shares(shares, known.parts) + NOISE).log10().unbind(-1)
    return {
        "low_mid_ratio": low - mid,
        "mid_high_ratio": mid - high,
        "slope": slope(density.log10(), known.log_k),
        "roll_off": _roll_off(shares, known.edges),
    }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Annuli:
    """The annuli of wavenumber that a grid has."""

    starts: tuple[int, ...]  # places of their first waves
    bands: tuple[slice, ...]  # the annuli of each band; of length zero where the grid has none
    parts: tuple[slice, ...]  # the same of low, mid and high
    edges: Float[Tensor, "A+1"]  # their smallest wavenumbers, and the largest of all
    waves: Float[Tensor, "a"]  # number of waves, of those that every grid from 32² on resolves
    log_k: Float[Tensor, "a"]  # log10 of their mean wavenumbers


@lru_cache(maxsize=16)
def annuli(modes: Modes) -> Annuli:
    """The annuli with at least one wave."""
    places = [place for place in slices(modes, ANNULI) if place.stop > place.start]
    (resolved,) = slices(modes, (1.0, RESOLVED))
    whole = [place for place in places if place.stop <= resolved.stop]
    starts = tuple(place.start for place in places)

    def inside(edges: tuple[float, ...]) -> tuple[slice, ...]:
        parts = slices(modes, edges)
        return tuple(slice(*(bisect_left(starts, at) for at in (p.start, p.stop))) for p in parts)

    return Annuli(
        starts=starts,
        bands=inside(BANDS),
        parts=inside((1.0, LOW, HIGH, torch.inf)),
        edges=modes.k[[*starts, -1]],
        waves=torch.tensor([place.stop - place.start for place in whole]).to(modes.k),
        log_k=torch.stack([modes.k[place].mean() for place in whole]).log10(),
    )


def _roll_off(share: Float[Tensor, "*B A"], edges: Float[Tensor, "A+1"]) -> Float[Tensor, "*B"]:
    """The wavenumber below which 85 % of the variance lies, linear inside the annulus."""
    below = torch.cat([torch.zeros_like(share[..., :1]), share.cumsum(-1)], -1)
    target = ROLL_OFF * below[..., -1:]
    inside = (below[..., 1:] < target).sum(-1, keepdim=True)
    part = (target - below.gather(-1, inside)) / share.gather(-1, inside)
    width = edges.diff()[inside]
    return (edges[inside] + part * width)[..., 0]
