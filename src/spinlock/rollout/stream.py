"""The stream of trajectories: the same bits, whether they are stored or replayed."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from spinlock import store
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
        folder: rollouts of that table, such as `data/rollouts`; read from there if stored, and
            replayed with the settings of its index if not. Without a folder all are replayed.
        config: settings of the replay; needed only without a folder.
        draw: 0 is the data; another number is another u0 and other noise, always replayed.
        workers: processes of a replay; they change no bit.

    Raises:
        Refusal: a shard is missing, damaged, foreign, or was made from another table.
        ValueError: neither folder nor config.
    """
    if folder is None:
        if config is None:
            raise ValueError("rollouts: expected a folder of rollouts or a config to replay with")
        yield from replay(operators, config, draw, workers)
        return
    index = open_rollouts(folder)
    if draw == 0 and index.stored:
        yield from (index.read(operators, row) for row in range(len(operators)))
    else:
        index.check(operators)
        yield from replay(operators, index, draw, workers)


def replay(
    operators: Operators, settings: Settings, draw: int = 0, workers: int = 1
) -> Iterator[Rollout]:
    """Roll the operators out again, in their order, in this process or in a pool of others."""
    if workers == 1 or len(operators) < 2:
        yield from (roll_out(operators, row, settings, draw) for row in range(len(operators)))
        return
    with store.pool(workers) as executor:
        waiting: deque = deque()
        for row in range(len(operators)):
            waiting.append(executor.submit(_replay_one, operators.take([row]), settings, draw))
            if len(waiting) > 2 * workers:  # rollouts are large: keep few of them in memory
                yield _unpack(waiting.popleft().result())
        while waiting:
            yield _unpack(waiting.popleft().result())


Packed = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def _replay_one(operator: Operators, settings: Settings, draw: int) -> Packed:
    """One rollout as arrays: tensors would travel through shared memory, a file handle each."""
    rollout = roll_out(operator, 0, settings, draw)
    arrays = (rollout.u0.numpy(), rollout.u.numpy(), rollout.diverged_at.numpy())
    return rollout.operator, *arrays


def _unpack(packed: Packed) -> Rollout:
    operator, *arrays = packed
    u0, u, diverged_at = map(torch.from_numpy, arrays)
    return Rollout(operator=operator, u0=u0, u=u, diverged_at=diverged_at)
