"""TEMPORAL, optional group multiscale: one field seen at several resolutions, 9 columns.

z is the field of one channel, standardized over the domain; ⟨·⟩ the mean over the domain. b_j is
its part in the octave 2^(j-1) ≤ k < 2^j cycles per domain, j = 1 … 4: undecimated Shannon wavelets,
which (other than decimated ones) know no origin. Lags and boxes are fixed shares of the domain. A
grid whose size is no multiple of 32 has no columns.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields, Modes, ascending
from spinlock.features.numerics import slope
from spinlock.features.temporal import filters
from spinlock.features.temporal.spatial import ATOM, SIXTEENTHS, quantiles

OCTAVES = (1.0, 2.0, 4.0, 8.0, 16.0)  # edges, cycles per domain
FINEST = 32  # cells per axis that resolve them; lags of 1/32, 1/16, 1/8 are whole numbers of cells
EMPTY = 1e-9  # of the variance: what an octave has if it has nothing, with a margin
FAINT = 1e-3  # the same of the variance of its energy
LAGS = (32, 16, 8)  # one over
BOXES = (1 / 32, 1 / 16, 1 / 8, 1 / 4)  # sides
SIDES = (16, 8, 4)  # one over


def compute(fields: Fields) -> Float[Tensor, "*B C 9"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined."""
    if fields.size % FINEST:
        return torch.full_like(fields.mean, torch.nan)[..., None].expand(
            *fields.mean.shape, len(COLUMNS)
        )
    octaves = [_octave(fields, j) for j in range(len(OCTAVES) - 1)]
    found = _intermittency(octaves) | _together(octaves) | _lacunarity(fields)
    found |= {
        "coarse_entropy": _entropy(octaves[0] + octaves[1]),
        "roughness": _roughness(fields.z),
        "interface_dimension": _interface_dimension(fields.z.detach() > 0).to(fields.z),
    }
    return fields.masked(torch.stack([found[statistic(column)] for column in COLUMNS], -1))


def _octave(fields: Fields, j: int) -> Float[Tensor, "*B C H W"]:
    edges = OCTAVES[j], OCTAVES[j + 1]
    response = filters.band(fields.size, *edges, fields.z.device, fields.z.dtype)
    return filters.apply(fields.spectrum, response)


def _intermittency(octaves: list[Float[Tensor, "*B H W"]]) -> dict[str, Float[Tensor, "*B"]]:
    """Flatness of every octave, that of a Gaussian field (3) where it is empty."""
    found = []
    for octave in octaves:
        square = octave.square()
        fourth, second = square.square().mean((-2, -1)), square.mean((-2, -1))
        found.append((fourth + 3 * EMPTY**2) / (second + EMPTY).square())
    log = torch.stack(found, -1).log10()
    place = torch.arange(log.shape[-1], dtype=log.dtype, device=log.device)
    return {"flatness": log.mean(-1), "intermittency": slope(log, place)}


def _together(octaves: list[Float[Tensor, "*B H W"]]) -> dict[str, Float[Tensor, "*B"]]:
    """How the energies of the octaves share the domain."""
    squares = [octave.square() for octave in octaves]
    deviations, spreads = [], []
    for square in squares:
        mean = square.mean((-2, -1), keepdim=True)
        deviations.append((square - mean) / (mean + EMPTY))
        spreads.append(deviations[-1].square().mean((-2, -1)) + FAINT)
    total = sum(squares[1:], squares[0]) + len(squares) * ATOM
    coupling, entropy = [], torch.zeros_like(spreads[0])
    for j, square in enumerate(squares):
        share = (square + ATOM) / total
        entropy = entropy - (share * share.log()).mean((-2, -1))
        if j:
            covariance = (deviations[j - 1] * deviations[j]).mean((-2, -1))
            coupling.append(covariance / (spreads[j - 1] * spreads[j]).sqrt())
    return {
        "octave_coupling": torch.stack(coupling, -1).mean(-1),
        "local_entropy": entropy / math.log(len(squares)),
    }


