"""INITIAL: fourteen numbers that describe an initial condition.

Each is computed for one channel and averaged over the channels. Shapes and statistics are those
of the field on a fixed grid of 32², reached by truncating or padding its Fourier series, so that
they do not depend on the grid; only the wavenumbers are read from the field as it is. Nothing
depends on where the origin lies, nor on the sign, offset or scale of the field. Computed in
float64, so that the batch cannot reach a digit of the float32 result.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features import initial_information as information
from spinlock.features import initial_morphology as morphology
from spinlock.features import initial_spectrum as spectrum
from spinlock.features.declare import Laws, Line, columns

GRID = 32  # points per axis of the analysis: wavenumbers up to 15 cycles per domain
SMALLEST_DEVIATION = 1e-6  # of the largest value; a flatter field is float32 rounding


def features(u0: Float[Tensor, "*batch C H W"]) -> Float[Tensor, "*batch 14"]:
    """Describe initial conditions, columns as in `COLUMNS`.

    A channel that is constant, not finite or without a wave below 16 cycles per domain has no
    features; the mean is over the other channels. NaN where every channel is so.

    Raises:
        ValueError: the grid is not square.
    """
    if u0.shape[-2] != u0.shape[-1]:
        raise ValueError(f"features: the grid must be square, got {tuple(u0.shape[-2:])}")
    fields = u0.detach().double().flatten(0, -3)
    defined = varies(fields)
    fields = torch.where(defined[:, None, None], fields, _stand_in(fields))
    values = _per_channel(fields).masked_fill(~defined[:, None], torch.nan)
    return values.unflatten(0, u0.shape[:-2]).nanmean(-2).to(u0.dtype)


def varies(fields: Float[Tensor, "B H W"]) -> Bool[Tensor, "B"]:
    """Whether a field is finite and, on the grid of the analysis, more than rounding errors."""
    finite = fields.isfinite().all(-1).all(-1)
    spread = resample(fields, GRID).std((-2, -1), correction=0)
    return finite & (spread > SMALLEST_DEVIATION * fields.abs().amax((-2, -1)))


def _stand_in(fields: Float[Tensor, "B H W"]) -> Float[Tensor, "H W"]:
    """Any field with finite features, computed and thrown away where there are none."""
    points = torch.arange(fields.shape[-1], dtype=fields.dtype, device=fields.device)
    return torch.cos(2 * torch.pi * points / fields.shape[-1]).expand(fields.shape[-2:])


def _per_channel(fields: Float[Tensor, "B H W"]) -> Float[Tensor, "B 14"]:
    shells = spectrum.shells(fields)
    z = standardize(resample(fields, GRID))
    peak = anchor(z)
    sign = morphology.excursions(z)
    count, largest = morphology.clusters(sign)
    levels = information.levels(z)
    found = (
        count,
        largest,
        morphology.morans_i(z),
        morphology.centroid_distance(z),
        spectrum.dominant_wavenumber(shells),
        spectrum.centroid(fields),
        spectrum.power_law_exponent(spectrum.shells(z)),
        information.entropy(levels),
        information.local_entropy_variance(levels),
        information.lempel_ziv_complexity(peak > 0),
        information.predictability(levels),
        morphology.area_density(sign),
        morphology.radial_gradient(peak),
        morphology.rotational_symmetry(z),
    )
    return torch.stack([column.to(fields) for column in found], dim=-1)


def resample(fields: Float[Tensor, "B H W"], size: int) -> Float[Tensor, "B size size"]:
    """Evaluate the Fourier series, wavenumbers below size / 2, on a grid of size²."""
    current = fields.shape[-1]
    if current == size:
        return fields
    reach = (min(current, size) - 1) // 2
    waves = torch.arange(-reach, reach + 1, device=fields.device)
    modes = torch.fft.fft2(fields, norm="forward")
    spectrum_of = modes.new_zeros(*fields.shape[:-2], size, size)
    spectrum_of[..., waves[:, None], waves] = modes[..., waves[:, None], waves]
    return torch.fft.ifft2(spectrum_of, norm="forward").real


def standardize(fields: Float[Tensor, "B H W"]) -> Float[Tensor, "B H W"]:
    """Deviation from the mean in units of the standard deviation over the domain."""
    deviation = fields - fields.mean((-2, -1), keepdim=True)
    return deviation / deviation.square().mean((-2, -1), keepdim=True).sqrt()


def anchor(z: Float[Tensor, "B H W"]) -> Float[Tensor, "B H W"]:
    """Translate the largest deviation to the origin, and make it positive.

    The anchor of everything that needs one: the circular centroid of a sum of waves does not
    exist (its resultant is zero), the peak does, and where several are equal so are their views.
    """
    size = z.shape[-1]
    at = z.abs().flatten(1).argmax(-1)
    points = torch.arange(size, device=z.device)
    rows = (points + (at // size)[:, None]) % size
    columns = (points + (at % size)[:, None]) % size
    moved = z.gather(1, rows[:, :, None].expand_as(z)).gather(2, columns[:, None, :].expand_as(z))
    return moved * moved[:, :1, :1].sign()


LINES = (
    Line(
        "morphology.cluster_count",
        "periodic 4-connected components of z >= 1 - 1e-5 and of z <= -1 + 1e-5",
        "per domain",
        "Rosenfeld & Pfaltz 1966",
        "many small structures from few large ones",
        low=1,
        high=GRID**2,
    ),
    Line(
        "morphology.largest_cluster_fraction",
        "area of the largest of these components / area of all",
        "1",
        "Stauffer & Aharony 1994",
        "one structure that rules (1) from many of equal size",
        low=0,
        high=1,
    ),
    Line(
        "spatial.morans_i",
        "<z(x) z(x + e)> over the four neighbors at 1/32 of the domain",
        "1",
        "Moran 1950",
        "smooth starts (1) from white noise (0) and checkerboards (-1)",
        low=-1,
        high=1,
    ),
    Line(
        "spatial.centroid_distance",
        "rms chord from the circular mean, weight z^2: sqrt(4 - 2 R_y - 2 R_x) / 2 pi",
        "domain",
        "Batschelet 1981",
        "one place that holds the energy (0) from energy everywhere",
        low=0,
        high=1 / math.pi,
    ),
    Line(
        "spectral.dominant_wavenumber",
        "argmax over b >= 1 of the power in b - 1/2 <= k < b + 1/2",
        "cycles per domain",
        "Pope 2000",
        "the size of the strongest pattern",
        low=1,
    ),
    Line(
        "spectral.centroid",
        "sum k P_k / sum P_k, k > 0",
        "cycles per domain",
        "Peeters 2004",
        "coarse starts from fine ones, all scales counted",
        low=1,
    ),
    Line(
        "spectral.power_law_exponent",
        "least-squares slope on ln b of ln(P_b + 1e-6 P), P_b the mean power of the modes in shell "
        "b = 1 ... 15, P that of all shells",
        "1",
        "Field 1987",
        "smooth starts (steep) from rough ones, scale by scale",
    ),
    Line(
        "information.entropy",
        "-sum p log2 p over 17 classes of z of width 1/2",
        "bits",
        "Shannon 1948",
        "a few levels or a calm background from values spread out",
        low=0,
        high=math.log2(information.CLASSES),
    ),
    Line(
        "information.local_entropy_variance",
        "variance over x of the entropy inside the square of side 1/4 at x",
        "bits^2",
        "after Shannon 1948",
        "structure in some places from structure everywhere alike (0)",
        low=0,
        high=math.log2(information.CLASSES) ** 2 / 4,
    ),
    Line(
        "information.lempel_ziv_complexity",
        "c log2(c) / n for c phrases of z > 0, mean of row and column scans from the peak",
        "bits per point",
        "Ziv & Lempel 1978",
        "repeated patterns from irregular ones, whatever their shape",
        low=45 * math.log2(45) / GRID**2,  # phrases of a constant: 1 + 2 + ... + 44 < n
        high=181 * math.log2(181) / GRID**2,  # all 126 of up to six bits, 55 longer ones
    ),
    Line(
        "information.lag1_predictability",
        "mutual information of the classes of neighbors / their entropy, mean of both axes",
        "1",
        "Theil 1970",
        "neighbors that follow from each other (1), in any way, from noise (0)",
        low=0,
        high=1,
    ),
    Line(
        "morphology.area_density",
        "share of the domain where |z| >= 1 - 1e-5",
        "1",
        "Adler 1981",
        "narrow structures on a calm background (0) from two phases (1)",
        low=0,
        high=1,
    ),
    Line(
        "spatial.radial_gradient",
        "least-squares slope of z on the distance from its peak, up to 1/4 of the domain",
        "standard deviations per domain",
        "ours",
        "a sharp peak (negative, large) from a flat top",
    ),
    Line(
        "spatial.rotational_symmetry",
        "max over a of <z(x) z(a + rot90 x)>",
        "1",
        "after Zabrodsky et al. 1995",
        "spots and square lattices (1) from stripes (0)",
        low=0,
        high=1,
    ),
)
# u0 is given: no loss asks for a gradient, and labels and counts have none; scans know rows
# from columns, and forward from backward
COLUMNS = columns(
    "initial",
    LINES,
    Laws(
        rough={line.statistic for line in LINES},
        rotation={"information.lempel_ziv_complexity": "other"},
    ),
)
