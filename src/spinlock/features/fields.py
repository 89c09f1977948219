"""What the per-step columns share: a field is standardized, transformed and sorted once."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from spinlock import fourier
from spinlock.features.kernels import dot, product
from spinlock.features.numerics import FLAT, RESOLUTION
from spinlock.features.order import ascending


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: cached properties live in __dict__
class Fields:
    """Some fields, each channel by itself, and what their columns are made of.

    The standardized field z = (u − mean) / deviation has mean 0 and mean square 1. Where it is
    undefined (u is not finite, or constant up to rounding) a wave stands in for it, so that every
    number made of it is finite and its gradient too; `masked` sets those numbers to NaN.
    """

    u: Float[Tensor, "*B C H W"]
    mean: Float[Tensor, "*B C"]
    deviation: Float[Tensor, "*B C"]  # of the stand-in where undefined
    defined: Bool[Tensor, "*B C"]
    z: Float[Tensor, "*B C H W"]

    @property
    def size(self) -> int:
        """Cells per axis."""
        return self.z.shape[-1]

    @cached_property
    def modes(self) -> "Modes":
        """Wavenumbers of this grid."""
        return modes(self.size, self.z.device, self.z.dtype)

    @cached_property
    def spectrum(self) -> Complex[Tensor, "*B C H half"]:
        """Half spectrum of z."""
        return torch.fft.rfft2(self.z, norm="forward")

    @cached_property
    def power(self) -> Float[Tensor, "*B C M"]:
        """Power of the M waves of the grid in ascending order of k; sums to 1 (Parseval)."""
        parts = torch.view_as_real(self.spectrum).square()
        square = (parts[..., 0] + parts[..., 1]).flatten(-2)
        order = self.modes.order.expand(*square.shape[:-1], -1)
        return square.gather(-1, order) * self.modes.weight

    @cached_property
    def gradient(self) -> tuple[Float[Tensor, "*B C H W"], Float[Tensor, "*B C H W"]]:
        """(∂z/∂y, ∂z/∂x) per domain: exact for the series, so that the grid has no say."""
        derivative = self.modes.derivative
        return product(derivative, self.z), product(self.z, derivative.mT)

    @cached_property
    def structure(self) -> tuple[Float[Tensor, "*B C"], ...]:
        """Means J_yy, J_xx and J_xy over the domain of J_ij = ∂_i z ∂_j z, the structure tensor."""
        dy, dx = (part.flatten(-2) for part in self.gradient)
        pairs = ((dy, dy), (dx, dx), (dx, dy))
        return tuple(dot(first, second) / first.shape[-1] for first, second in pairs)

    @cached_property
    def square(self) -> Float[Tensor, "*B C HW"]:
        """z²."""
        z = self.z.flatten(-2)
        return z * z

    @cached_property
    def moments(self) -> tuple[Float[Tensor, "*B C"], Float[Tensor, "*B C"]]:
        """⟨z³⟩ and ⟨z⁴⟩, ⟨·⟩ the mean over the domain."""
        cells = self.square.shape[-1]
        return dot(self.square, self.z.flatten(-2)) / cells, dot(self.square, self.square) / cells

    @cached_property
    def steep(self) -> Float[Tensor, "*B C HW"]:
        """|∇z|² + `FLAT`, never zero."""
        dy, dx = (part.flatten(-2) for part in self.gradient)
        return torch.addcmul(dy.new_tensor(FLAT), dy, dy).addcmul_(dx, dx)

    @cached_property
    def slope(self) -> Float[Tensor, "*B C"]:
        """Mean over the domain of √`steep`."""
        return dot(self.steep, self.steep.rsqrt()) / self.steep.shape[-1]

    @cached_property
    def squared_gradient(self) -> tuple[Float[Tensor, "*B C H W"], Float[Tensor, "*B C H W"]]:
        """Squares of the components of the gradient."""
        dy, dx = self.gradient
        return dy.square(), dx.square()

    @cached_property
    def laplacian(self) -> Float[Tensor, "*B C H W"]:
        """∇²z per domain squared."""
        shape = self.z.shape[-2:]
        return torch.fft.irfft2(self.spectrum * self.modes.laplacian, s=shape, norm="forward")

    @cached_property
    def ascending(self) -> Float[Tensor, "*B C HW"]:
        """Values of z, sorted."""
        return ascending(self.z.flatten(-2))

    def masked(self, values: Float[Tensor, "*B C D"]) -> Float[Tensor, "*B C D"]:
        """NaN where the standardized field does not exist."""
        return torch.where(self.defined[..., None], values, torch.nan)


def measure(u: Float[Tensor, "*B C H W"]) -> Fields:
    """Standardize fields, channel by channel.

    Raises:
        ValueError: the grid is not square.
    """
    height, width = u.shape[-2:]
    if height != width:
        raise ValueError(f"features: the grid must be square, got {height}x{width}")
    mean = u.mean((-2, -1))
    v = u - mean[..., None, None]
    variance = _mean_square(v)
    defined = _varies(mean.detach(), variance.detach())
    if not bool(defined.all()):
        v = torch.where(defined[..., None, None], v, _stand_in(v))
        variance = _mean_square(v)
    deviation = variance.sqrt()
    z = v * deviation.reciprocal()[..., None, None]
    return Fields(u=u, mean=mean, deviation=deviation, defined=defined, z=z)


def _mean_square(v: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B C"]:
    v = v.flatten(-2)
    return dot(v, v) / v.shape[-1]


def _varies(mean: Float[Tensor, "*B C"], variance: Float[Tensor, "*B C"]) -> Bool[Tensor, "*B C"]:
    """Whether the mean square is finite and v more than the rounding of u; False for NaN."""
    return (variance > RESOLUTION**2 * mean.square()) & variance.isfinite() & (variance > TINY)


TINY = 1e-30  # of a mean square; a smaller one loses its digits in float32


def _stand_in(v: Float[Tensor, "*B C H W"]) -> Float[Tensor, "H W"]:
    """Any field with finite columns."""
    size = v.shape[-1]
    phase = torch.arange(size, dtype=v.dtype, device=v.device) * (2 * torch.pi / size)
    return phase.cos()[:, None] + (phase + 1).sin()[None, :]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Modes:
    """The real waves of a square grid (each a mode and its conjugate), in ascending order of k.

    The mean is no wave. At the grid's own wavenumber the sign of a component is not known: its
    odd functions (first derivatives, sin 2φ) are 0 there.
    """

    order: Int[Tensor, "M"]  # positions in the flattened half spectrum
    weight: Float[Tensor, "M"]  # modes of the wave: 2, or 1 if it is its own conjugate
    k: Float[Tensor, "M"]  # wavenumber, cycles per domain
    cos2: Float[Tensor, "M"]  # cos 2φ of the direction φ of the wave vector
    sin2: Float[Tensor, "M"]
    d_dy: Complex[Tensor, "H half"]  # multipliers of the half spectrum
    d_dx: Complex[Tensor, "H half"]
    laplacian: Complex[Tensor, "H half"]
    derivative: Float[Tensor, "H H"]  # along an axis, per domain: exact for the series

    def slice(self, low: float, high: float) -> slice:
        """Places of the waves with low ≤ k < high."""
        edges = torch.tensor([low, high], dtype=self.k.dtype, device=self.k.device)
        first, last = torch.searchsorted(self.k, edges).tolist()
        return slice(first, last)


@lru_cache(maxsize=16)
def modes(size: int, device: torch.device, dtype: torch.dtype) -> Modes:
    """The waves of a grid of size²."""
    ky, kx, _ = fourier.wavenumbers(size, dtype=torch.float64)
    odd_ky, odd_kx = (torch.where(2 * k.abs() == size, 0.0, k) for k in (ky, kx))
    square = ky.square() + kx.square()
    # a column that is its own mirror image holds each wave twice: take the one with ky >= 0
    mirrored = (kx == 0) | (2 * kx == size)
    wave = (square > 0) & ~(mirrored & (odd_ky < 0))
    own_conjugate = mirrored & (odd_ky == 0)
    found = wave.flatten().nonzero()[:, 0]
    order = found[square.flatten()[found].argsort(stable=True)]
    k2 = square.flatten()[order]
    # multipliers are complex, as spectra of fields of this type are
    multiplier = torch.fft.rfft(torch.zeros(2, dtype=dtype)).dtype
    return Modes(
        order=order.to(device),
        weight=torch.where(own_conjugate.flatten()[order], 1.0, 2.0).to(device, dtype),
        k=k2.sqrt().to(device, dtype),
        cos2=((kx.square() - ky.square()).flatten()[order] / k2).to(device, dtype),
        sin2=((2 * odd_kx * odd_ky).flatten()[order] / k2).to(device, dtype),
        d_dy=(2j * torch.pi * odd_ky).expand(square.shape).to(device, multiplier),
        d_dx=(2j * torch.pi * odd_kx).expand(square.shape).to(device, multiplier),
        laplacian=(-4 * torch.pi**2 * square).to(device, multiplier),
        derivative=_derivative(odd_kx[0], size).to(device, dtype),
    )


def _derivative(k: Float[Tensor, "half"], size: int) -> Float[Tensor, "H H"]:
    """The matrix that differentiates series of these wavenumbers, from the waves of impulses."""
    waves = torch.fft.rfft(torch.eye(size, dtype=k.dtype), norm="forward")
    return torch.fft.irfft(waves * (2j * torch.pi * k), n=size, norm="forward").mT
