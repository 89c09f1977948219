"""Sums over the large waves of a trajectory, channels and steps: what group causality is made of.

v_a(t) is the part of channel a with wavenumbers 1 ≤ k < 8 (below the Nyquist wavenumber, on a grid
that has less), x_a = v_a minus its mean over the steps, place by place, d_a(t) = v_a(t + 1) −
v_a(t); ⟨·⟩ is the mean over domain and steps. Means over space are sums over waves (Parseval), so
the waves of each field, already transformed, are all that is needed: the grid has no say, and no
pass over the fields is made. All in float64.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from spinlock.features.fields import Fields, modes

BAND = 8.0  # cycles per domain
COARSE = 5.0  # of the third moments
POINTS = 13  # per axis: three waves with components of at most 4 do not alias into the mean
LAGS = (1, 2, 3)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Waves:
    """The M waves with 1 ≤ k < 8 of a grid, in ascending order of k; m of them have k < 5."""

    place: slice  # among all
    vector: Float[Tensor, "2 M"]  # radians per domain, (y, x)
    direction: Float[Tensor, "2 M"]  # of length 1
    coarse: Float[Tensor, "2m P"]  # from √2 (Re, Im) of the first waves to values at points


@lru_cache(maxsize=16)
def waves(size: int, device: torch.device) -> Waves:
    """The waves of a grid of size²."""
    known = modes(size, torch.device("cpu"), torch.float64)
    place = known.slice(1.0, min(BAND, size / 2))
    slopes = (known.d_dy, known.d_dx)
    vector = torch.stack([slope.imag.flatten()[known.order[place]] for slope in slopes])
    few = vector[:, : known.slice(1.0, min(COARSE, size / 2)).stop, None, None]
    points = torch.arange(POINTS, dtype=torch.float64) / POINTS
    phase = few[0] * points[:, None] + few[1] * points
    shapes = math.sqrt(2) * torch.stack([phase.cos(), -phase.sin()], 1)
    return Waves(
        place=place,
        vector=vector.to(device),
        direction=(vector / (2 * torch.pi * known.k[place])).to(device),
        coarse=shapes.reshape(2 * few.shape[1], POINTS**2).to(device),
    )


def of_fields(fields: Fields) -> Float[Tensor, "B K"]:
    """Of each channel √2 (Re, Im) of the waves of z, 0 where z is undefined; deviation; mean."""
    order = fields.modes.order[waves(fields.size, fields.z.device).place]
    found = fields.spectrum.flatten(-2).index_select(-1, order)
    parts = torch.where(fields.defined[..., None, None], torch.view_as_real(found), 0)
    deviation = torch.where(fields.defined, fields.deviation, 0)
    scaled = parts.flatten(-2) * math.sqrt(2)
    return torch.cat([scaled, deviation[..., None], fields.mean[..., None]], -1).flatten(-2)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sums:
    """Of some trajectories; 0 where there are too few steps."""

    level: Float[Tensor, "*B C"]  # ⟨u²⟩
    power: Float[Tensor, "*B C"]  # ⟨v²⟩
    variance: Float[Tensor, "*B C"]  # ⟨x²⟩
    lagged: Float[Tensor, "*B 3 C C"]  # sum over t of ⟨x_a(t + l) x_b(t)⟩, over T; l = 1, 2, 3
    change: Float[Tensor, "*B 3 C"]  # sum over t of ⟨(x_a(t + l) − x_a(t))²⟩, over T
    gram: Float[Tensor, "*B 3C 3C"]  # ⟨·⟩ of products of d_a(t), v_a(t) and d_a(t − 1)
    third: Float[Tensor, "*B 4 C"]  # of k < 5: ⟨x²⟩, ⟨d²⟩, ⟨x(t + 1) x(t) d(t)⟩, ⟨d³⟩
    transport: Float[Tensor, "*B 3 M"]  # of each wave of z, see `_transport`


def measure(numbers: Float[Tensor, "*B T K"], channels: int, size: int) -> Sums:
    """Sum over each trajectory alone, so that the others cannot change a bit of it.

    Args:
        numbers: `of_fields` of each step, finite.
        channels: C.
        size: cells per axis of the fields.
    """
    known = waves(size, numbers.device)
    steps, width = numbers.shape[-2:]
    each = numbers.reshape(-1, steps, channels, width // channels)
    return _stack([_of_one(one, known) for one in each], numbers.shape[:-2])


def _stack(parts: Sequence[Sums], batch: Sequence[int]) -> Sums:
    names = [field.name for field in fields(Sums)]
    stacked = {name: torch.stack([getattr(part, name) for part in parts]) for name in names}
    return Sums(**{name: x.reshape(*batch, *x.shape[1:]) for name, x in stacked.items()})


def _of_one(numbers: Float[Tensor, "T C K"], known: Waves) -> Sums:
    by_channel = numbers.transpose(0, 1)
    z = by_channel[..., :-2].to(torch.float64, memory_format=torch.contiguous_format)
    scale, mean = by_channel[..., -2].double(), by_channel[..., -1].double()
    v, z_square = z * scale[..., None], z.square()
    x, d = v - v.mean(1, keepdim=True), v.diff(dim=1)
    rows = torch.cat([d[:, 1:], v[:, 1:-1], d[:, :-1]])
    lagged, change = _lagged(x)
    coarse = x[..., : len(known.coarse)].to(numbers.dtype)
    return Sums(
        level=(scale.square() + mean.square()).mean(-1),
        power=(z_square.sum(-1) * scale.square()).mean(-1),
        variance=change[0],
        lagged=lagged,
        change=change[1:],
        gram=_products(rows, rows) / max(1, rows.shape[1]),
        third=_third_moments(coarse, known.coarse.to(numbers.dtype)),
        transport=_transport(z, z_square, scale > 0),
    )


def _products(a: Float[Tensor, "i n W"], b: Float[Tensor, "j n W"]) -> Float[Tensor, "i j"]:
    return a.flatten(1) @ b.flatten(1).T


def _lagged(x: Float[Tensor, "C T W"]) -> tuple[Float[Tensor, "3 C C"], Float[Tensor, "4 C"]]:
    """Products at lags, and ⟨x²⟩ and the squares of changes over lags; sums over t, over T."""
    steps = x.shape[1]
    products = torch.stack([_products(x[:, lag:], x[:, :-lag]) for lag in LAGS]) / steps
    square = x.square().sum(-1) / steps
    ends = [(square[:, lag:] + square[:, :-lag]).sum(-1) for lag in LAGS]
    change = torch.stack(ends) - 2 * products.diagonal(dim1=-2, dim2=-1)
    return products, torch.cat([square.sum(-1)[None], change])


def _third_moments(x: Float[Tensor, "C T w"], to_points: Float[Tensor, "w P"]) -> Tensor:
    points = x @ to_points
    d = points.diff(dim=1)
    rise, cube = points[:, 1:] * points[:, :-1] * d, d * d * d
    second = [_mean(part.double().square()) * part.shape[-1] for part in (x, x.diff(dim=1))]
    return torch.stack([*second, _mean(rise), _mean(cube)])


def _mean(x: Float[Tensor, "C n P"]) -> Float[Tensor, "C"]:
    """Mean over steps and points, 0 if there is none."""
    return x.sum((-2, -1), dtype=torch.float64) / max(1, x[0].numel())


def _transport(
    z: Float[Tensor, "C T W"], square: Float[Tensor, "C T W"], exists: Bool[Tensor, "C T"]
) -> Float[Tensor, "3 M"]:
    """Sums over channels and steps of Im z* z', |z + z'|² / 4 and (|z|² + |z'|²) / 2.

    z = z(t) and z' = z(t + 1) are the amplitudes of a wave, where the fields of both steps exist.
    """
    both = (exists[:, 1:] & exists[:, :-1]).to(z)
    weight = (pad(both, (0, 1)) + pad(both, (1, 0))) / 2
    power = weight.flatten() @ square.flatten(0, 1)
    amplitude = torch.view_as_complex(z.unflatten(-1, (-1, 2)))
    cross = torch.view_as_real(amplitude[:, :-1].conj() * amplitude[:, 1:])
    real, imaginary = (both.flatten() @ cross.flatten(0, 1).flatten(1)).unflatten(-1, (-1, 2)).T
    power = power.unflatten(-1, (-1, 2)).sum(-1)
    return torch.stack([imaginary, (power + real) / 2, power])
