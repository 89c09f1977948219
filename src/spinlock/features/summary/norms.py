"""What invariant drift follows: five norms of each step's field in three versions, 15 numbers.

Versions: raw (the field with its mean), low (its waves with k < 4 cycles per domain, without the
mean) and high (the rest). ⟨·⟩ is the mean over channels and domain, s² = ⟨u²⟩ the mean square of
the raw field; v is a version of u / s, so that only the L2 norm of the raw field, s, has a scale.
The other norms say what form the field has, whatever its amplitude: they are relative to √⟨v²⟩.

    l1       √((⟨|v|⟩² + φ) / (S + φ)), S = ⟨v²⟩ = Σ P
    l2       √(S + φ); of the raw field s
    linf     ((⟨v⁸⟩ + φ⁴) / (S + φ)⁴)^(1/8)
    entropy  (S ln S − Σ P ln P) / (S + φ), P the power of a wave of v, mean of the channels
    tv       √((⟨|∇v|⟩² / (8π)² + φ) / (S + φ)), in gradients of a wave with k = 4

The L8 norm stands for max |v|: the largest of the cells is another one on another grid, and while a
pattern moves by part of a cell; the mean of an eighth power is the same (exactly so if all waves
are longer than eight cells). φ = 1e-10, so that a version below 1e-5 of the field is taken for
empty, its ratios for 1 and its entropy for 0: the rounding of float32, 1e-7 of the field, is no
form.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.fields import Fields, Modes
from spinlock.features.kernels import dot, log, product

VERSIONS = ("raw", "low", "high")
NORMS = ("l1", "l2", "linf", "entropy", "tv")
CUT = 4.0  # cycles per domain, between low and high
FLOOR = 1e-10  # φ, of a mean square
EMPTY = 1e-30  # mean square of a field that is zero
FLAT = 1e-12  # added to a squared gradient of z, 4π² or more in the mean: its root has a slope
RARE = 1e-20  # added to a power, so that it has a logarithm


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scaled:
    """A field u / s = mean + weight · z, channel by channel; zero where it does not exist."""

    exists: Bool[Tensor, "B"]  # finite and not zero
    scale: Float[Tensor, "B"]  # s
    mean: Float[Tensor, "B C"]
    weight: Float[Tensor, "B C"]  # 0 where the deviation is rounding


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Version:
    """A version v = mean + weight · z, z a part of the standardized field."""

    mean: Float[Tensor, "B C"] | None
    z: Float[Tensor, "B C H W"]
    length: Float[Tensor, "B C"]  # ⟨|∇z|⟩
    power: Float[Tensor, "B m"]  # P


def of_fields(fields: Fields) -> Float[Tensor, "B 15"]:
    """The norms of each field, version by version; NaN where it is zero or not finite."""
    scaled = _scale(fields)
    versions = _versions(fields, scaled)
    numbers = [norm for version in versions for norm in _norms(version, scaled.weight)]
    numbers[NORMS.index("l2")] = scaled.scale
    return torch.where(scaled.exists[:, None], torch.stack(numbers, -1), torch.nan)


def _scale(fields: Fields) -> Scaled:
    finite = fields.defined
    if not bool(finite.all()):
        finite = finite | fields.u.detach().square().mean((-2, -1)).isfinite()
    mean = torch.where(finite, fields.mean, 0)
    deviation = torch.where(fields.defined, fields.deviation, 0)
    energy = (mean.square() + deviation.square()).mean(-1)
    exists = finite.all(-1) & (energy > EMPTY)
    scale = torch.where(exists, energy, 1).sqrt()
    mean, weight = (part / scale[:, None] for part in (mean, deviation))
    return Scaled(exists=exists, scale=scale, mean=mean, weight=weight)


def _versions(fields: Fields, scaled: Scaled) -> Iterator[Version]:
    power = _power(fields, scaled.weight)
    whole = torch.cat([scaled.mean.square().mean(-1, keepdim=True), power], -1)
    first = fields.modes.slice(0, CUT).stop
    dy, dx = fields.gradient
    low, low_y, low_x = _low_pass(fields)
    yield Version(mean=scaled.mean, z=fields.z, length=_length(dy, dx), power=whole)
    yield Version(mean=None, z=low, length=_length(low_y, low_x), power=power[:, :first])
    length = _length(dy - low_y, dx - low_x)
    yield Version(mean=None, z=fields.z - low, length=length, power=power[:, first:])


def _power(fields: Fields, weight: Float[Tensor, "B C"]) -> Float[Tensor, "B M"]:
    """Mean power of the channels by wave, added up one by one: in the same order in any batch."""
    parts = zip(fields.power.unbind(-2), weight.square().unbind(-1), strict=True)
    first, *others = (power * square[:, None] for power, square in parts)
    return sum(others, first) / weight.shape[-1]


def _length(dy: Float[Tensor, "B C H W"], dx: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C"]:
    return _mean(dy.square().add_(dx.square()).add_(FLAT).sqrt_())


def _norms(version: Version, weight: Float[Tensor, "B C"]) -> Iterator[Float[Tensor, "B"]]:
    """In the order of `NORMS`, from v / √(S + φ)."""
    square = version.power.sum(-1)
    floored = square + FLOOR
    size, empty = floored.sqrt(), FLOOR / floored
    weight = weight / size[:, None]
    v = version.z * weight[..., None, None]
    if version.mean is not None:
        v = v + (version.mean / size[:, None])[..., None, None]
    yield _floored(_mean(v.abs()).mean(-1), empty)
    yield size
    fourth = v.square().square().flatten(-2)
    eighth = dot(fourth, fourth).mean(-1) / fourth.shape[-1]
    yield (eighth + empty.square().square()).sqrt().sqrt().sqrt()
    information = (version.power * log(version.power + RARE)).sum(-1)
    yield (square * (square + RARE).log() - information) / floored
    yield _floored((weight * version.length).mean(-1) / (2 * math.pi * CUT), empty)


def _floored(norm: Float[Tensor, "B"], floor: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
    return (norm.square() + floor).sqrt()


def _mean(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C"]:
    return x.mean((-2, -1))


class Basis(NamedTuple):
    """The sines and cosines of an axis below the cut: products of two hold the low version."""

    value: Float[Tensor, "H m"]
    slope: Float[Tensor, "H m"]  # per domain
    dual: Float[Tensor, "H m"]  # sums of products with it are amplitudes
    inside: Float[Tensor, "m m"]  # 1 where 0 < k < 4, 0 elsewhere


@lru_cache(maxsize=16)
def _basis(modes: Modes) -> Basis:
    size = modes.derivative.shape[-1]
    k = torch.arange(1, math.ceil(min(CUT, size / 2)), dtype=torch.float64)
    place = torch.arange(size, dtype=torch.float64)[:, None] / size
    phase, rate = 2 * math.pi * k * place, 2 * math.pi * k
    one = torch.ones_like(place)
    value = torch.cat([one, math.sqrt(2) * phase.cos(), math.sqrt(2) * phase.sin()], -1)
    slope = torch.cat(
        [0 * one, -rate * value[:, len(k) + 1 :], rate * value[:, 1 : len(k) + 1]], -1
    )
    square = torch.cat([torch.zeros(1), k, k]).square()
    both = square[:, None] + square
    parts = (value, slope, value / size, (both > 0) & (both < CUT**2))
    return Basis(*(part.to(modes.derivative) for part in parts))


def _low_pass(fields: Fields) -> tuple[Float[Tensor, "B C H W"], ...]:
    """The low version of z, and its derivatives ∂/∂y and ∂/∂x."""
    value, slope, dual, inside = _basis(fields.modes)
    waves = product(dual.mT, product(fields.z, dual)) * inside
    rows, steep_rows = product(value, waves), product(slope, waves)
    return product(rows, value.mT), product(steep_rows, value.mT), product(rows, slope.mT)
