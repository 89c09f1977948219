"""Section `generate` of params.yaml, and the part of it that a rollout depends on."""

from typing import Literal, Protocol

from pydantic import Field
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
class Config:
    """Section `generate` of params.yaml."""

    steps: int = Field(ge=1)  # T, applications of the operator
    realizations: int = Field(ge=1)  # R, independent draws of the noise from the same u0
    bound: float = Field(gt=0, allow_inf_nan=False)  # largest |u| of a rollout that counts
    store: Literal["all", "none"]  # rollouts on disk, or replayed wherever they are read
    precision: Precision  # of convolutions; changes the data
    shard_size: int = Field(ge=1)  # operators a file
