"""TEMPORAL, group spatial: distribution, gradient and curvature of one field, 24 columns.

z is the field of one channel, standardized over the domain; ⟨·⟩ the mean over the domain; the
columns are averaged over the channels. All but `mean` and `deviation` know no offset and no scale.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import statistic
from spinlock.features.fields import Fields
from spinlock.features.numerics import NOISE, root
from spinlock.features.temporal.spatial_columns import COLUMNS

SIXTEENTHS = tuple(j / 16 for j in range(17))
TAILS = (0.01, 0.05, 0.95, 0.99)
SCALE = 2 * torch.pi  # from radians to cycles per domain
FLAT = NOISE * SCALE**2  # added to a mean square gradient: that of rounding
ATOM = 1e-6  # deviations; added to a distance of quantiles, which may be zero


def compute(fields: Fields) -> Float[Tensor, "*B C 24"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined."""
    found = _moments(fields) | _order(fields) | _gradient(fields) | _curvature(fields)
    shape = torch.stack([found[statistic(column)] for column in COLUMNS[1:]], -1)
    mean = torch.where(fields.mean.isfinite(), fields.mean, torch.nan)
    return torch.cat([mean[..., None], fields.masked(shape)], -1)


def _mean(x: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B"]:
    return x.mean((-2, -1))


def _moments(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    z = fields.z
    square = z.square()
    return {
        "deviation": fields.deviation.log10(),
        "skewness": _mean(square * z),
        "kurtosis": _mean(square.square()) - 3,
        "absolute_deviation": _mean(z.abs()),
        "crossing_density": _crossings(z),
    }


def _crossings(z: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B"]:
    above = z > 0
    changes = [(above ^ above.roll(1, axis)).sum((-2, -1)) for axis in (-2, -1)]
    return (changes[0] + changes[1]).to(z.dtype) / (2 * z.shape[-1])


def quantiles(ascending: Float[Tensor, "*B M"], levels: tuple[float, ...]) -> Float[Tensor, "*B L"]:
    """Quantiles of sorted values, linear between neighbors (Hyndman & Fan 1996, type 7)."""
    place = torch.tensor(levels, dtype=torch.float64) * (ascending.shape[-1] - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=ascending.shape[-1] - 1)
    share = (place - below).to(ascending)
    low, high = (ascending[..., index.to(ascending.device)] for index in (below, above))
    return low + share * (high - low)


def _order(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    found = quantiles(fields.ascending, SIXTEENTHS + TAILS)
    even, tails = found[..., :17], found[..., 17:]
    lower, middle, upper = (even[..., j] for j in (4, 8, 12))
    width = upper - lower + ATOM
    return {
        "median": middle,
        "minimum": even[..., 0],
        "maximum": even[..., -1],
        "quantile_05": tails[..., 1],
        "quantile_95": tails[..., 2],
        "interquartile_range": upper - lower,
        "quartile_skewness": (upper + lower - 2 * middle) / width,
        "tail_weight": ((tails[..., 3] - tails[..., 0] + ATOM) / width).log10(),
        "entropy": (16 * even.diff(dim=-1) + ATOM).log().mean(-1),
    }


def _gradient(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    dy, dx = fields.gradient
    yy, xx = fields.squared_gradient
    along_y, along_x, cross = _mean(yy), _mean(xx), _mean(dx * dy)
    square = yy + xx
    mean_square = along_y + along_x + FLAT
    return {
        "gradient_scale": mean_square.sqrt().log10() - _log10(SCALE),
        "gradient_mean": _mean((square + FLAT).sqrt()) / mean_square.sqrt(),
        "gradient_kurtosis": ((_mean(square.square()) + FLAT**2) / mean_square.square()).log10(),
        "gradient_maximum": ((square.amax((-2, -1)) + FLAT) / mean_square).sqrt().log10(),
        "gradient_height": _mean(fields.z * square) / mean_square,
        "gradient_anisotropy": root((along_x - along_y).square() + 4 * cross.square())
        / mean_square,
    }


def _curvature(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    yy, xx = fields.squared_gradient
    mean_square_gradient = _mean(yy) + _mean(xx) + FLAT
    square = fields.laplacian.square()
    mean_square = _mean(square)
    scale = (mean_square / mean_square_gradient).sqrt()
    return {
        "laplacian_scale": scale.log10() - _log10(SCALE),
        "laplacian_skewness": _mean(square * fields.laplacian) / (mean_square * mean_square.sqrt()),
        "laplacian_kurtosis": (_mean(square.square()) / mean_square.square()).log10(),
    }


def _log10(x: float) -> float:
    return float(torch.tensor(x, dtype=torch.float64).log10())
