"""The training rollouts in memory, and the windows that are drawn from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.noa.config import Normalize
from spinlock.refusals import Refusal
from spinlock.rollout import policies
from spinlock.rollout.engine import Rollout
from spinlock.sampling.table import Operators

SMALLEST = 1e-12  # mean square below which an operator does not move at all
STRIDE = 8  # frames between the starts over which a displacement is averaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """What the agent learns from or is judged by: N operators with R realizations each.

    Memory: 4·N·R·(T + 1)·C·H·W bytes, 0.9 GB for 384 operators at R = 3, T = 64, C = 3, 32².
    """

    ids: Int[np.ndarray, " N"]
    theta: Float[Tensor, "N P"]  # standardized columns
    coefficients: Float[Tensor, "N 2"]  # of the policies: keep, gain
    fields: Float[Tensor, "N R frames C H W"]  # u_0 … u_T
    lengths: Int[np.ndarray, "N R"]  # steps before divergence; T if there is none
    scale: Float[Tensor, "N T"]  # unit of squared errors, by steps since a window's start
    context_steps: int  # c: windows start at u_c or later

    @property
    def steps(self) -> int:
        """T."""
        return self.fields.shape[2] - 1

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the agent knows of n operators."""

    theta: Float[Tensor, "n P"]  # standardized columns
    coefficients: Float[Tensor, "n 2"]  # keep and gain of each policy
    context: Float[Tensor, "n k C H W"] | None  # u_0 … u_c of a trajectory of each; none if c is 0
    shown: Float[Tensor, "n 2"]  # keep and gain of those trajectories, their own but in an ablation

    def repeated(self, times: int) -> "Given":
        """The same of so many copies of a single operator."""
        copies = [-1] * 4
        return Given(
            theta=self.theta.expand(times, -1),
            coefficients=self.coefficients.expand(times, -1),
            context=None if self.context is None else self.context.expand(times, *copies),
            shown=self.shown.expand(times, -1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Windows of n rollouts."""

    ids: Int[np.ndarray, " n"]
    theta: Float[Tensor, "n P"]
    coefficients: Float[Tensor, "n 2"]
    start: Float[Tensor, "n C H W"]
    target: Float[Tensor, "n h C H W"]
    scale: Float[Tensor, "n h"]
    context: Float[Tensor, "n k C H W"] | None  # u_0 … u_c of their rollouts; none if c is 0

    @property
    def given(self) -> Given:
        """What the agent knows of their operators."""
        return Given(
            theta=self.theta,
            coefficients=self.coefficients,
            context=self.context,
            shown=self.coefficients,
        )

    def split(self, parts: int) -> list["Batch"]:
        """Equal parts, in order."""
        size = len(self.ids) // parts
        return [self._rows(slice(i * size, (i + 1) * size)) for i in range(parts)]

    def _rows(self, rows: slice) -> "Batch":
        return Batch(
            ids=self.ids[rows],
            theta=self.theta[rows],
            coefficients=self.coefficients[rows],
            start=self.start[rows],
            target=self.target[rows],
            scale=self.scale[rows],
            context=None if self.context is None else self.context[rows],
        )


def coefficients(operators: Operators) -> Float[Tensor, "n 2"]:
    """The pair (keep, gain) of every operator's policy."""
    return torch.tensor([policies.coefficients(theta) for theta in operators.theta])


def collect(
    operators: Operators,
    theta: Float[Tensor, "N P"],
    rollouts: Iterable[Rollout],
    normalize: Normalize,
    context_steps: int,
) -> Windows:
    """Read rollouts into memory.

    Args:
        operators: the N operators of the rollouts.
        theta: their standardized columns.
        rollouts: one for each operator, in their order.
        normalize: what squared errors are measured in; see `unit`.
        context_steps: c.

    Raises:
        Refusal: there are none.
    """
    fields: Tensor | None = None
    lengths = []
    for row, rollout in enumerate(rollouts):
        if fields is None:  # filled in place: a list of rollouts would need the memory twice
            num_realizations, steps, *size = rollout.u.shape
            fields = torch.empty(len(operators), num_realizations, steps + 1, *size)
        fields[row, :, 0], fields[row, :, 1:] = rollout.u0, rollout.u
        diverged = rollout.diverged_at.numpy()
        lengths.append(np.where(diverged > 0, diverged - 1, rollout.u.shape[1]))
    if fields is None:
        raise Refusal("train_noa: a split is empty")
    return Windows(
        ids=operators.ids,
        theta=theta,
        coefficients=coefficients(operators),
        fields=fields,
        lengths=np.stack(lengths),
        scale=torch.stack([unit(u, normalize) for u in fields]),
        context_steps=context_steps,
    )


def draw(
    sets: Sequence[Windows], size: int, horizon: int, initial_share: float, rng: np.random.Generator
) -> Batch:
    """A batch of windows: operator, realization and first step of each by chance.

    Args:
        sets: where from, all their operators alike; realizations that diverge before `horizon`
            steps, and sets that are shorter, are left out.
        size: windows.
        horizon: their steps h.
        initial_share: probability that a window starts at u_c.
        rng: source of all three.

    Raises:
        Refusal: no rollout is as long as the horizon.
    """
    usable = [windows.lengths >= horizon + windows.context_steps for windows in sets]
    rows = [(which, row) for which, own in enumerate(usable) for row in np.flatnonzero(own.any(1))]
    if not rows:
        raise Refusal(f"train_noa.curriculum: no rollout has {horizon} steps before it diverges")
    places = []
    for index in rng.integers(len(rows), size=size):
        which, row = rows[index]
        realization = rng.choice(np.flatnonzero(usable[which][row]))
        earliest = sets[which].context_steps
        latest = sets[which].lengths[row, realization] - horizon
        first = int(rng.integers(earliest, latest + 1))
        first = earliest if rng.random() < initial_share else first
        places.append((sets[which], row, realization, first))
    return take(places, horizon)


def take(places: Sequence[tuple[Windows, int, int, int]], horizon: int) -> Batch:
    """The windows at some places: set, row, realization, first frame."""
    frames = torch.stack([own.fields[n, r, t : t + horizon + 1] for own, n, r, t in places])
    seen = [own.fields[n, r, : own.context_steps + 1] for own, n, r, _ in places]
    return Batch(
        ids=np.array([own.ids[n] for own, n, _, _ in places]),
        theta=torch.stack([own.theta[n] for own, n, _, _ in places]),
        coefficients=torch.stack([own.coefficients[n] for own, n, _, _ in places]),
        start=frames[:, 0],
        target=frames[:, 1:],
        scale=torch.stack([own.scale[n, :horizon] for own, n, _, _ in places]),
        context=torch.stack(seen) if len(seen[0]) > 1 else None,
    )


def unit(u: Float[Tensor, "R frames C H W"], normalize: Normalize) -> Float[Tensor, " T"]:
    r"""What a squared error t = 1 … T steps after the start of a window is divided by.

    The mean square, over what exists, of one of

    * "increment": $u_s - u_{s-1}$ over all s, the same for all t. Errors grow with t, those of a
      slow operator like t², so that it outweighs one that soon forgets where it came from.
    * "field": $u_s$ over all s, the same for all t.
    * "displacement": $u_{s+t} - u_s$ over every eighth s: 1 at every t is what the prediction
      "nothing changes" gets, and 1/2 what the mean of a process gets that forgot its past.
    """
    steps = u.shape[1] - 1
    if normalize == "displacement":
        return torch.stack(
            [_mean_square(u[:, t:] - u[:, :-t], STRIDE) for t in range(1, steps + 1)]
        )
    values = u.diff(dim=1) if normalize == "increment" else u[:, 1:]
    return _mean_square(values, 1).expand(steps)


def _mean_square(values: Float[Tensor, "R frames C H W"], stride: int) -> Float[Tensor, ""]:
    """Mean square of every so many frames where they exist; 1 if none does."""
    squares = values[:, ::stride].square().mean((-3, -2, -1), dtype=torch.float64)
    return squares.nanmean().nan_to_num(1.0).clamp_min(SMALLEST).float()
