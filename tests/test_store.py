"""The store computes what is missing, once, with the same bytes however many workers there are."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from spinlock import store
from spinlock.refusals import Refusal
from spinlock.store import Shard


def square(work: int, path: Path) -> None:
    path.write_text(str(work**2))


def explode(work: int, path: Path) -> None:
    path.write_text("half")
    raise ValueError(f"cannot do {work}")


def die(work: int, path: Path) -> None:
    if work == 1:
        os._exit(9)
    path.write_text(str(work))


SHARDS = [Shard(key=f"k{i}", work=i) for i in range(4)]


@pytest.mark.parametrize("workers", [1, 2])
def test_paths_come_in_order_with_their_content(tmp_path, workers):
    paths = store.fill(SHARDS, square, tmp_path, workers, "squares")
    assert [p.read_text() for p in paths] == ["0", "1", "4", "9"]


def test_growth_computes_only_the_difference(tmp_path):
    store.fill(SHARDS[:2], square, tmp_path, 1, "squares")
    (tmp_path / "k0.h5").write_text("kept")
    paths = store.fill(SHARDS, square, tmp_path, 1, "squares")
    assert [p.read_text() for p in paths] == ["kept", "1", "4", "9"]


def test_a_failure_leaves_no_half_file_and_keeps_what_is_done(tmp_path):
    store.fill(SHARDS[:1], square, tmp_path, 1, "squares")
    with pytest.raises(ValueError, match="cannot do 1"):
        store.fill(SHARDS[:2], explode, tmp_path, 1, "squares")
    assert sorted(p.name for p in tmp_path.glob("*")) == ["k0.h5", "lock"]


def test_a_dead_worker_is_one_sentence(tmp_path):
    with pytest.raises(Refusal, match="a worker died"):
        store.fill(SHARDS, die, tmp_path, 2, "work")
    assert not (tmp_path / "k1.h5").exists()


def test_a_store_in_use_is_refused(tmp_path):
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(Refusal, match="another run is filling this store"),
    ):
        store.fill(SHARDS, square, tmp_path, 1, "squares")
