"""Sums over the large waves of a trajectory, channels and steps: what group causality is made of.

v_a(t) is the part of u_a(t) / √⟨u_a²⟩ with wavenumbers 1 ≤ k < 8 (below the Nyquist wavenumber, on
a grid that has less), x_a = v_a minus its mean over the steps, place by place, d_a(t) = v_a(t + 1)
− v_a(t); ⟨·⟩ is the mean over domain and steps. Means over space are sums over waves (Parseval), so
the waves of each field, already transformed, are all that is needed: the grid has no say, and no
pass over the fields is made. Products are summed in float64.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.fields import Fields, modes
from spinlock.features.numerics import RESOLUTION

BAND = 8.0  # cycles per domain
COARSE = 5.0  # of the third moments
POINTS = 13  # per axis: three waves with components of at most 4 do not alias into the mean
LAGS = (1, 2, 3)
ROUNDING = 1e-13  # of a mean square: what float32 leaves of it, with a margin


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Waves:
    """The M waves with 1 ≤ k < 8 of a grid, in ascending order of k; m of them have k < 5."""

    place: slice  # among all
    moments: Float[Tensor, "M 8"]  # y, x, y / k, x / k, yy, xx, yx and 1; k = (y, x), radians
    coarse: Float[Tensor, "2m P"]  # from √2 Re and √2 Im of the first m waves to values at points


@lru_cache(maxsize=16)
def waves(size: int, device: torch.device, dtype: torch.dtype) -> Waves:
    """The waves of a grid of size²; `dtype` is that of `coarse`."""
    known = modes(size, torch.device("cpu"), torch.float64)
    place = known.slice(1.0, min(BAND, size / 2))
    y, x = (step.imag.flatten()[known.order[place]] for step in (known.d_dy, known.d_dx))
    k = 2 * torch.pi * known.k[place]
    few = known.slice(1.0, min(COARSE, size / 2)).stop
    points = torch.arange(POINTS, dtype=torch.float64) / POINTS
    phase = y[:few, None, None] * points[:, None] + x[:few, None, None] * points
    shapes = math.sqrt(2) * torch.cat([phase.cos(), -phase.sin()])
    moments = torch.stack([y, x, y / k, x / k, y * y, x * x, y * x, torch.ones_like(k)], -1)
    coarse = shapes.flatten(1).to(device, dtype)
    return Waves(place=place, moments=moments.to(device), coarse=coarse)


def of_fields(fields: Fields) -> Float[Tensor, "B K"]:
    """Of each channel √2 Re and √2 Im of the waves of z, 0 if undefined; its deviation; mean."""
    order = fields.modes.order[waves(fields.size, fields.z.device, fields.z.dtype).place]
    factor = torch.where(fields.defined, math.sqrt(2), 0.0).to(fields.z.dtype)
    places = order.expand(*fields.spectrum.shape[:-2], -1)
    found = fields.spectrum.flatten(-2).gather(-1, places) * factor[..., None]
    rest = torch.stack([torch.where(fields.defined, fields.deviation, 0), fields.mean], -1)
    return torch.cat([found.real, found.imag, rest], -1).flatten(-2)


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: cached properties live in __dict__
class Sums:
    """Of some trajectories; sum_t, other than ⟨·⟩, does not divide by the number of steps."""

    power: Float[Tensor, "*B C"]  # ⟨v²⟩
    square: Float[Tensor, "*B C T"]  # of x_a(t), mean over the domain
    lagged: Float[Tensor, "*B 3 C C"]  # sum_t of x_a(t + l) x_b(t), l = 1, 2, 3
    gram: Float[Tensor, "*B 3C 3C"]  # sum_t of products of d_a(t), v_a(t) and d_a(t − 1)
    third: Float[Tensor, "*B 4 C"]  # of k < 5: ⟨x²⟩, ⟨d²⟩, ⟨x(t + 1) x(t) d(t)⟩, ⟨d³⟩
    transport: Float[Tensor, "*B 4 8"]  # of z, see `_transport`

    @property
    def channels(self) -> int:
        """C."""
        return self.power.shape[-1]

    @property
    def steps(self) -> int:
        """T."""
        return self.square.shape[-1]

    @cached_property
    def present(self) -> Bool[Tensor, "*B C"]:
        """Whether ⟨v²⟩ is more than the rounding of u."""
        return self.power > RESOLUTION**2

    @cached_property
    def varies(self) -> Bool[Tensor, "*B C"]:
        """Whether ⟨x²⟩ is more than the rounding of u."""
        return self.square.mean(-1) > RESOLUTION**2

    @cached_property
    def moves(self) -> Bool[Tensor, "*B C"]:
        """Whether ⟨d²⟩, first step apart, is more than the rounding of u."""
        square = self.gram.diagonal(dim1=-2, dim2=-1)[..., : self.channels]
        return square > RESOLUTION**2 * max(1, self.steps - 2)

    @cached_property
    def change(self) -> Float[Tensor, "*B 3 C"]:
        """sum_t of (x_a(t + l) − x_a(t))², l = 1, 2, 3."""
        ends = [(self.square[..., lag:] + self.square[..., :-lag]).sum(-1) for lag in LAGS]
        return torch.stack(ends, -2) - 2 * self.lagged.diagonal(dim1=-2, dim2=-1)


def measure(numbers: Float[Tensor, "*B T K"], channels: int, size: int) -> Sums:
    """Sum over each trajectory alone, so that the others cannot change a bit of it.

    Args:
        numbers: `of_fields` of each step, finite.
        channels: C.
        size: cells per axis of the fields.
    """
    steps, width = numbers.shape[-2:]
    each = numbers.reshape(-1, steps, channels, width // channels).transpose(1, 2)
    deviation, mean = each[..., -2].double(), each[..., -1].double()
    level = (deviation.square() + mean.square()).contiguous().mean(-1, keepdim=True)
    scale = deviation / torch.where(level > 0, level, 1).sqrt()
    known = waves(size, numbers.device, numbers.dtype)
    parts = [_of_one(one[..., :-2], by, known) for one, by in zip(each, scale, strict=True)]
    stacked = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
    return Sums(
        **{name: x.reshape(*numbers.shape[:-2], *x.shape[1:]) for name, x in stacked.items()}
    )


def _of_one(
    amplitude: Float[Tensor, "C T W"], scale: Float[Tensor, "C T"], known: Waves
) -> dict[str, Tensor]:
    z = amplitude.contiguous().double()
    v, square = z * scale[..., None], z.square()
    x, d = v - v.mean(1, keepdim=True), v.diff(dim=1)
    rows = torch.cat([d[:, 1:], v[:, 1:-1], d[:, :-1]])
    return {
        "power": (square.sum(-1) * scale.square()).mean(-1),
        "square": x.square().sum(-1),
        "lagged": torch.stack([_products(x[:, lag:], x[:, :-lag]) for lag in LAGS]),
        "gram": _products(rows, rows),
        "third": _third_moments(_low(x, known.coarse)),
        "transport": _transport(z, square) @ known.moments,
    }


def _products(a: Float[Tensor, "i n W"], b: Float[Tensor, "j n W"]) -> Float[Tensor, "i j"]:
    return a.flatten(1) @ b.flatten(1).T


def _low(x: Float[Tensor, "C T W"], to_points: Float[Tensor, "w P"]) -> Float[Tensor, "C T P"]:
    """Values at the points of what the first waves make up."""
    parts = x.unflatten(-1, (2, -1))[..., : len(to_points) // 2]
    return parts.to(to_points.dtype).flatten(-2) @ to_points


def _third_moments(x: Float[Tensor, "C T P"]) -> Float[Tensor, "4 C"]:
    d = x.diff(dim=1)
    square = d * d
    products = [x * x, square, x[:, 1:] * x[:, :-1] * d, square * d]
    sums = [part.sum((-2, -1)) / max(1, part[0].numel()) for part in products]
    return torch.stack(sums).double()


def _transport(z: Float[Tensor, "C T W"], square: Float[Tensor, "C T W"]) -> Float[Tensor, "4 M"]:
    """Flux f = sum Im z* z', |f|, sum |z + z'|² / 4 and sum |z|² of each wave.

    Sums over channels and steps; z = z(t) and z' = z(t + 1) are the amplitudes of the wave, 0 in a
    constant field.
    """
    before, after = z[:, :-1], z[:, 1:]
    real, imaginary = before.tensor_split(2, -1)
    next_real, next_imaginary = after.tensor_split(2, -1)
    flux = (real * next_imaginary - imaginary * next_real).sum((0, 1))
    middle = _of_waves((before + after).square()) / 4
    return torch.stack([flux, flux.abs(), middle, _of_waves(square)])


def _of_waves(square: Float[Tensor, "C n W"]) -> Float[Tensor, "M"]:
    return square.sum((0, 1)).unflatten(0, (2, -1)).sum(0)
