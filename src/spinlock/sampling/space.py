"""The declared operator space: named dimensions, and the map from the unit cube to θ.

Every field of `Theta` is declared once, as an integer, continuous or choice dimension or fixed.
Only dimensions that vary take a coordinate of the design.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.params import STRICT
from spinlock.sampling.theta import RULES, Theta, Value

Number = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Integer:
    """An equiprobable whole number from `low` to `high`, both included."""

    name: str
    kind: Literal["integer"]
    low: int
    high: int

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"{self.name}: low must lie below high, got {self.low} and {self.high}"
            )

    def decode(self, unit: float) -> Value:
        """Cut [0, 1) into equal shares, one for each number."""
        return min(self.low + int(unit * (self.high - self.low + 1)), self.high)


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Continuous:
    """A real number from `low` to `high`, uniform on a linear or on a logarithmic scale."""

    name: str
    kind: Literal["continuous"]
    low: Number
    high: Number
    scale: Literal["linear", "log"]

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(
                f"{self.name}: low must lie below high, got {self.low} and {self.high}"
            )
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"{self.name}: low must be positive on a log scale, got {self.low}")

    def decode(self, unit: float) -> Value:
        """Interpolate between the bounds, or between their logarithms."""
        if self.scale == "linear":
            return self.low + unit * (self.high - self.low)
        value = self.low * math.exp(unit * math.log(self.high / self.low))
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Choice:
    """One of some values, with probability proportional to its weight."""

    name: str
    kind: Literal["choice"]
    choices: tuple[str | int | Number, ...]
    weights: tuple[Number, ...]

    def __post_init__(self) -> None:
        if len(self.choices) < 2 or len(set(self.choices)) < len(self.choices):
            raise ValueError(
                f"{self.name}: choices must be two or more different values, got {self.choices}"
            )
        fit = len(self.weights) == len(self.choices) and min(self.weights) > 0
        if not fit or math.isinf(sum(self.weights)):
            raise ValueError(
                f"{self.name}: weights must be {len(self.choices)} positive numbers with a finite "
                f"sum, got {self.weights}"
            )

    def decode(self, unit: float) -> Value:
        """Cut [0, 1) into shares proportional to the weights."""
        edges = np.cumsum(self.weights) / math.fsum(self.weights)
        chosen = int(np.searchsorted(edges, unit, side="right"))
        return self.choices[min(chosen, len(self.choices) - 1)]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Fixed:
    """The same value for every operator; takes no coordinate of the design."""

    name: str
    kind: Literal["fixed"]
    value: str | int | Number


Varying = Integer | Continuous | Choice
Dimension = Annotated[Integer | Continuous | Choice | Fixed, Field(discriminator="kind")]


def extremes(dimension: Dimension) -> tuple[Value, ...]:
    """The bounds of a numeric dimension; all values of a choice; the fixed value."""
    match dimension:
        case Integer() | Continuous():
            return (dimension.low, dimension.high)
        case Choice():
            return dimension.choices
        case _:
            return (dimension.value,)


def varying(dimensions: Sequence[Dimension]) -> tuple[Varying, ...]:
    """The dimensions that take a coordinate of the design, in the order declared."""
    return tuple(d for d in dimensions if not isinstance(d, Fixed))


def named(dimensions: Sequence[Dimension], name: str) -> Dimension:
    """The dimension of that name."""
    return next(d for d in dimensions if d.name == name)


def check(dimensions: Sequence[Dimension]) -> None:
    """Check that the space declares every parameter once, inside what operators support.

    Raises:
        ValueError: a name is unknown, missing or declared twice, a value is impossible, or nothing
            varies.
    """
    names = [d.name for d in dimensions]
    known = ", ".join(RULES)
    for name in names:
        if name not in RULES:
            raise ValueError(f"dimensions: {name}: unknown dimension; known: {known}")
        if names.count(name) > 1:
            raise ValueError(
                f"dimensions: {name}: declared {names.count(name)} times, allowed once"
            )
    for name in RULES:
        if name not in names:
            raise ValueError(f"dimensions: {name}: missing; declare each of {known}")
    for dimension in dimensions:
        RULES[dimension.name].check(dimension.name, dimension.kind, extremes(dimension))
    if not varying(dimensions):
        raise ValueError("dimensions: at least one must vary, all are fixed")


def decode(dimensions: Sequence[Dimension], unit: Float[np.ndarray, "N Q"]) -> tuple[Theta, ...]:
    """Turn points of the unit cube into named parameters.

    Args:
        dimensions: the declared space, checked.
        unit: coordinates in [0, 1), a column for each varying dimension in the order declared.

    Raises:
        ValueError: the number of columns is not the number of varying dimensions.
    """
    free = varying(dimensions)
    if unit.shape[1] != len(free):
        raise ValueError(f"unit: expected {len(free)} columns, got {unit.shape[1]}")
    fixed = {d.name: d.value for d in dimensions if isinstance(d, Fixed)}
    rows = ({d.name: d.decode(float(u)) for d, u in zip(free, row, strict=True)} for row in unit)
    return tuple(theta(fixed | row) for row in rows)


def theta(values: dict[str, Value]) -> Theta:
    """One operator's parameters, each in the type of its field (a declared `0` may mean `0.0`)."""
    cast: dict[str, Any] = {name: rule.cast(values[name]) for name, rule in RULES.items()}
    return Theta(**cast)


def _check_order(name: str, low: float, high: float) -> None:
    if not low < high:
        raise ValueError(f"{name}: low must lie below high, got {low} and {high}")
