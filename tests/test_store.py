"""The store computes what is missing, once, with the same bytes whoever computes it."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import pytest
from filelock import FileLock

from disk_cases import read_only
from spinlock import pool, store
from spinlock.refusals import Refusal
from spinlock.store import Shard, Stored


def square(work: int, path: Path) -> None:
    path.write_text(str(work**2))


def explode(work: int, path: Path) -> None:
    path.write_text("half")
    raise ValueError(f"cannot do {work}")


def die_at_one(work: int, path: Path) -> None:
    path.write_text("half")
    if work == 1:
        os._exit(9)
    square(work, path)


def die_at_first(work: tuple[int, Path], path: Path) -> None:
    """Two workers meet and one dies; nobody dies again."""
    number, scratch = work
    (scratch / f"began-{number}").touch()
    if number == 1 and not (scratch / "died").exists():
        while not (scratch / "began-0").exists():
            time.sleep(0.01)
        (scratch / "died").touch()
        os._exit(9)
    if number == 0 and not (scratch / "died").exists():
        time.sleep(60)
    square(number, path)


def wait_for_ever(work: Path, path: Path) -> None:
    path.write_text("half")
    work.touch()
    time.sleep(60)


@pytest.fixture
def forked(monkeypatch):
    """Start workers at once; the stages start fresh interpreters, see pipeline/test_faults."""
    monkeypatch.setattr(pool, "get_context", lambda _: multiprocessing.get_context("fork"))


SHARDS = [Shard(key=f"k{i}", work=i) for i in range(4)]


def threads(shards, task):
    """An executor that somebody may plug in: other workers, and another order."""
    with ThreadPoolExecutor(2) as executor:
        for future in as_completed([executor.submit(task, s) for s in reversed(shards)]):
            yield future.result()


def courier(shards, task):
    """One whose work and results travel as bytes, as to another machine and back."""
    for shard in reversed(shards):
        sent = pickle.dumps((task, shard))
        there, what = pickle.loads(sent)
        yield pickle.loads(pickle.dumps(there(what)))


def names(folder: Path) -> list[str]:
    """Keys of the finished shards, and whatever else lies in the store."""
    return sorted(path.name.partition("-")[0] for path in folder.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_paths_come_in_order_with_their_content(tmp_path, forked, workers):
    paths = store.fill(SHARDS, square, tmp_path, workers, "squares")
    assert [p.read_text() for p in paths] == ["0", "1", "4", "9"]


@pytest.mark.parametrize("executor", [threads, courier])
def test_another_executor_gives_the_same_files(tmp_path, executor):
    one = store.fill(SHARDS, square, tmp_path / "one", 1, "squares")
    other = store.fill(SHARDS, square, tmp_path / "other", 1, "squares", executor)
    assert [p.name for p in one] == [p.name for p in other]
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in other]


def test_an_executor_is_asked_only_for_what_is_missing(tmp_path):
    asked = []

    def record(shards, task):
        asked.extend(shard.key for shard in shards)
        return store.sequential(shards, task)

    for wanted in (SHARDS[:2], SHARDS, SHARDS[:3], SHARDS[::-1]):
        paths = store.fill(wanted, square, tmp_path, 1, "squares", record)
        assert [p.read_text() for p in paths] == [str(s.work**2) for s in wanted]
    assert asked == ["k0", "k1", "k2", "k3"]


@pytest.mark.parametrize(
    "executor",
    [
        lambda shards, task: iter(()),
        lambda shards, task: iter([Stored("k9", Path("elsewhere"), "0")]),
    ],
    ids=["nothing", "something else"],
)
def test_an_executor_that_does_not_do_as_asked_is_refused(tmp_path, executor):
    with pytest.raises(ValueError, match="squares: the executor gave back other shards"):
        store.fill(SHARDS, square, tmp_path, 1, "squares", executor)


def test_growth_keeps_the_files_that_are_there(tmp_path):
    first = store.fill(SHARDS[:2], square, tmp_path, 1, "squares")
    before = [(p, p.stat().st_mtime_ns, p.stat().st_ino) for p in first]
    store.fill(SHARDS, square, tmp_path, 1, "squares")
    assert [(p, p.stat().st_mtime_ns, p.stat().st_ino) for p in first] == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1])),
        lambda path: path.write_bytes(b""),
    ],
    ids=["truncated", "flipped", "empty"],
)
def test_a_damaged_shard_is_named_and_computed_again(tmp_path, capsys, damage):
    path = store.fill(SHARDS, square, tmp_path, 1, "squares")[2]
    damage(path)
    capsys.readouterr()
    again = store.fill(SHARDS, square, tmp_path, 1, "squares")[2]
    assert again.read_text() == "4"
    assert f"squares: {path}: truncated or damaged; computed again" in capsys.readouterr().err


def test_a_failure_leaves_no_half_file_and_keeps_what_is_done(tmp_path):
    store.fill(SHARDS[:1], square, tmp_path, 1, "squares")
    with pytest.raises(ValueError, match="cannot do 1"):
        store.fill(SHARDS[:2], explode, tmp_path, 1, "squares")
    assert names(tmp_path) == ["k0", "lock"]


def test_a_worker_that_dies_twice_is_one_sentence_with_its_shard(tmp_path, forked, capsys):
    shards = [Shard(key=f"k{i}", work=i, name=f"operators {8 * i} … {8 * i + 7}") for i in range(3)]
    with pytest.raises(Refusal, match="operators 8 … 15: the worker that computes it died twice"):
        store.fill(shards, die_at_one, tmp_path, 2, "work")
    assert "a worker died with operators" in capsys.readouterr().err
    assert "k1" not in names(tmp_path)
    assert not list(tmp_path.glob(".*.part"))


def test_a_worker_that_dies_once_costs_only_its_time(tmp_path, forked, capsys):
    shards = [Shard(key=f"k{i}", work=(i, tmp_path)) for i in range(4)]
    paths = store.fill(shards, die_at_first, tmp_path / "store", 2, "work")
    assert [p.read_text() for p in paths] == ["0", "1", "4", "9"]
    said = capsys.readouterr().err
    assert "a worker died with shard k0 and shard k1 in work; once more, one at a time" in said


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_worker_and_nothing_half(tmp_path, forked, workers, number):
    def stop(number, frame):
        raise SystemExit(128 + number)

    marks = [tmp_path / f"began-{i}" for i in range(2)]
    shards = [Shard(key=f"k{i}", work=mark) for i, mark in enumerate(marks)]
    before = signal.signal(number, stop)
    watcher = threading.Thread(target=_send_once_begun, args=(marks[:workers], number))
    watcher.start()
    started = time.monotonic()
    try:
        with pytest.raises(SystemExit) as end:
            store.fill(shards, wait_for_ever, tmp_path / "store", workers, "work")
    finally:
        watcher.join()
        signal.signal(number, before)
    assert end.value.code == 128 + number
    assert time.monotonic() - started < 50
    assert not multiprocessing.active_children()
    assert names(tmp_path / "store") == ["lock"]


def _send_once_begun(marks: list[Path], number: int) -> None:
    while not all(mark.exists() for mark in marks):
        time.sleep(0.02)
    os.kill(os.getpid(), number)


def test_what_killed_workers_left_is_removed(tmp_path):
    (tmp_path / ".k0.123.part").write_text("half")
    store.fill(SHARDS, square, tmp_path, 1, "squares")
    assert names(tmp_path) == ["k0", "k1", "k2", "k3", "lock"]


def test_a_store_in_use_is_refused(tmp_path):
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(Refusal, match="another run is filling this store"),
    ):
        store.fill(SHARDS, square, tmp_path, 1, "squares")


def test_who_holds_the_store_may_fill_it_and_holds_it_still(tmp_path):
    with store.locked(tmp_path):
        store.fill(SHARDS, square, tmp_path, 1, "squares")
        script = "import sys; from filelock import FileLock; FileLock(sys.argv[1]).acquire(0)"
        command = [sys.executable, "-c", script, str(tmp_path / "lock")]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "could not be acquired" in other.stderr
    FileLock(tmp_path / "lock").acquire(0).lock.release()


def test_a_store_that_is_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "store").write_text("mine")
    with pytest.raises(Refusal, match="store: cannot be written: a file stands where a folder"):
        store.fill(SHARDS, square, tmp_path / "store", 1, "squares")


def test_a_read_only_store_is_refused_by_name(tmp_path):
    with (
        read_only(tmp_path),
        pytest.raises(Refusal, match="cannot be written: permission denied"),
    ):
        store.fill(SHARDS, square, tmp_path, 1, "squares")
