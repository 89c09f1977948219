"""What the SUMMARY columns of a trajectory share: a few numbers per step, in float64."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.kernels import dot
from spinlock.features.numerics import RESOLUTION, deviation, trend

ROUNDING = 1e-14  # (1e-7)²: what float32 leaves of a mean square, as a share of it
QUIET = 1e-13  # variance of log energy below which its course is rounding
EMPTY = 1e-30  # mean square of a field that is zero
CHUNK = 2**20  # values of u reduced at a time


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
        return (self.log_energy * trend(self.steps, self.energy.device)).sum(-1)

    @cached_property
    def remainder(self) -> Float[Tensor, "*B T"]:
        """r_t, what a straight line leaves of x_t."""
        return deviation(self.log_energy) - self.growth[..., None] * deviation(self.time)

    @cached_property
    def remainder_variance(self) -> Float[Tensor, "*B"]:
        """Mean square of r_t."""
        return self.remainder.square().mean(-1)

    @cached_property
    def fluctuates(self) -> Bool[Tensor, "*B"]:
        """Whether r_t is more than rounding."""
        return self.remainder_variance.detach() > QUIET

    @cached_property
    def fluctuation(self) -> Float[Tensor, "*B T"]:
        """r_t; a wave stands in for it where it is rounding."""
        return torch.where(self.fluctuates[..., None], self.remainder, (2 * self.time).cos())

    @cached_property
    def periodogram(self) -> Float[Tensor, "*B F"]:
        """Power of the fluctuation at the frequencies j / T, j = 1 … T / 2."""
        power = torch.fft.rfft(self.fluctuation, norm="forward").abs().square()[..., 1:]
        weight = power.new_full(power.shape[-1:], 2.0)
        if self.steps % 2 == 0:
            weight[-1] = 1.0
        return power * weight

    @cached_property
    def floored_activity(self) -> Float[Tensor, "*B T-1"]:
        """D_t + 1e-14 E_t, so that a frozen trajectory has a logarithm."""
        return self.activity + ROUNDING * self.energy[..., 2:]


def measure(u: Float[Tensor, "*B T C H W"], u0: Float[Tensor, "*B C H W"]) -> Series:
    """Reduce trajectories to numbers per step, as many at a time as the cache holds."""
    trajectories = u.reshape(-1, *u.shape[-4:-2], u.shape[-2] * u.shape[-1])
    starts = u0.reshape(-1, 1, *trajectories.shape[2:])
    count = max(1, CHUNK // max(1, trajectories[0].numel()))
    pairs = zip(trajectories.split(count), starts.split(count), strict=True)
    found = [_of_some(*pair) for pair in pairs]
    joined = {name: torch.cat([part[name] for part in found]) for name in found[0]}
    return Series(**{name: x.reshape((*u.shape[:-4], *x.shape[1:])) for name, x in joined.items()})


def _of_some(u: Float[Tensor, "B T C M"], start: Float[Tensor, "B 1 C M"]) -> dict[str, Tensor]:
    numbers = _reduce(u, start)
    energy = numbers["energy"].detach()
    defined = (energy.isfinite() & (energy > EMPTY)).all(-1)
    if not bool(defined.all()):
        exists = defined[:, None, None, None]
        numbers = _reduce(*(torch.where(exists, x, _stand_in(x)) for x in (u, start)))
    varies = (numbers["variance"] > RESOLUTION**2 * numbers["energy"]).all(-1)
    numbers["variance"] = torch.where(varies[:, None], numbers["variance"], numbers["energy"])
    return numbers | {"defined": defined, "varies": varies}


def _reduce(u: Float[Tensor, "B T C M"], start: Float[Tensor, "B 1 C M"]) -> dict[str, Tensor]:
    fields = torch.cat([start, u], 1)
    mean = fields.mean(-1)
    v = fields - mean[..., None]
    mean = mean.double()
    change, drift = v[:, 1:] - v[:, :-1], mean.diff(dim=1)
    spread, apart = _mean_square(v), _mean_square(v[:, 1:] - v[:, :1])
    turning = _mean_product(change[:, 2:], change[:, 1:-1])
    return {
        "energy": spread + mean.square().mean(-1),
        "variance": spread,
        "activity": _mean_square(change[:, 1:]) + drift[:, 1:].square().mean(-1),
        "distance": apart + (mean[:, 1:] - mean[:, :1]).square().mean(-1),
        "covariance": (spread[:, 1:] + spread[:, :1] - apart) / 2,
        "turning": turning + (drift[:, 2:] * drift[:, 1:-1]).mean(-1),
    }


def _mean_product(x: Float[Tensor, "B t C M"], y: Float[Tensor, "B t C M"]) -> Float[Tensor, "B t"]:
    return dot(x, y).double().mean(-1) / x.shape[-1]


def _mean_square(x: Float[Tensor, "B t C M"]) -> Float[Tensor, "B t"]:
    return _mean_product(x, x)


def _stand_in(fields: Float[Tensor, "B t C M"]) -> Float[Tensor, "t C M"]:
    """A trajectory with finite columns."""
    count, cells = fields.shape[1], fields.shape[-1]
    phase = torch.arange(cells, dtype=fields.dtype, device=fields.device) * (2 * torch.pi / cells)
    swing = torch.arange(count, dtype=fields.dtype, device=fields.device).sin() + 2
    return swing[:, None, None] * phase.cos().expand(fields.shape[1:])
