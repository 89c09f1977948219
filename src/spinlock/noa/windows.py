"""The training rollouts in memory, and the windows that are drawn from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spinlock.refusals import Refusal
from spinlock.rollout import policies
from spinlock.rollout.engine import Rollout
from spinlock.sampling.table import Operators

SMALLEST = 1e-12  # mean square below which an operator does not move at all


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
    scale: Float[Tensor, " N"]  # unit of squared errors

    @property
    def steps(self) -> int:
        """T."""
        return self.fields.shape[2] - 1

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Windows of n rollouts."""

    ids: Int[np.ndarray, " n"]
    theta: Float[Tensor, "n P"]
    coefficients: Float[Tensor, "n 2"]
    start: Float[Tensor, "n C H W"]
    target: Float[Tensor, "n h C H W"]
    scale: Float[Tensor, " n"]

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
        )


def coefficients(operators: Operators) -> Float[Tensor, "n 2"]:
    """The pair (keep, gain) of every operator's policy."""
    return torch.tensor([policies.coefficients(theta) for theta in operators.theta])


def collect(
    operators: Operators,
    theta: Float[Tensor, "N P"],
    rollouts: Iterable[Rollout],
    normalize: Literal["increment", "field"],
) -> Windows:
    """Read rollouts into memory.

    Args:
        operators: the N operators of the rollouts.
        theta: their standardized columns.
        rollouts: one for each operator, in their order.
        normalize: squared errors are measured in the mean square of the operator's increments
            u_t − u_{t−1}, or of its fields.

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
        scale=torch.stack([_scale(u, normalize) for u in fields]),
    )


def draw(
    windows: Windows, size: int, horizon: int, initial_share: float, rng: np.random.Generator
) -> Batch:
    """A batch of windows: operator, realization and first step of each by chance.

    Args:
        windows: where from; realizations that diverge before `horizon` steps are left out.
        size: windows.
        horizon: their steps h.
        initial_share: probability that a window starts at u0.
        rng: source of all three.

    Raises:
        Refusal: no rollout is as long as the horizon.
    """
    usable = windows.lengths >= horizon
    rows = np.flatnonzero(usable.any(1))
    if not len(rows):
        raise Refusal(f"train_noa.curriculum: no rollout has {horizon} steps before it diverges")
    places = []
    for row in rows[rng.integers(len(rows), size=size)]:
        realization = rng.choice(np.flatnonzero(usable[row]))
        first = int(rng.integers(windows.lengths[row, realization] - horizon + 1))
        places.append((row, realization, 0 if rng.random() < initial_share else first))
    return take(windows, places, horizon)


def take(windows: Windows, places: Iterable[tuple[int, int, int]], horizon: int) -> Batch:
    """The windows at some places: row, realization, first frame."""
    places = list(places)
    rows = [row for row, _, _ in places]
    frames = torch.stack([windows.fields[n, r, t : t + horizon + 1] for n, r, t in places])
    return Batch(
        ids=windows.ids[rows],
        theta=windows.theta[rows],
        coefficients=windows.coefficients[rows],
        start=frames[:, 0],
        target=frames[:, 1:],
        scale=windows.scale[rows],
    )


def _scale(u: Float[Tensor, "R frames C H W"], normalize: Literal["increment", "field"]) -> Tensor:
    """Mean square of the increments or of the fields, where they exist."""
    values = u.diff(dim=1) if normalize == "increment" else u[:, 1:]
    squares = values.square().mean((-3, -2, -1), dtype=torch.float64)
    return squares.nanmean().nan_to_num(1.0).clamp_min(SMALLEST).float()