def _entropy(coarse: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B"]:
    """Quantile entropy of a field after division by its deviation; NaN where it is empty."""
    square = coarse.square().mean((-2, -1), keepdim=True)
    exists = square.detach() > EMPTY
    scaled = torch.where(exists, coarse, 0) / torch.where(exists, square, 1).sqrt()
    even = quantiles(ascending(scaled.flatten(-2)), SIXTEENTHS)
    value = (16 * even.diff(dim=-1) + ATOM).log().mean(-1)
    return torch.where(exists[..., 0, 0], value, torch.nan)


@lru_cache(maxsize=16)
def _box(modes: Modes) -> tuple[tuple[Tensor, ...], Float[Tensor, "S"]]:
    """Share of the power of every wave in means over boxes, by side; octaves of the sides."""
    k = modes.k.double()
    x, y = (k * ((1 + sign * modes.cos2.double()).clamp(min=0) / 2).sqrt() for sign in (1, -1))
    weights = [(torch.sinc(side * x) * torch.sinc(side * y)).square() for side in BOXES]
    octave = torch.tensor(BOXES, dtype=torch.float64).log2()
    return tuple(weight.to(modes.k) for weight in weights), octave.to(modes.k)


def _lacunarity(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    """Of the mass z^2 (its mean is 1) in a box of any place: <m^2> / <m>^2."""
    modes = fields.modes
    spectrum = filters.transform(fields.z.square()).flatten(-2)[..., modes.order]
    power = modes.weight * (spectrum.real.square() + spectrum.imag.square())
    weights, octave = _box(modes)
    log = torch.stack([(power * weight).sum(-1) for weight in weights], -1).log1p()
    return {
        "lacunarity": log[..., BOXES.index(1 / 8)] / math.log(10),
        "lacunarity_slope": slope(log, octave) / math.log(2),
    }


def _roughness(z: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B"]:
    size, means = z.shape[-1], []
    for lag in LAGS:
        both = [(z - z.roll(size // lag, axis)).abs().mean((-2, -1)) for axis in (-2, -1)]
        means.append(both[0] + both[1] + ATOM)
    octave = -torch.tensor(LAGS, dtype=z.dtype, device=z.device).log2()
    return slope(torch.stack(means, -1).log2(), octave)


def _interface_dimension(positive: Bool[Tensor, "*B H W"]) -> Float[Tensor, "*B"]:
    """2 − the exponent with which the share of boxes that an interface crosses grows."""
    reach, shares = positive.shape[-1] // SIDES[0], []
    both = [_spread(sign, reach) for sign in (positive, ~positive)]
    for _ in SIDES:
        shares.append((both[0] & both[1]).double().mean((-2, -1)))
        both = [_doubled(sign, reach) for sign in both]
        reach *= 2
    octave = -torch.tensor(SIDES, dtype=torch.float64, device=positive.device).log2()
    return 2 - slope(torch.stack(shares, -1).log2(), octave)


def _spread(inside: Bool[Tensor, "*B H W"], reach: int) -> Bool[Tensor, "*B H W"]:
    """Whether any cell is inside, of a square of reach + 1 cells per axis."""
    for axis in (-2, -1):
        found = inside
        for step in range(1, reach + 1):
            found = found | inside.roll(step, axis)
        inside = found
    return inside


def _doubled(found: Bool[Tensor, "*B H W"], reach: int) -> Bool[Tensor, "*B H W"]:
    """What `_spread` finds with twice the reach, from what it found."""
    for axis in (-2, -1):
        found = found | found.roll(reach, axis)
    return found


COLUMNS = columns(
    "temporal.multiscale",
    (
        Line(
            "flatness",
            "mean over j of log10 F_j, F_j = (<b_j^4> + 3e-18) / (<b_j^2> + 1e-9)^2",
            "decades",
            "Kennedy & Corrsin 1961",
            "events in space (large) from noise (0.48) from regular waves (small) at any scale",
            -0.13,
        ),
        Line(
            "intermittency",
            "least-squares slope of log10 F_j on j",
            "decades per octave",
            "Frisch & Morf 1981",
            "fine structure that is rarer than coarse structure",
        ),
        Line(
            "octave_coupling",
            "mean over j = 2, 3, 4 of <e_(j-1) e_j> / sqrt((<e_(j-1)^2> + 1e-3) (<e_j^2> + 1e-3)),"
            " e_j = (b_j^2 - <b_j^2>) / (<b_j^2> + 1e-9)",
            "1",
            "after Yoshimatsu et al. 2009",
            "fine structure where the coarse one is strong: fronts and lone things",
            -1,
            1,
        ),
        Line(
            "local_entropy",
            "<-sum p_j ln p_j> / ln 4, p_j = (b_j^2 + 1e-6) / sum (b_i^2 + 1e-6)",
            "1",
            "after Rosso et al. 2001",
            "places with structure of one size, though others may have another",
            0,
            1,
        ),
        Line(
            "coarse_entropy",
            "mean over i = 1 ... 16 of ln(16 (q(i/16) - q((i-1)/16)) + 1e-6), q the quantiles of"
            " b_1 + b_2 over its deviation",
            "nats",
            "Vasicek 1976; after Costa et al. 2002",
            "order that survives coarse-graining: domains from noise",
        ),
        Line(
            "lacunarity",
            "log10(<m^2> / <m>^2), m the integral of z^2 over a square of side 1/8 at any place",
            "decades",
            "Allain & Cloitre 1991",
            "gaps as large as the square",
            0,
        ),
        Line(
            "lacunarity_slope",
            "slope of log(<m^2> / <m>^2) on the log of the side, from 1/32 to 1/4",
            "1",
            "Allain & Cloitre 1991",
            "gaps of one size (steep) from gaps of all sizes (even, small)",
        ),
        Line(
            "roughness",
            "slope of log(<|z(x) - z(x + r)|> + 5e-7) on log r, r = 1/32, 1/16, 1/8, both axes",
            "1",
            "Higuchi 1988",
            "graphs of dimension 2 (slope 1) from ones of dimension 3 (slope 0)",
        ),
        Line(
            "interface_dimension",
            "2 - slope of log N(r) on log r, N the share of squares of side r where z changes its"
            " sign, r = 1/16, 1/8, 1/4",
            "1",
            "Bouligand 1928",
            "smooth interfaces (1) from convoluted ones and those that fill the domain (2)",
            0,
            2,
        ),
    ),
    Laws(rough={"interface_dimension"}),
)
