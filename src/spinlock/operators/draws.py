"""The random numbers of one step of one operator, each from its own stream."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.operators import noise
from spinlock.randomness import Streams
from spinlock.sampling.theta import Theta


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """What is random in one application of an operator to all its realizations."""

    noise: Float[Tensor, "R F H W"]  # scale, schedule and correlation included
    masks: tuple[Float[Tensor, "R width 1 1"], ...]  # a layer each; empty if nothing is dropped


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chance:
    """An operator's source of random numbers, which are a function of step and realization.

    Its streams are `noise/{draw}` and `dropout/{layer}/{draw}`, one a realization and step. It
    belongs to one thread.
    """

    seed: int  # root seed
    operator: int  # id
    theta: Theta
    shape: tuple[int, int, int]  # F, H, W of the noise; F as its type says
    widths: tuple[int, ...]  # channels that each layer's dropout acts on
    response: Float[Tensor, "H half"]  # filter of the noise; see `noise.transfer`
    _streams: dict[str, Streams] = field(default_factory=dict, init=False)  # by purpose

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
        unit, streams = noise.TYPES[self.theta.noise_type].unit, self._of(f"noise/{draw}")
        fields = np.stack([unit(streams.at(r, step), self.shape) for r in range(realizations)])
        white = torch.from_numpy(fields)
        correlated = self.theta.spatial_correlation > 0
        share = noise.SCHEDULES[self.theta.noise_schedule](step, steps, self.theta.schedule_period)
        scale = self.theta.noise_scale * share
        return scale * (noise.filtered(white, self.response) if correlated else white)

    def _mask(
        self, layer: int, step: int, realizations: int, draw: int
    ) -> Float[Tensor, "R width 1 1"]:
        """0 with probability `dropout_rate`, else 1 / (1 - rate), so that the mean is 1."""
        rate, streams = self.theta.dropout_rate, self._of(f"dropout/{layer}/{draw}")
        uniform = np.empty((realizations, self.widths[layer]))
        for realization, row in enumerate(uniform):
            streams.at(realization, step).random(out=row)
        kept = torch.from_numpy(uniform >= rate)
        return (kept / (1 - rate))[:, :, None, None]

    def _of(self, purpose: str) -> Streams:
        """The streams of a purpose, made when first asked for."""
        if purpose not in self._streams:
            self._streams[purpose] = Streams(self.seed, purpose, self.operator)
        return self._streams[purpose]
