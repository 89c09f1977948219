"""TEMPORAL, optional group structural: how one field resembles itself at a distance, 8 columns.

z is the field of one channel, standardized over the domain; ⟨·⟩ the mean over the domain. All
distances are fixed shares of the domain. C(r) = ⟨z(x) z(x + r)⟩, averaged over all directions of r
and so a function of the spectrum, Σ P_k J0(2π k r). A grid that has not a lag has no column of it.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from scipy import special
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields, Modes, ascending
from spinlock.features.numerics import NOISE, root, slope
from spinlock.features.temporal import filters
from spinlock.features.temporal.spatial import FLAT

LAGS = tuple(2.0 ** (j / 4) for j in range(-36, -3))  # from 1/512 to 1/2, where C is followed
SHORT = (16, 24)  # places in LAGS of 1/32 and 1/8, between which the exponent is measured
TEXTURE = 16  # the lag of the texture is 1 / 16
QUARTER = 4  # that of the self-similarity 1 / 4
WIDTH = 1 / 16  # standard deviation of local averages
STEEP = 10  # edges are the steepest 1 / 10 of the domain
CONTRAST = 0.01  # of the variance: what does not count


def compute(fields: Fields) -> Float[Tensor, "*B C 8"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined."""
    found = _correlation(fields) | _edges(fields)
    found |= {"homogeneity": _homogeneity(fields.z), "self_similarity": _self_similarity(fields)}
    return fields.masked(torch.stack([found[statistic(column)] for column in COLUMNS], -1))


@lru_cache(maxsize=16)
def _bessel(modes: Modes) -> tuple[tuple[Tensor, ...], Float[Tensor, "L"]]:
    """1 − J0(2π k r) of every wave, by lag, and the octaves of the lags."""
    k = modes.k.double().cpu().numpy()
    lags = torch.tensor(LAGS, dtype=torch.float64)
    weights = [torch.from_numpy(1 - special.j0(2 * torch.pi * k * r)) for r in LAGS]
    return tuple(weight.to(modes.k) for weight in weights), lags.log2().to(modes.k)


