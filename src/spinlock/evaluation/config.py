"""Section `evaluate` of params.yaml."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.params import STRICT

Step = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=2)]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """What the scorecard measures, and on how many operators."""

    num_bootstraps: int = Field(ge=100)  # resamples of the operators behind an interval
    num_pair_bootstraps: int = Field(ge=20)  # the same for scores over pairs of operators
    num_permutations: int = Field(ge=19)  # behind the null of what leaks; 19 reach p = 0.05
    min_operators: int = Field(ge=2)  # smaller groups give null and their count
    headline_steps: tuple[Step, ...]  # steps of the error curve that become metrics
    num_identity_operators: int = Field(ge=0)  # replayed from another u0 with other noise
    num_mean_operators: int = Field(ge=1)  # training operators behind the mean trajectory
    num_ensemble_operators: int = Field(ge=0)  # of each split, rolled out with noise
    ensemble_members: int = Field(ge=2)  # rollouts of each of them
    batch_size: int = Field(ge=1)  # operators that the agent rolls out together
    valid_vrmse: float = Field(gt=0)  # a prediction is valid until its VRMSE exceeds this
    num_init: int = Field(ge=1)  # starts of each k-means of the equal-bit codes
    rate_codebook_sizes: tuple[Size, ...]  # K of the classical codes in the rate–distortion curve

    def __post_init__(self) -> None:
        steps, sizes = self.headline_steps, self.rate_codebook_sizes
        if list(sizes) != sorted(set(sizes)):
            raise ValueError(f"rate_codebook_sizes: allowed increasing sizes, got {list(sizes)}")
        if not steps or list(steps) != sorted(set(steps)):
            raise ValueError(
                f"headline_steps: allowed increasing steps, at least one, got {list(steps)}"
            )
