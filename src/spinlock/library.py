"""Public functions whose last bits depend on the number of threads: on one thread, as in stages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float
from threadpoolctl import threadpool_limits
from torch import Tensor

from spinlock.features import extract as features
from spinlock.features.summary.trajectories import Step
from spinlock.rollout import stream
from spinlock.rollout.config import Config
from spinlock.rollout.engine import Rollout
from spinlock.sampling.table import Operators


def rollouts(
    operators: Operators,
    folder: Path | str | None,
    config: Config | None = None,
    draw: int = 0,
    workers: int = 1,
) -> Iterator[Rollout]:
    """The rollouts of some operators, in their order, to the bits that `generate` stored.

    Arguments and refusals are those of `rollout.stream.rollouts`. The `config` of a replay without
    a folder is `params.load("generate", Config)`. With more than one of `workers`, a script must
    stand under `if __name__ == "__main__":`, because each process imports it again.
    """
    made = stream.rollouts(operators, folder, config, draw, workers)
    while True:
        with one_thread():
            rollout = next(made, None)
        if rollout is None:
            return
        yield rollout


def extract(
    u: Float[Tensor, "*B R T C H W"], u0: Float[Tensor, "*B C H W"], step: Step | None = None
) -> dict[str, Float[Tensor, "..."]]:
    """The default features of some operators; see `features.extract.extract`."""
    with one_thread():
        return features.extract(u, u0, step)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, and leave the caller's number as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
