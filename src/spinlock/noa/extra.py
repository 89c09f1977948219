"""Further training operators: points of the same design, beyond those of the table."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from spinlock import artifacts, params
from spinlock.operators.build import build as build_operator
from spinlock.refusals import Refusal
from spinlock.rollout import stream
from spinlock.rollout.config import Settings
from spinlock.rollout.engine import Rollout, finished, initial_condition, step_map
from spinlock.sampling import build, table
from spinlock.sampling.config import Config
from spinlock.sampling.table import Operators


def operators(path: Path, count: int) -> Operators:
    """The first `count` training operators of the design that the table does not hold.

    The design and its splits are prefix-stable: a larger table of the same parameters holds the
    same operators, in training blocks and no held-out group. So no validation or test operator is
    among them, nor would be if the table grew.

    Args:
        path: the operator table; the parameters that made it stand in it.
        count: how many.

    Raises:
        Refusal: the parameters in the table do not give the table.
    """
    known = table.read(path)
    with artifacts.reading(path, table.KIND) as source:
        made_by = source.provenance["params"]
    config = params.parse("sample", made_by, Config, path)
    beyond, size = 0, len(known)
    while beyond < count:
        size += max(count - beyond, config.block_size * config.split.cycle)
        whole = build.build(known.seed, replace(config, num_operators=size))
        rows = whole.rows("train")
        rows = rows[rows >= len(known)]
        beyond = len(rows)
    _check(known, whole, path)
    return whole.take(rows[:count])


def _check(known: Operators, whole: Operators, path: Path) -> None:
    """Refuse a design that does not begin with the table."""
    first = whole.take(slice(len(known)))
    same = (first.theta, first.ic_types, first.split) == (known.theta, known.ic_types, known.split)
    if not same or not np.array_equal(first.weights_z, known.weights_z):
        raise Refusal(f"{path}: its operators are not those of its own parameters (dvc repro)")


def rollouts(
    some: Operators, settings: Settings, steps: int, realizations: int, workers: int
) -> Iterator[Rollout]:
    """The first steps of some rollouts, replayed in their order.

    Args:
        some: the operators.
        settings: those of the whole rollouts.
        steps: how many steps of each.
        realizations: how many of each.
        workers: processes; they change no bit.
    """
    yield from stream.each(
        some,
        partial(first_steps, settings=settings, steps=steps, realizations=realizations),
        workers,
    )


@torch.no_grad()
def first_steps(
    some: Operators, row: int, *, settings: Settings, steps: int, realizations: int
) -> Rollout:
    """u_1 … u_steps of `engine.roll_out`, with fewer realizations.

    Equal to its own to the last bits, which depend on how many realizations go together.
    """
    operator = build_operator(some, row, settings.precision)
    advance, u0 = step_map(operator), initial_condition(some, row)
    u = u0.expand(realizations, *u0.shape).contiguous()
    frames = []
    for step in range(1, steps + 1):
        u = advance(u, operator.chance.at(step, settings.steps, realizations, 0))
        frames.append(u)
    return finished(operator.id, u0, torch.stack(frames, 1), settings.bound)
