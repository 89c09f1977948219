"""Sums over the domain and over the waves, of every two channels."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from spinlock.features.fields import Fields, Modes
from spinlock.features.kernels import dot
from spinlock.features.temporal.spectral import HIGH, LOW, RESOLVED, slices

BANDS = (1.0, LOW, HIGH, RESOLVED)  # edges of the bands low, mid and high
REACH = int(RESOLVED)  # the components of a wave vector in these bands lie below it
EMPTY = 1e-24  # added to the power of a wave, whose root has no gradient at zero


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pairs:
    """The pairs i < j of some channels, neighbors first."""

    left: Int[Tensor, "P"]  # i
    right: Int[Tensor, "P"]  # j
    entry: Int[Tensor, "C C"]  # which pair an entry of a symmetric matrix is; P on its diagonal


@lru_cache(maxsize=16)
def pairs(channels: int, device: torch.device) -> Pairs:
    """The pairs of two or more channels."""
    places = [(i, i + lag) for lag in range(1, channels) for i in range(channels - lag)]
    left, right = torch.tensor(places).unbind(-1)
    entry = torch.full((channels, channels), len(places))
    entry[left, right] = entry[right, left] = torch.arange(len(places))
    return Pairs(left=left.to(device), right=right.to(device), entry=entry.to(device))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Joint:
    """Of each pair of channels; g is the gradient of z, a_k its Fourier series, P_k its power."""

    r: Float64[Tensor, "*B P"]  # ⟨z_i z_j⟩
    left_square: Float64[Tensor, "*B P"]  # ⟨z_i² z_j⟩
    right_square: Float64[Tensor, "*B P"]  # ⟨z_i z_j²⟩
    squares: Float64[Tensor, "*B P"]  # ⟨z_i² z_j²⟩
    dot: Float64[Tensor, "*B P"]  # ⟨(g_i · g_j)²⟩
    steep: Float64[Tensor, "*B P"]  # ⟨|g_i|² |g_j|²⟩
    overlap: Float64[Tensor, "*B P"]  # Σ √(P_i P_j), 1 ≤ k < 16
    low: Float64[Tensor, "*B P"]  # Σ a_i a_j* of the bands
    mid: Float64[Tensor, "*B P"]
    high: Float64[Tensor, "*B P"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Single:
    """Of each channel."""

    third: Float64[Tensor, "*B C"]  # ⟨z³⟩
    fourth: Float64[Tensor, "*B C"]  # ⟨z⁴⟩
    steep: Float64[Tensor, "*B C"]  # ⟨|g|²⟩
    low: Float64[Tensor, "*B C"]  # power of the bands
    mid: Float64[Tensor, "*B C"]
    high: Float64[Tensor, "*B C"]


def sums(fields: Fields) -> tuple[Joint, Single]:
    """The sums of every pair and of every channel, of two or more."""
    dy, dx = (part.flatten(-2) for part in fields.gradient)
    steep = torch.addcmul(dy * dy, dx, dx)
    (resolved,) = slices(fields.modes, BANDS[:1] + BANDS[-1:])
    amplitude = (fields.power[..., resolved] + EMPTY).sqrt()
    waves = _cropped(fields.spectrum)
    found = [
        torch.cat([_of_points(fields, steep, lag), _of_waves(fields.modes, waves, amplitude, lag)])
        for lag in range(1, waves.shape[-2])
    ]
    joint = torch.cat(found, -1).double().unbind()
    single = _of_channels(fields).double().unbind()
    return (
        Joint(**dict(zip(Joint.__slots__, joint, strict=True))),
        Single(**dict(zip(Single.__slots__, single, strict=True))),
    )


def _of_points(
    fields: Fields, steep: Float[Tensor, "*B C M"], lag: int
) -> Float[Tensor, "6 *B C-lag"]:
    """Means over the domain of channels i and i + lag."""
    left, right = _apart(fields.z.flatten(-2), lag)
    (left_y, right_y), (left_x, right_x) = (_apart(d.flatten(-2), lag) for d in fields.gradient)
    both, along = left * right, torch.addcmul(left_y * right_y, left_x, right_x)
    operands = ((left, right), (both, left), (both, right), (both, both), (along, along))
    found = [dot(x, y) for x, y in (*operands, _apart(steep, lag))]
    return torch.stack(found) / steep.shape[-1]


def _of_waves(
    modes: Modes, waves: Float[Tensor, "*B C K"], amplitude: Float[Tensor, "*B C k"], lag: int
) -> Float[Tensor, "4 *B C-lag"]:
    """Sums over the waves of channels i and i + lag."""
    left, right = _apart(waves, lag)
    cross = left * right
    of_bands = [dot(cross, band) for band in _weight(modes)]
    return torch.stack([dot(*_apart(amplitude, lag)), *of_bands])


def _apart(x: Float[Tensor, "*B C M"], lag: int) -> tuple[Tensor, Tensor]:
    return x[..., :-lag, :], x[..., lag:, :]


def _of_channels(fields: Fields) -> Float[Tensor, "6 *B C"]:
    """Means over the domain, and sums over the waves, of each channel."""
    z = fields.z.flatten(-2)
    square = z * z
    along_y, along_x, _ = fields.structure
    moments = [dot(square, x) / z.shape[-1] for x in (z, square)]
    bands = [fields.power[..., band].sum(-1) for band in slices(fields.modes, BANDS)]
    return torch.stack([*moments, along_y + along_x, *bands])


def _cropped(half_spectrum: Tensor) -> Float[Tensor, "*B M"]:
    """Real and imaginary parts of the modes whose components lie below 16 cycles per domain."""
    part = half_spectrum[..., :REACH]
    if part.shape[-2] > 2 * REACH:
        part = torch.cat([part[..., :REACH, :], part[..., 1 - REACH :, :]], -2)
    return torch.view_as_real(part).flatten(-3)


@lru_cache(maxsize=16)
def _weight(modes: Modes) -> Float[Tensor, "3 M"]:
    """Weights of the cropped modes in the sums over the three bands."""
    half_spectrum = modes.laplacian.shape
    weight = torch.zeros(3, half_spectrum.numel(), dtype=modes.weight.dtype)
    for row, band in zip(weight, slices(modes, BANDS), strict=True):
        row[modes.order[band].cpu()] = modes.weight[band].cpu()
    both = torch.complex(weight, weight).unflatten(-1, half_spectrum)
    return _cropped(both).to(modes.weight.device)
