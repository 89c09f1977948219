"""What an experiment may change about the agent; section `train_noa` of params.yaml."""

import math
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.params import STRICT
from spinlock.refusals import Refusal

Size = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Normalize = Literal["increment", "field", "displacement"]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Backbone:
    """Sizes of the U-AFNO; see `operators.u_afno`."""

    base_channels: Size  # width at full resolution; doubles from level to level
    stem_kernel: Size  # odd
    block_kernel: Size  # of the blocks at full resolution, odd
    dilations: Annotated[tuple[Size, ...], Field(min_length=1)]  # of those before the stride
    encoder_levels: Size  # strides of 2
    blocks_per_level: Size  # residual blocks of the deeper levels and of the decoder
    afno_blocks: Count  # at the bottleneck
    modes: Size  # largest wavenumber mixed there, clipped to the grid
    mixing_groups: Size  # diagonal blocks of the mixing
    kernels: Size  # kernels of a convolution at full resolution, mixed by θ; 1 = the same for all
    embedding_dim: Size  # of θ
    dropout: Annotated[float, Field(ge=0, lt=1)]  # probability that a block drops a channel

    def __post_init__(self) -> None:
        for name in ("stem_kernel", "block_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ValueError(f"{name}: allowed an odd number, got {getattr(self, name)}")
        if self.base_channels % self.mixing_groups:
            raise ValueError(
                f"mixing_groups: allowed a divisor of base_channels = {self.base_channels}, "
                f"got {self.mixing_groups}"
            )


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Phase:
    """A part of the curriculum."""

    horizon: Size  # steps of a window
    updates: Size  # optimizer steps


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Alignment:
    """Losses in the space of behavioural tokens, on whole rollouts, after the curriculum."""

    updates: Count  # optimizer steps that follow the curriculum
    learning_rate: Positive  # of the first of them; falls linearly to zero
    horizon: Size  # steps of their windows
    every: Size  # one of so many of them sees the alignment losses
    batch_size: Size  # operators rolled out for it
    gradient_steps: Size  # last steps of the rollout that the gradient passes through
    latent_weight: Weight  # λ₁, of L_latent
    commitment_weight: Weight  # λ₂, of L_commit
    commit_to: Literal["nearest", "target"]  # codes: the nearest, or those of the target
    tolerance: Weight  # largest rise of the validation error that is accepted, as a share


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class HeadsConfig:
    """Feature heads, fitted on the finished agent; see `heads`."""

    updates: Count  # on all training rollouts at once; 0: no heads
    width: Size  # of their hidden layers
    learning_rate: Positive
    weight_decay: Weight


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `train_noa` of params.yaml."""

    backbone: Backbone
    integrator: Literal["policy", "direct"]  # emulate O(u) inside the policy, or the next field
    certainty: bool  # whether the pattern of f fades with θ and age; see `certainty`
    context_steps: Count  # c: first transitions of a rollout, shown to the agent; it starts at u_c
    normalize: Normalize  # squared errors by the mean square of which; see `windows.unit`
    precision: Literal["float32", "bfloat16"]  # inside the backbone; fields are float32
    batch_size: Size  # windows an update
    microbatches: Size  # parts of a batch, each on a thread; they change the last digits
    extra_operators: Count  # further training points of the design, beyond the table
    extra_steps: Size  # of their rollouts, from u0
    extra_realizations: Size  # of each of them
    curriculum: Annotated[tuple[Phase, ...], Field(min_length=1)]
    gradient_steps: Size  # the gradient is cut after so many steps of a window
    initial_share: Share  # of windows that start at u0; the others start anywhere
    noise_injection: Weight  # noise added to a window's first field, in the unit of its first error
    objective: Literal["mse", "vq"]  # L_traj leads, or L_vq + L_traj / 2 after the curriculum
    learning_rate: Positive  # peak of the curriculum: linear warm-up, then half a cosine to zero
    warmup: Count  # updates
    weight_decay: Weight
    clip: Positive  # largest norm of the gradient
    validate_every: Size  # updates
    alignment: Alignment
    heads: HeadsConfig

    def __post_init__(self) -> None:
        for name, size in (
            ("batch_size", self.batch_size),
            ("alignment.batch_size", self.alignment.batch_size),
        ):
            if size % self.microbatches:
                raise ValueError(
                    f"{name}: allowed a multiple of microbatches = {self.microbatches}, got {size}"
                )
        if self.warmup >= self.lessons:
            raise ValueError(
                f"warmup: allowed fewer than the {self.lessons} updates of the curriculum, "
                f"got {self.warmup}"
            )

    @property
    def lessons(self) -> int:
        """Optimizer steps of the curriculum."""
        return sum(phase.updates for phase in self.curriculum)

    @property
    def updates(self) -> int:
        """Optimizer steps in all."""
        return self.lessons + self.alignment.updates

    @property
    def validations(self) -> list[int]:
        """Updates after which the agent is validated: every so many, at the ends of both parts."""
        regular = range(self.validate_every, self.updates, self.validate_every)
        return sorted({*regular, self.lessons, self.updates})

    def horizon(self, update: int) -> int:
        """Steps of the windows of an update, counted from 0."""
        for phase in self.curriculum:
            if update < phase.updates:
                return phase.horizon
            update -= phase.updates
        return self.alignment.horizon

    def check_steps(self, steps: int) -> None:
        """Refuse windows or further rollouts that are longer than the rollouts.

        An alignment without updates has no windows; further rollouts are counted from u0, with
        the context.

        Args:
            steps: of the rollouts, `generate.steps`.
        """
        horizons = {"curriculum: horizons": max(phase.horizon for phase in self.curriculum)}
        if self.alignment.updates:
            horizons["alignment.horizon"] = self.alignment.horizon
        for name, longest in horizons.items():
            if self.context_steps + longest > steps:
                raise Refusal(
                    f"train_noa.{name} must be at most generate.steps = {steps}, less the "
                    f"context's {self.context_steps}, got {longest}"
                )
        if self.extra_operators and self.extra_steps > steps:
            raise Refusal(
                f"train_noa.extra_steps must be at most generate.steps = {steps}, got "
                f"{self.extra_steps}"
            )

    def aligns(self, update: int) -> bool:
        """Whether an update, counted from 0, sees the alignment losses."""
        after = update - self.lessons
        return after >= 0 and after % self.alignment.every == 0

    def rate(self, update: int) -> float:
        """Learning rate of an update, counted from 0."""
        if update >= self.lessons:
            left = (self.updates - update) / self.alignment.updates
            return self.alignment.learning_rate * left
        warm = min(1.0, (update + 1) / (self.warmup + 1))
        return self.learning_rate * warm * (1 + math.cos(math.pi * update / self.lessons)) / 2
