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
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from spinlock import fourier
from spinlock.features.fields import Fields, Modes

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
    length, low_length, high_length = _lengths(fields)
    yield Version(mean=scaled.mean, z=fields.z, length=length, power=whole)
    low = _low_pass(fields, _multipliers(fields.modes).value)
    yield Version(mean=None, z=low, length=low_length, power=power[:, :first])
    yield Version(mean=None, z=fields.z - low, length=high_length, power=power[:, first:])


def _power(fields: Fields, weight: Float[Tensor, "B C"]) -> Float[Tensor, "B M"]:
    """Mean power of the channels by wave, added up one by one: in the same order in any batch."""
    parts = zip(fields.power.unbind(-2), weight.square().unbind(-1), strict=True)
    first, *others = (power * square[:, None] for power, square in parts)
    return sum(others, first) / weight.shape[-1]


def _lengths(fields: Fields) -> Iterator[Float[Tensor, "B C"]]:
    """Mean length of the gradient of z and of its low and high versions, channel by channel."""
    yy, xx = fields.squared_gradient
    yield _root_mean(yy + xx)
    multipliers = _multipliers(fields.modes)
    low_y, low_x = (_low_pass(fields, part) for part in (multipliers.d_dy, multipliers.d_dx))
    yield _root_mean(low_y.square().add_(low_x.square()))
    dy, dx = fields.gradient
    yield _root_mean((dy - low_y).square().add_((dx - low_x).square()))


def _root_mean(square: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C"]:
    """Mean of the root, in the memory of the argument."""
    return _mean(square.add_(FLAT).sqrt_())


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
    fourth = torch.linalg.vector_norm(v.square().square().flatten(-2), dim=-1)
    eighth = (fourth / v.shape[-1]).square().mean(-1)
    yield (eighth + empty.square().square()).sqrt().sqrt().sqrt()
    information = (version.power * (version.power + RARE).log()).sum(-1)
    yield (square * (square + RARE).log() - information) / floored
    yield _floored((weight * version.length).mean(-1) / (2 * math.pi * CUT), empty)


def _floored(norm: Float[Tensor, "B"], floor: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
    return (norm.square() + floor).sqrt()


def _mean(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C"]:
    return x.mean((-2, -1))


class Multipliers(NamedTuple):
    """Of the columns kx < 4 of the half spectrum, transposed; zero but where 0 < k < 4."""

    value: Complex[Tensor, "columns H"]
    d_dy: Complex[Tensor, "columns H"]
    d_dx: Complex[Tensor, "columns H"]


@lru_cache(maxsize=16)
def _multipliers(modes: Modes) -> Multipliers:
    *_, k = fourier.wavenumbers(modes.d_dy.shape[-2], modes.d_dy.device)
    inside = ((k > 0) & (k < CUT)).to(modes.d_dy)
    parts = (inside, inside * modes.d_dy, inside * modes.d_dx)
    return Multipliers(*(part[:, : math.ceil(CUT)].T.contiguous() for part in parts))


def _low_pass(fields: Fields, multiplier: Complex[Tensor, "columns H"]) -> Float[Tensor, "B C H W"]:
    """The low version of z, or a derivative of it: few columns of the spectrum hold it."""
    modes = fields.spectrum[..., : len(multiplier)].transpose(-1, -2) * multiplier
    rows = torch.fft.ifft(modes, norm="forward").transpose(-1, -2)
    return torch.fft.irfft(rows, n=fields.size, norm="forward")
