"""The random numbers of one step of one operator, each from its own stream."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.operators import noise
from spinlock.randomness import stream
from spinlock.sampling.theta import Theta


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """What is random in one application of an operator to all its realizations."""

    noise: Float[Tensor, "R F H W"]  # scale, schedule and correlation included
    masks: tuple[Float[Tensor, "R width 1 1"], ...]  # a layer each; empty if nothing is dropped


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chance:
    """An operator's source of random numbers: a function of step and realization, no state.

    Its streams are `noise/{draw}` and `dropout/{layer}/{draw}`, one a realization and step.
    """

    seed: int  # root seed
    operator: int  # id
    theta: Theta
    shape: tuple[int, int, int]  # F, H, W of the noise; F as its type says
    widths: tuple[int, ...]  # channels that each layer's dropout acts on
    response: Float[Tensor, "H half"]  # filter of the noise; see `noise.transfer`

    def at(self, step: int, steps: int, realizations: int, draw: int) -> Draws:
        """The draws of step t in 1 … T, for realizations 0 … R - 1."""
        return Draws(
            noise=self._noise(step, steps, realizations, draw),
            masks=tuple(
                self._mask(layer, step, realizations, draw)
                for layer in range(len(self.widths))
                if self.theta.dropout_rate > 0
            ),
        )

    def _noise(
        self, step: int, steps: int, realizations: int, draw: int
    ) -> Float[Tensor, "R F H W"]:
        unit = noise.TYPES[self.theta.noise_type].unit
        rngs = self._streams(f"noise/{draw}", step, realizations)
        field = torch.from_numpy(np.stack([unit(rng, self.shape) for rng in rngs]))
        if self.theta.spatial_correlation > 0:
            field = noise.filtered(field, self.response)
        share = noise.SCHEDULES[self.theta.noise_schedule](step, steps, self.theta.schedule_period)
        return field * (self.theta.noise_scale * share)

    def _mask(
        self, layer: int, step: int, realizations: int, draw: int
    ) -> Float[Tensor, "R width 1 1"]:
        """0 with probability `dropout_rate`, else 1 / (1 - rate), so that the mean is 1."""
        rate = self.theta.dropout_rate
        rngs = self._streams(f"dropout/{layer}/{draw}", step, realizations)
        uniform = torch.from_numpy(np.stack([rng.random(self.widths[layer]) for rng in rngs]))
        return ((uniform >= rate).float() / (1 - rate))[:, :, None, None]

    def _streams(self, purpose: str, step: int, realizations: int) -> list[np.random.Generator]:
        return [stream(self.seed, purpose, self.operator, r, step) for r in range(realizations)]
