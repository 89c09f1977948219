"""What the SUMMARY columns of a trajectory share: a few numbers per step, in float64."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.numerics import RESOLUTION, deviation, slope, variance

ROUNDING = 1e-14  # (1e-7)²: what float32 leaves of a mean square, as a share of it
QUIET = 1e-13  # variance of log energy below which its course is rounding
EMPTY = 1e-30  # mean square of a field that is zero


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: cached properties live in __dict__
class Series:
    """Numbers of each step of a trajectory; ⟨·⟩ is the mean over channels and domain.

    Where a trajectory is undefined (a value is not finite, or a field is zero) another one stands
    in for it, so that every number made of it is finite and its gradient too.
    """

    defined: Bool[Tensor, "*B"]
    varies: Bool[Tensor, "*B"]  # no field of it is constant
    energy: Float[Tensor, "*B T+1"]  # E_t = ⟨u_t²⟩, t = 0 … T
    variance: Float[Tensor, "*B T+1"]  # V_t = ⟨(u_t − its mean, by channel)²⟩
    activity: Float[Tensor, "*B T-1"]  # D_t = ⟨(u_t − u_(t−1))²⟩, t = 2 … T
    distance: Float[Tensor, "*B T"]  # S_t = ⟨(u_t − u_0)²⟩, t = 1 … T
    covariance: Float[Tensor, "*B T"]  # of u_t with u_0, t = 1 … T
    turning: Float[Tensor, "*B T-2"]  # ⟨(u_(t+1) − u_t)(u_t − u_(t−1))⟩, t = 2 … T − 1

    @property
    def steps(self) -> int:
        """T."""
        return self.distance.shape[-1]

    @cached_property
    def time(self) -> Float[Tensor, "T"]:
        """t = 1 … T."""
        return torch.arange(1, self.steps + 1, dtype=torch.float64, device=self.energy.device)

    @cached_property
    def log_energy(self) -> Float[Tensor, "*B T"]:
        """x_t = ln E_t, t = 1 … T."""
        return self.energy[..., 1:].log()

    @cached_property
    def growth(self) -> Float[Tensor, "*B"]:
        """Least-squares slope of x_t."""
        return slope(self.log_energy, self.time)

    @cached_property
    def remainder(self) -> Float[Tensor, "*B T"]:
        """r_t, what a straight line leaves of x_t."""
        return deviation(self.log_energy) - self.growth[..., None] * deviation(self.time)

    @cached_property
    def fluctuates(self) -> Bool[Tensor, "*B"]:
        """Whether r_t is more than rounding."""
        return variance(self.remainder.detach()) > QUIET

    @cached_property
    def fluctuation(self) -> Float[Tensor, "*B T"]:
        """r_t; a wave stands in for it where it is rounding."""
        return torch.where(self.fluctuates[..., None], self.remainder, (2 * self.time).cos())

    @cached_property
    def floored_activity(self) -> Float[Tensor, "*B T-1"]:
        """D_t + 1e-14 E_t, so that a frozen trajectory has a logarithm."""
        return self.activity + ROUNDING * self.energy[..., 2:]


def measure(u: Float[Tensor, "*B T C H W"], u0: Float[Tensor, "*B C H W"]) -> Series:
    """Reduce trajectories to numbers per step, one trajectory at a time."""
    trajectories = u.reshape(-1, *u.shape[-4:])
    starts = u0.reshape(-1, 1, *u0.shape[-3:])
    pairs = zip(trajectories, starts, strict=True)
    found = [_of_one(trajectory, start) for trajectory, start in pairs]
    stacked = {
        name: torch.stack([part[name] for part in found]).unflatten(0, u.shape[:-4])
        if u.ndim > 4
        else found[0][name]
        for name in found[0]
    }
    return Series(**stacked)


def _of_one(u: Float[Tensor, "T C H W"], start: Float[Tensor, "1 C H W"]) -> dict[str, Tensor]:
    numbers = _reduce(u, start)
    energy = numbers["energy"].detach()
    defined = (energy.isfinite() & (energy > EMPTY)).all()
    if not bool(defined):
        numbers = _reduce(*(torch.where(defined, field, _stand_in(field)) for field in (u, start)))
    varies = numbers["variance"] > RESOLUTION**2 * numbers["energy"]
    numbers["variance"] = torch.where(varies.all(), numbers["variance"], numbers["energy"])
    return numbers | {"defined": defined, "varies": varies.all()}


def _reduce(u: Float[Tensor, "T C H W"], start: Float[Tensor, "1 C H W"]) -> dict[str, Tensor]:
    fields = torch.cat([start, u])
    mean = fields.mean((-2, -1), keepdim=True)
    v = fields - mean
    mean = mean[..., 0, 0].double()
    change, drift = v.diff(dim=0), mean.diff(dim=0)
    spread, apart = _mean_square(v), _mean_square(v[1:] - v[:1])
    activity = _mean_square(change[1:]) + drift[1:].square().mean(-1)
    turning = _mean(change[2:] * change[1:-1]) + (drift[2:] * drift[1:-1]).mean(-1)
    return {
        "energy": spread + mean.square().mean(-1),
        "variance": spread,
        "activity": activity,
        "distance": apart + (mean[1:] - mean[:1]).square().mean(-1),
        "covariance": (spread[1:] + spread[:1] - apart) / 2,
        "turning": turning,
    }


def _mean(fields: Float[Tensor, "n C H W"]) -> Float[Tensor, "n"]:
    return fields.mean((-3, -2, -1)).double()


def _mean_square(fields: Float[Tensor, "n C H W"]) -> Float[Tensor, "n"]:
    return _mean(fields.square())


def _stand_in(fields: Float[Tensor, "n C H W"]) -> Float[Tensor, "n C H W"]:
    """A trajectory with finite columns."""
    count, size = fields.shape[0], fields.shape[-1]
    phase = torch.arange(size, dtype=fields.dtype, device=fields.device) * (2 * torch.pi / size)
    swing = torch.arange(count, dtype=fields.dtype, device=fields.device).sin() + 2
    return swing[:, None, None, None] * phase.cos().expand(fields.shape)
