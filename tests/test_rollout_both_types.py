"""For both operator types, all policies, noises and schedules: stored is replayed, to the bit."""

from itertools import product

import numpy as np
import pytest
import torch

from operator_cases import table, theta
from spinlock import store
from spinlock.operators.noise import SCHEDULES, TYPES
from spinlock.rollout import shards
from spinlock.rollout.config import Config
from spinlock.rollout.engine import roll_out
from spinlock.rollout.last_step import last_step
from spinlock.rollout.policies import POLICIES
from spinlock.rollout.stream import rollouts

COMBINATIONS = list(product(("cnn", "u_afno"), POLICIES, TYPES, SCHEDULES))
NAMES = ("operator_type", "update_policy", "noise_type", "noise_schedule")
OPERATORS = table(
    *(
        theta(**dict(zip(NAMES, values, strict=True)), encoder_levels=1, schedule_period=5.0)
        for values in COMBINATIONS
    )
)
CONFIG = Config(
    steps=4, realizations=2, bound=1e3, store="all", precision="float32", shard_size=len(OPERATORS)
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    root = tmp_path_factory.mktemp("rollouts")
    plan = shards.plan(OPERATORS, CONFIG)
    paths = store.fill(plan, shards.compute, root / "store", 1, "shards")
    shards.assemble(OPERATORS, CONFIG, paths, root / "all")
    return list(rollouts(OPERATORS, root / "all"))


@pytest.mark.parametrize("row", range(len(OPERATORS)), ids=lambda row: "-".join(COMBINATIONS[row]))
def test_stored_is_replayed_alone_and_continued_by_the_last_step(stored, row):
    read, alone = stored[row], roll_out(OPERATORS.take([row]), 0, CONFIG)
    assert torch.equal(read.u0, alone.u0)
    assert torch.equal(read.u, alone.u)
    assert read.u.isfinite().all()
    step = last_step(OPERATORS, row, CONFIG)
    assert torch.equal(step(read.u[:, -2]), read.u[:, -1])


def test_no_two_of_them_are_alike(stored):
    # id 0 for all: the same u0, and the same streams wherever types share them
    alike = table(*OPERATORS.theta, ids=np.zeros(len(OPERATORS), dtype=np.int64))
    frames = torch.stack([roll_out(alike, row, CONFIG).u.flatten() for row in range(len(alike))])
    assert torch.pdist(frames).min() > 1e-2
