"""The public functions give the bits of the stages, whatever the caller's number of threads."""

import pytest
import torch

import spinlock
from operator_cases import roll_out, table, theta
from spinlock.features import extract as features
from spinlock.rollout import stream
from spinlock.rollout.config import Config

CONFIG = Config(steps=4, realizations=2, bound=1e3, store="none", precision="float32", shard_size=1)


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def wide():
    """Operators on which two threads have other last bits than one."""
    return table(theta(base_channels=8, kernel_size=7), theta(base_channels=8), grid_size=32)


def test_replayed_bits_do_not_depend_on_the_number_of_threads(two_threads):
    found = list(spinlock.rollouts(wide(), None, CONFIG))
    torch.set_num_threads(1)
    for row, rollout in enumerate(found):
        assert torch.equal(rollout.u, roll_out(wide(), row, 4, 2, 1e3).u)


@pytest.mark.usefixtures("two_threads")
def test_all_is_computed_on_one_thread_and_the_callers_number_is_left_alone(monkeypatch):
    seen = []

    def noted(*arguments):
        seen.append(torch.get_num_threads())
        yield from ()

    monkeypatch.setattr(stream, "rollouts", noted)
    monkeypatch.setattr(features, "extract", lambda *a: seen.append(torch.get_num_threads()))
    assert list(spinlock.rollouts(wide(), None, CONFIG)) == []
    spinlock.extract(torch.zeros(1), torch.zeros(1))
    assert seen == [1, 1]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_between_two_rollouts_the_caller_has_his_threads():
    assert [torch.get_num_threads() for _ in spinlock.rollouts(wide(), None, CONFIG)] == [2, 2]


def test_neither_folder_nor_config_is_an_error():
    with pytest.raises(ValueError, match="expected a folder of rollouts or a config"):
        next(spinlock.rollouts(wide(), None))