def _correlation(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    weights, octave = _bessel(fields.modes)
    apart = torch.stack([(fields.power * weight).sum(-1) for weight in weights], -1)
    short = slice(SHORT[0], SHORT[1] + 1)
    log = (2 * apart[..., short] + NOISE).log2()
    inverse = (fields.power / fields.modes.k).sum(-1)
    return {
        "structure_exponent": slope(log, octave[short]),
        "correlation_length": _first_fall(apart, octave),
        "integral_scale": inverse.log10(),
        "correlation_minimum": 1 - apart.amax(-1),
    }


def _first_fall(apart: Float[Tensor, "*B L"], octave: Float[Tensor, "L"]) -> Float[Tensor, "*B"]:
    """log10 of the lag where C = 1 − apart first falls to 1/e, linear in log r between lags."""
    level = 1 - torch.e**-1
    after = (apart >= level).int().argmax(-1, keepdim=True).clamp(min=1)
    high, low = apart.gather(-1, after), apart.gather(-1, after - 1)
    rises = high > low
    part = torch.where(rises, (level - low) / torch.where(rises, high - low, 1), 0).clamp(0, 1)
    place = octave[after - 1] + part * (octave[after] - octave[after - 1])
    return place[..., 0] * float(torch.tensor(2.0, dtype=torch.float64).log10())


def _homogeneity(z: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B"]:
    if z.shape[-1] % TEXTURE:
        return torch.full_like(z[..., 0, 0], torch.nan)
    lag = z.shape[-1] // TEXTURE
    both = [(1 + (z - z.roll(lag, axis)).square()).reciprocal() for axis in (-2, -1)]
    return ((both[0] + both[1]) / 2).mean((-2, -1))


def _edges(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    dy, dx = fields.gradient
    yy, xx = fields.squared_gradient
    square = yy + xx
    total = square.mean((-2, -1)) + FLAT
    response = filters.gaussian(fields.size, WIDTH, square.device, square.dtype)
    difference, cross = (
        filters.apply(filters.transform(part), response) for part in (xx - yy, 2 * dx * dy)
    )
    steep = ascending(square.flatten(-2))[..., -round(fields.size**2 / STEEP) :]
    return {
        "orientation_coherence": root(difference.square() + cross.square()).mean((-2, -1)) / total,
        "edge_share": steep.sum(-1) / fields.size**2 / total,
    }


def _self_similarity(fields: Fields) -> Float[Tensor, "*B C"]:
    """Mean local similarity of the field and itself, a quarter of the domain along y or x.

    Structural similarity without its local means: these have both signs here, and two negative
    factors would make opposites similar.
    """
    z, size = fields.z, fields.size
    if size % QUARTER:
        return torch.full_like(fields.mean, torch.nan)
    response = filters.gaussian(size, WIDTH, z.device, z.dtype)
    square = filters.apply(filters.transform(z.square()), response)
    found = []
    for axis in (-2, -1):
        lag = size // QUARTER
        product = filters.apply(filters.transform(z * z.roll(lag, axis)), response)
        both = square + square.roll(lag, axis)
        found.append(((2 * product + CONTRAST) / (both + CONTRAST)).mean((-2, -1)))
    return (found[0] + found[1]) / 2


COLUMNS = columns(
    "temporal.structural",
    (
        Line(
            "structure_exponent",
            "least-squares slope of log(2 - 2 C(r) + 1e-11) on log r, from 1/32 to 1/8",
            "1",
            "Kolmogorov 1941; Matheron 1963",
            "smooth (2) from rough (below 1) from uncorrelated or regular (0 and below)",
            -math.inf,
            2,
        ),
        Line(
            "correlation_length",
            "log10 r, C(r) = 1/e for the first time, linear in log r between lags of 1/4 octave",
            "log10 domains",
            "Matheron 1963, range",
            "the size of the things to be seen",
            -2.71,
            -0.5,
        ),
        Line(
            "integral_scale",
            "log10 sum P_k / k, 2 pi times the integral of C(r) dr",
            "log10 domains",
            "Batchelor 1953",
            "large structures beneath small ones, which fill the gradients",
            -math.inf,
            0,
        ),
        Line(
            "correlation_minimum",
            "min C(r), r = 2^(-9), 2^(-8.75) ... 1/2",
            "1",
            "after Swift & Hohenberg 1977",
            "patterns with a wavelength (to -0.4) from patches of no fixed distance (0)",
            -0.41,
            0.37,
        ),
        Line(
            "homogeneity",
            "<1 / (1 + (z(x) - z(x + r))^2)>, r = 1/16, mean of both axes",
            "1",
            "Haralick et al. 1973",
            "plateaus with sharp borders from slopes of equal mean square difference",
            0,
            1,
        ),
        Line(
            "orientation_coherence",
            "<sqrt((J_xx - J_yy)^2 + 4 J_xy^2)> / <J_xx + J_yy>, J_ij = d_i z d_j z, averaged with"
            " a Gaussian of deviation 1/16",
            "1",
            "Bigun & Granlund 1987; Kass & Witkin 1987",
            "labyrinths and fronts, which run one way in each place, from spots",
            0,
            1,
        ),
        Line(
            "edge_share",
            "share of <|grad z|^2> in the tenth of the domain where it is largest",
            "1",
            "after Lorenz 1905",
            "fronts between calm domains from ripples everywhere",
            0,
            1,
        ),
        Line(
            "self_similarity",
            "<(2 [z z'] + 0.01) / ([z^2] + [z'^2] + 0.01)>, z' = z(x + r), r = 1/4, [.] an average"
            " with a Gaussian of deviation 1/16, mean of both axes",
            "1",
            "after Wang et al. 2004, SSIM",
            "textures that repeat, place by place, from mere correlation",
            -1,
            1,
        ),
    ),
    Laws(),
)
