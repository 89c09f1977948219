"""The stream of trajectories: the same bits, whether they are stored or replayed."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import numpy as np
import torch

from spinlock.pool import pool
from spinlock.refusals import Refusal
from spinlock.rollout.config import Config, Settings
from spinlock.rollout.engine import Rollout, roll_out
from spinlock.rollout.index import open_rollouts
from spinlock.sampling.table import Operators


def rollouts(
    operators: Operators,
    folder: Path | str | None,
    config: Config | None = None,
    draw: int = 0,
    workers: int = 1,
) -> Iterator[Rollout]:
    """The rollouts of some operators, in their order.

    Args:
        operators: the table, or some of its rows.
        folder: rollouts of that table, such as `data/rollouts`; read from there as far as stored,
            and replayed with the settings of its index beyond. Without one all are replayed.
        config: settings of the replay; needed only without a folder.
        draw: 0 is the data; another number is another u0 and other noise, always replayed.
        workers: processes, if anything is replayed; they change no bit.

    Raises:
        Refusal: a shard is missing, damaged, foreign, or was made from another table; or a worker
            died.
        ValueError: neither folder nor config.
    """
    if folder is None:
        if config is None:
            raise ValueError("rollouts: expected a folder of rollouts or a config to replay with")
        yield from replay(operators, config, draw, workers)
        return
    index = open_rollouts(folder)
    if draw:
        index.check(operators)
        yield from replay(operators, index, draw, workers)
    else:
        whole = all(index.stored_steps(i) == index.steps for i in operators.ids.tolist())
        yield from each(operators, index.read, 1 if whole else workers)


def replay(
    operators: Operators, settings: Settings, draw: int = 0, workers: int = 1
) -> Iterator[Rollout]:
    """Roll the operators out again, in their order, in this process or in a pool of others."""
    yield from each(operators, partial(roll_out, settings=settings, draw=draw), workers)


Make = Callable[[Operators, int], Rollout]


def each(operators: Operators, make: Make, workers: int) -> Iterator[Rollout]:
    """What `make` gives for each row, in order, from this process or a pool of others."""
    if workers == 1 or len(operators) < 2:
        yield from (make(operators, row) for row in range(len(operators)))
        return
    waiting: deque[tuple[int, Future[Packed]]] = deque()
    with pool(workers) as executor:
        for row, operator in enumerate(operators.ids.tolist()):
            waiting.append((operator, executor.submit(_pack, make, operators.take([row]))))
            if len(waiting) > 2 * workers:  # rollouts are large: keep few of them in memory
                yield _next(waiting)
        while waiting:
            yield _next(waiting)


Packed = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def _pack(make: Make, operator: Operators) -> Packed:
    """One rollout as arrays: tensors would travel through shared memory, a file handle each."""
    rollout = make(operator, 0)
    arrays = (rollout.u0.numpy(), rollout.u.numpy(), rollout.diverged_at.numpy())
    return rollout.operator, *arrays


def _next(waiting: deque[tuple[int, Future[Packed]]]) -> Rollout:
    first, future = waiting.popleft()
    try:
        operator, *arrays = future.result()
    except BrokenProcessPool:
        last = waiting[-1][0] if waiting else first
        raise Refusal(
            f"a worker died while operators {first} … {last} were rolled out "
            "(killed, or out of memory?)"
        ) from None
    u0, u, diverged_at = map(torch.from_numpy, arrays)
    return Rollout(operator=operator, u0=u0, u=u, diverged_at=diverged_at)
