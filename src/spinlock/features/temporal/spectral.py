"""TEMPORAL, group spectral: how the variance of one field spreads over its waves, 27 columns.

P_k is the share of a wave (a mode and its conjugate) in the variance of one channel, k the length
of its wave vector in cycles per domain, φ its direction; sums are over the waves. The columns are
averaged over the channels; they know no offset, no scale, no origin. Bands of wavenumber are fixed,
not relative to the grid; where a grid is too small to have one, its columns are NaN. ε = 1e-11,
the rounding of float32 with a margin, keeps logarithms of empty bands from being random.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import statistic
from spinlock.features.fields import Fields, Modes
from spinlock.features.numerics import NOISE, root, slope, variance
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
    log = (power + NOISE).log()
    found = _bands(power, log, modes) | _disorder(power, log, modes)
    found |= _peak(power, modes) | _spread(power, modes) | _annuli(power, modes)
    return fields.masked(torch.stack([found[statistic(column)] for column in COLUMNS], -1))


@lru_cache(maxsize=64)
def slices(modes: Modes, edges: tuple[float, ...]) -> tuple[slice, ...]:
    """Places of the waves between neighboring edges; of length zero where the grid has none."""
    return tuple(modes.slice(low, high) for low, high in pairwise(edges))


def _bands(
    power: Float[Tensor, "*B M"], log: Float[Tensor, "*B M"], modes: Modes
) -> dict[str, Float[Tensor, "*B"]]:
    found = {}
    for number, band in enumerate(slices(modes, BANDS), 1):
        inside = power[..., band]
        share = (_share(inside) + NOISE).log10()
        maximum = inside.amax(-1) if inside.shape[-1] else share  # NaN
        found[f"band_{number}_mean"] = share
        found[f"band_{number}_max"] = (maximum + NOISE).log10() - share
        found[f"band_{number}_std"] = root(variance(log[..., band])) / math.log(10)
    return found


def _peak(power: Float[Tensor, "*B M"], modes: Modes) -> dict[str, Float[Tensor, "*B"]]:
    """The strongest waves: means weighted with the square of the power, no argmax that jumps."""
    square = power.square()
    weight = square / square.sum(-1, keepdim=True)
    return {
        "dominant_wavenumber": (weight * modes.k).sum(-1),
        "direction_cos": (weight * modes.cos2).sum(-1),
        "direction_sin": (weight * modes.sin2).sum(-1),
    }


def _spread(power: Float[Tensor, "*B M"], modes: Modes) -> dict[str, Float[Tensor, "*B"]]:
    octave = modes.k.log2()
    from_mean = octave - (power * octave).sum(-1, keepdim=True)
    along, across = (power * modes.cos2).sum(-1), (power * modes.sin2).sum(-1)
    return {
        "centroid": (power * modes.k).sum(-1),
        "bandwidth": root((power * from_mean.square()).sum(-1)),
        "anisotropy": root(along.square() + across.square()),
    }


def _disorder(
    power: Float[Tensor, "*B M"], log: Float[Tensor, "*B M"], modes: Modes
) -> dict[str, Float[Tensor, "*B"]]:
    """Flatness and entropy over the waves that every grid from 32² on resolves."""
    (resolved,) = slices(modes, (1.0, RESOLVED))
    p, log = power[..., resolved] + NOISE, log[..., resolved]
    total, waves = p.sum(-1), math.log(p.shape[-1])
    return {
        "flatness": (log.mean(-1) - total.log() + waves) / math.log(10),
        "entropy": (total.log() - (p * log).sum(-1) / total) / waves,
    }


def _annuli(power: Float[Tensor, "*B M"], modes: Modes) -> dict[str, Float[Tensor, "*B"]]:
    known = annuli(modes)
    share = torch.stack([power[..., annulus].sum(-1) for annulus in known.places], -1)
    density = share[..., : len(known.waves)] / known.waves + NOISE
    parts = slices(modes, (1.0, LOW, HIGH, torch.inf))
    low, mid, high = ((_share(power[..., part]) + NOISE).log10() for part in parts)
    return {
        "low_mid_ratio": low - mid,
        "mid_high_ratio": mid - high,
        "slope": slope(density.log10(), known.log_k),
        "roll_off": _roll_off(share, known.edges),
    }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Annuli:
    """The annuli of wavenumber that a grid has."""

    places: tuple[slice, ...]  # of their waves
    edges: Float[Tensor, "A+1"]  # their smallest wavenumbers, and the largest of all
    waves: Float[Tensor, "a"]  # number of waves, of those that every grid from 32² on resolves
    log_k: Float[Tensor, "a"]  # log10 of their mean wavenumbers


@lru_cache(maxsize=16)
def annuli(modes: Modes) -> Annuli:
    """The annuli with at least one wave."""
    places = tuple(place for place in slices(modes, ANNULI) if place.stop > place.start)
    (resolved,) = slices(modes, (1.0, RESOLVED))
    whole = [place for place in places if place.stop <= resolved.stop]
    return Annuli(
        places=places,
        edges=modes.k[[*(place.start for place in places), -1]],
        waves=torch.tensor([place.stop - place.start for place in whole]).to(modes.k),
        log_k=torch.stack([modes.k[place].mean() for place in whole]).log10(),
    )


def _share(inside: Float[Tensor, "*B m"]) -> Float[Tensor, "*B"]:
    """Sum of the shares of some waves; NaN if the grid has none of them."""
    return inside.sum(-1) if inside.shape[-1] else torch.full_like(inside.sum(-1), torch.nan)


def _roll_off(share: Float[Tensor, "*B A"], edges: Float[Tensor, "A+1"]) -> Float[Tensor, "*B"]:
    """The wavenumber below which 85 % of the variance lies, linear inside the annulus."""
    below = torch.cat([torch.zeros_like(share[..., :1]), share.cumsum(-1)], -1)
    target = ROLL_OFF * below[..., -1:]
    inside = (below[..., 1:] < target).sum(-1, keepdim=True)
    part = (target - below.gather(-1, inside)) / share.gather(-1, inside)
    width = edges.diff()[inside]
    return (edges[inside] + part * width)[..., 0]
