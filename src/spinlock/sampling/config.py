"""Section `sample` of params.yaml."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.params import STRICT
from spinlock.sampling import space
from spinlock.sampling.space import Dimension

MAX_COORDINATES = 21201  # of Joe and Kuo's direction numbers, hence of scipy's Sobol
MAX_OPERATORS = 2**30  # points that 30-bit Sobol coordinates tell apart


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Weights:
    """Where the random weights of operators come from."""

    kind: Literal["basis", "independent"]
    num_sets: int = Field(ge=1)  # m, weight sets of the basis; `independent` has no basis

    @property
    def coordinates(self) -> int:
        """Sobol coordinates of z: none on the sphere of one point, or without a basis."""
        return self.num_sets if self.kind == "basis" and self.num_sets > 1 else 0


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Split:
    """Blocks of each split in a cycle of consecutive blocks."""

    train: int = Field(ge=1)
    validation: int = Field(ge=1)
    test: int = Field(ge=1)

    def __post_init__(self) -> None:
        if not _is_power_of_two(self.cycle):
            raise ValueError(
                "split: train + validation + test must be a power of two, "
                f"got {self.train} + {self.validation} + {self.test} = {self.cycle}"
            )

    @property
    def cycle(self) -> int:
        """Blocks after which the pattern repeats."""
        return self.train + self.validation + self.test


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Edge:
    """A half-space of the unit cube: one coordinate above a threshold."""

    name: str  # a varying dimension
    above: Annotated[float, Field(ge=0, lt=1)]  # unit coordinate


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class HeldOut:
    """Groups of operators kept out of training, validation and the i.i.d. test."""

    ic_variants: tuple[str, ...]
    update_policies: tuple[str, ...]
    theta_corner: tuple[Edge, ...]  # all of them at once; none: no corner

    def __post_init__(self) -> None:
        corner = tuple(edge.name for edge in self.theta_corner)
        _check_unique("held_out.ic_variants", self.ic_variants)
        _check_unique("held_out.update_policies", self.update_policies)
        _check_unique("held_out.theta_corner", corner)


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Family:
    """A family of initial conditions, with variants of equal share."""

    family: str = Field(min_length=1)
    variants: Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Which operators there are."""

    num_operators: int = Field(ge=1, le=MAX_OPERATORS)  # N
    channels: int = Field(ge=1)  # C
    grid_size: int = Field(ge=4)  # H = W
    max_width: int = Field(ge=1)  # cap of hidden widths
    weights: Weights
    block_size: int = Field(ge=1)  # operators a block; splits are whole blocks of the design
    split: Split
    held_out: HeldOut
    ic_mix: Annotated[tuple[Family, ...], Field(min_length=1)]  # families of equal share
    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        space.check(self.dimensions)
        if not _is_power_of_two(self.block_size):
            raise ValueError(f"block_size: must be a power of two, got {self.block_size}")
        _check_unique("ic_mix: family", tuple(f.family for f in self.ic_mix))
        _check_unique("ic_mix: variant", self.variants)
        self._check_grid()
        self._check_coordinates()
        self._check_held_out()

    @property
    def variants(self) -> tuple[str, ...]:
        """All variants of initial conditions, family by family."""
        return tuple(variant for family in self.ic_mix for variant in family.variants)

    def _check_grid(self) -> None:
        types = space.extremes(space.named(self.dimensions, "operator_type"))
        kernel, levels = (
            max(map(int, space.extremes(space.named(self.dimensions, name))))
            for name in ("kernel_size", "encoder_levels")
        )
        if "cnn" in types and kernel > self.grid_size:
            raise ValueError(
                f"dimensions: kernel_size: must fit the grid of {self.grid_size}, got {kernel}"
            )
        if "u_afno" in types and (self.grid_size % 2**levels or self.grid_size == 2**levels):
            raise ValueError(
                f"grid_size: {levels} encoder levels need a multiple of {2**levels} and at least "
                f"{2 ** (levels + 1)}, got {self.grid_size}"
            )

    def _check_coordinates(self) -> None:
        free = len(space.varying(self.dimensions))
        if free + self.weights.coordinates > MAX_COORDINATES:
            raise ValueError(
                f"dimensions: Sobol supports {MAX_COORDINATES} varying dimensions, got {free} "
                f"and {self.weights.coordinates} of the weight basis"
            )

    def _check_held_out(self) -> None:
        free = [d.name for d in space.varying(self.dimensions)]
        policies = space.extremes(space.named(self.dimensions, "update_policy"))
        _check_known("ic_variants", self.held_out.ic_variants, self.variants)
        _check_known("update_policies", self.held_out.update_policies, policies)
        _check_known("theta_corner", [edge.name for edge in self.held_out.theta_corner], free)
        if set(policies) <= set(self.held_out.update_policies):
            raise ValueError("held_out.update_policies: names every policy, nothing is left")
        if set(self.variants) <= set(self.held_out.ic_variants):
            raise ValueError("held_out.ic_variants: names every variant, nothing is left")


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def _check_unique(what: str, names: tuple[str, ...]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what} {name!r} is named {names.count(name)} times, allowed once")


def _check_known(what: str, names: Sequence[str], known: Sequence[object]) -> None:
    for name in names:
        if name not in known:
            names_known = ", ".join(map(str, known))
            raise ValueError(f"held_out.{what}: {name!r} is not in the space; known: {names_known}")
