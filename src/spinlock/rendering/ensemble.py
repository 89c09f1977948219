"""What all realizations of a rollout have in common, step by step, and how power is spread."""

import numpy as np
import torch
from jaxtyping import Float, Int

from spinlock.initial_conditions import measure
from spinlock.rollout.engine import Rollout


def frames(rollout: Rollout) -> Float[np.ndarray, "R S C H W"]:
    """u_0 … u_T of every realization, S = T + 1; NaN from the step of divergence on."""
    u = rollout.u.numpy()
    u0 = np.broadcast_to(rollout.u0.numpy(), (len(u), 1, *rollout.u0.shape))
    return np.concatenate([u0, u], axis=1)


def alive(u: Float[np.ndarray, "R S C H W"]) -> Int[np.ndarray, "S"]:
    """How many realizations have not diverged, at each step."""
    return np.isfinite(u).all((-3, -2, -1)).sum(0)


def mean(u: Float[np.ndarray, "R S C H W"]) -> Float[np.ndarray, "S C H W"]:
    """Mean over the realizations that have not diverged; NaN where none is left."""
    count = alive(u)[:, None, None, None]
    return np.where(count, np.nansum(u, 0) / np.maximum(count, 1), np.nan)


def variance(u: Float[np.ndarray, "R S C H W"]) -> Float[np.ndarray, "S H W"]:
    r"""Variance over the realizations that have not diverged, summed over the channels.

    $\sum_c \sum_r (u_{rc} - \bar u_c)^2 / (R - 1)$, without bias; NaN where only one is left.
    """
    count = alive(u)[:, None, None]
    squares = np.nansum(np.square(u - mean(u)), 0).sum(1)
    return np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)


def power(u: Float[np.ndarray, "S C H W"]) -> Float[np.ndarray, "S H W"]:
    r"""Power $\sum_c |\hat u_c(k)|^2$ of each mode, the wave vector 0 at (H // 2, W // 2).

    Its sum over all modes is the mean square of the field, summed over channels (Parseval).
    """
    modes = np.fft.fft2(u, norm="forward")
    return np.fft.fftshift(np.square(np.abs(modes)).sum(1), axes=(-2, -1))


def radial(u: Float[np.ndarray, "S C H W"]) -> Float[np.ndarray, "S B"]:
    """Power of annuli of width 1 around |k| = 1 … B cycles per domain, summed over the channels."""
    return measure.radial_spectrum(torch.from_numpy(u))[0].sum(1).numpy()


def courses(
    u: Float[np.ndarray, "R S C H W"],
) -> tuple[Float[np.ndarray, "R S"], Float[np.ndarray, "R S"]]:
    """Mean over the domain and the channels; variance over the domain, mean over the channels."""
    return u.mean((-3, -2, -1), dtype=np.float64), u.var((-2, -1), dtype=np.float64).mean(-1)
