"""Section `generate` of params.yaml, and the part of it that a rollout depends on."""

import itertools
import math
from typing import Annotated, Any, Literal, Protocol

from pydantic import Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from spinlock.operators.blocks import Precision
from spinlock.params import STRICT


class Settings(Protocol):
    """What a rollout depends on beside the table; an `Index` and a `Config` both have it."""

    @property
    def steps(self) -> int:
        """T, applications of the operator."""

    @property
    def realizations(self) -> int:
        """R, independent draws of the noise from the same u0."""

    @property
    def bound(self) -> float:
        """Largest |u| that does not count as divergence."""

    @property
    def precision(self) -> Precision:
        """Of the convolutions."""


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Block:
    """Some operators and some of their steps, all realizations."""

    operators: int | None = Field(ge=1)  # only the first so many of the table; null: all
    steps: int | None = Field(ge=1)  # only u_1 … u_steps; null: all T

    @property
    def reach(self) -> tuple[float, float]:
        """How many operators and how many steps."""
        return self.operators or math.inf, self.steps or math.inf


def _tag(value: Any) -> str:
    return "subset" if isinstance(value, list | tuple) else "whole"


Whole = Annotated[Literal["all", "none"], Tag("whole")]
Subset = Annotated[tuple[Block, ...], Field(min_length=1), Tag("subset")]
Store = Annotated[Whole | Subset, Discriminator(_tag)]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `generate` of params.yaml."""

    steps: int = Field(ge=1)  # T, applications of the operator
    realizations: int = Field(ge=1)  # R, independent draws of the noise from the same u0
    bound: float = Field(gt=0, allow_inf_nan=False)  # largest |u| of a rollout that counts
    store: (
        Store  # rollouts on disk: all, none, or some blocks; the rest is replayed where it is read
    )
    precision: Precision  # of convolutions; changes the data
    shard_size: int = Field(ge=1)  # operators a file

    def __post_init__(self) -> None:
        if isinstance(self.store, str):
            return
        for block in self.store:
            if block.steps is not None and block.steps >= self.steps:
                raise ValueError(
                    f"store: steps: expected fewer than generate.steps = {self.steps}, or null for "
                    f"all, got {block.steps}"
                )
            if block.operators is None and block.steps is None:
                raise ValueError("store: a block of all operators and all steps is written `all`")
        for one, other in itertools.permutations(self.store, 2):
            if all(a <= b for a, b in zip(one.reach, other.reach, strict=True)):
                raise ValueError(
                    f"store: a block lies in another: {_said(one)} in {_said(other)}; leave it out"
                )


def _said(block: Block) -> str:
    return f"{{operators: {block.operators or 'null'}, steps: {block.steps or 'null'}}}"


def stored_steps(store: Store, steps: int, operator: int) -> int:
    """How many steps of an operator are on disk: u_1 … u_k; k = 0 if none, T if all.

    Args:
        store: what is on disk.
        steps: T.
        operator: its id.
    """
    if isinstance(store, str):
        return steps if store == "all" else 0
    covering = [block.reach[1] for block in store if operator < block.reach[0]]
    return int(min(max(covering, default=0), steps))
