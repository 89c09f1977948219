"""Section `generate` of params.yaml."""

from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.params import STRICT


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `generate` of params.yaml."""

    steps: int = Field(ge=1)  # T, applications of the operator
    realizations: int = Field(ge=1)  # R, independent draws of the noise from the same u0
    bound: float = Field(gt=0, allow_inf_nan=False)  # largest |u| of a rollout that counts
    store: Literal["all", "none"]  # rollouts on disk, or replayed wherever they are read
    precision: Literal["float32"]  # of convolutions; changes the data
    shard_size: int = Field(ge=1)  # operators a file
