"""Further training operators: who they are, and that they are the design's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spinlock import params
from spinlock.noa import extra
from spinlock.refusals import Refusal
from spinlock.rollout.config import Config as GenerateConfig
from spinlock.rollout.engine import roll_out
from spinlock.sampling import build, table
from spinlock.sampling.config import Config

SETTINGS = GenerateConfig(
    steps=6, realizations=2, bound=1e3, store="none", precision="float32", shard_size=8
)
SEED = 7


def sample(count: int, root: Path) -> tuple[Config, dict[str, object]]:
    """The project's space with few operators of small blocks."""
    tree = params.read(root / "params.yaml")
    section = tree["sample"] | {
        "num_operators": count,
        "grid_size": 32,
        "block_size": 4,
        "split": {"train": 2, "validation": 1, "test": 1},
    }
    made_by = {"seed": SEED, "sample": section}
    return params.parse("sample", made_by, Config), made_by


@pytest.fixture
def path(tmp_path: Path, root: Path) -> Path:
    config, made_by = sample(32, root)
    table.write(tmp_path / "operators.h5", build.build(SEED, config), made_by)
    return tmp_path / "operators.h5"


def test_they_are_the_training_operators_of_a_larger_design(path, root):
    found = extra.operators(path, 20)
    whole = build.build(SEED, sample(96, root)[0])
    rows = whole.rows("train")
    expected = whole.take(rows[rows >= 32][:20])
    assert found.ids.tolist() == expected.ids.tolist()
    assert (found.theta, found.ic_types) == (expected.theta, expected.ic_types)
    assert not found.held_out.any()
    assert set(found.split) == {"train"}
    assert min(found.ids) >= len(table.read(path))


def test_more_of_them_hold_fewer(path):
    few, many = extra.operators(path, 5), extra.operators(path, 60)
    assert np.array_equal(many.unit[:5], few.unit)
    assert many.theta[:5] == few.theta


def test_a_table_that_its_parameters_do_not_give_is_refused(tmp_path, root):
    config, made_by = sample(32, root)
    other = build.build(SEED + 1, config)
    table.write(tmp_path / "x.h5", replace(other, seed=SEED), made_by)
    with pytest.raises(Refusal, match="its operators are not those of its own parameters"):
        extra.operators(tmp_path / "x.h5", 5)


def test_their_rollouts_are_the_beginning_of_the_familys(path):
    some = extra.operators(path, 3)
    found = list(extra.rollouts(some, SETTINGS, 4, SETTINGS.realizations, 1))
    for row, rollout in enumerate(found):
        whole = roll_out(some, row, SETTINGS)
        assert torch.equal(rollout.u, whole.u[:, :4])
        assert torch.equal(rollout.u0, whole.u0)
    fewer = next(iter(extra.rollouts(some, SETTINGS, 2, 1, 1)))
    torch.testing.assert_close(fewer.u[0], found[0].u[0, :2], atol=1e-3, rtol=1e-3)


def test_processes_change_no_bit(path):
    some = extra.operators(path, 3)
    one, two = (list(extra.rollouts(some, SETTINGS, 2, 1, workers)) for workers in (1, 2))
    assert all(torch.equal(a.u, b.u) for a, b in zip(one, two, strict=True))
