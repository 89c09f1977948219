"""θ: the named parameters of one operator, with units and the values that operators support."""

from collections.abc import Sequence
from dataclasses import dataclass

Value = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Theta:
    """One operator's decoded parameters; its fields are the names of the dimensions."""

    operator_type: str  # "cnn" | "u_afno"
    num_layers: int  # hidden conv blocks of a cnn
    base_channels: int  # width b of the first block
    kernel_size: int  # of a cnn, odd
    encoder_levels: int  # halvings of a u_afno's grid
    mode_share: float  # wavenumbers a u_afno mixes, as a share of its bottleneck's Nyquist one
    afno_blocks: int  # at the bottleneck of a u_afno
    blocks_per_level: int  # of encoder and decoder of a u_afno
    activation: str  # "gelu" | "relu" | "silu" | "tanh"
    dropout_rate: float  # probability that a channel is dropped, at every step
    normalization: str  # "none" | "instance" | "layer"
    noise_type: str  # "gaussian" | "laplace" | "multiplicative"
    noise_scale: float  # standard deviation, in the unit of what it is added to or multiplies
    noise_schedule: str  # "constant" | "annealing" | "periodic"
    schedule_period: float  # steps; acts if the schedule is periodic
    spatial_correlation: float  # correlation length of the noise as a share of the domain
    update_policy: str  # "autoregressive" | "residual" | "convex"
    dt: float  # u' = u + dt O(u), residual
    alpha: float  # u' = alpha u + (1 - alpha) O(u), convex


@dataclass(frozen=True, slots=True)
class Text:
    """A parameter that is one of some words."""

    allowed: tuple[str, ...]
    cast = str
    unit = "1"

    def check(self, name: str, kind: str, values: Sequence[Value]) -> None:
        """Refuse (ValueError) a kind or a value that this parameter cannot have."""
        if kind not in ("choice", "fixed"):
            raise ValueError(f"dimensions: {name}: kind must be choice or fixed, got {kind}")
        for value in values:
            if value not in self.allowed:
                allowed = ", ".join(self.allowed)
                raise ValueError(f"dimensions: {name}: expected one of {allowed}; got {value!r}")


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter that is a number in an interval: closed, or without its ends."""

    cast: type[int] | type[float]
    low: float
    high: float
    unit: str
    ends: str = "[]"  # the interval's brackets, in mathematical notation
    odd: bool = False

    def check(self, name: str, kind: str, values: Sequence[Value]) -> None:
        """Refuse (ValueError) a kind or a value that this parameter cannot have."""
        if self.cast is int and kind == "continuous":
            raise ValueError(f"dimensions: {name}: whole numbers cannot be continuous")
        if self.odd and kind == "integer":
            raise ValueError(f"dimensions: {name}: declare a choice of odd numbers, not a range")
        for value in values:
            if not self._allows(value):
                raise ValueError(f"dimensions: {name}: expected {self._allowed()}; got {value!r}")

    def _allows(self, value: Value) -> bool:
        if isinstance(value, str) or (self.cast is int and not isinstance(value, int)):
            return False
        above = value > self.low if self.ends[0] == "(" else value >= self.low
        below = value < self.high if self.ends[1] == ")" else value <= self.high
        return above and below and (not self.odd or int(value) % 2 == 1)

    def _allowed(self) -> str:
        whole = "an odd number" if self.odd else "a whole number"
        noun = whole if self.cast is int else "a number"
        return f"{noun} in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"


RULES: dict[str, Text | Number] = {
    "operator_type": Text(("cnn", "u_afno")),
    "num_layers": Number(int, 1, 16, "blocks"),
    "base_channels": Number(int, 1, 1024, "channels"),
    "kernel_size": Number(int, 1, 31, "cells", odd=True),
    "encoder_levels": Number(int, 1, 6, "levels"),
    "mode_share": Number(float, 0, 1, "1", ends="(]"),
    "afno_blocks": Number(int, 1, 16, "blocks"),
    "blocks_per_level": Number(int, 1, 8, "blocks"),
    "activation": Text(("gelu", "relu", "silu", "tanh")),
    "dropout_rate": Number(float, 0, 1, "1", ends="[)"),
    "normalization": Text(("none", "instance", "layer")),
    "noise_type": Text(("gaussian", "laplace", "multiplicative")),
    "noise_scale": Number(float, 0, 1e3, "1", ends="(]"),
    "noise_schedule": Text(("constant", "annealing", "periodic")),
    "schedule_period": Number(float, 0, 1e6, "steps", ends="(]"),
    "spatial_correlation": Number(float, 0, 0.5, "domain"),
    "update_policy": Text(("autoregressive", "residual", "convex")),
    "dt": Number(float, 0, 1, "1", ends="(]"),
    "alpha": Number(float, 0, 1, "1", ends="()"),
}
