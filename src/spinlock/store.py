"""A content-addressed store of shards, filled by a pool of processes with one thread each.

A shard is a file named by the hash of everything that determines it. What is already there is not
computed again, so a set grows, shrinks and resumes by computing only the difference. Shards are
written beside and then renamed; a lock keeps two runs from filling one store at once.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from spinlock import runtime
from spinlock.artifacts import replacing
from spinlock.refusals import Refusal

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Shard:
    """A piece of work and the hash that names its result."""

    key: str  # hash of everything the file depends on
    work: Any  # picklable argument of the function that computes it


Compute = Callable[[Any, Path], None]  # the work of a shard, and the path to write
Missing = Sequence[tuple[Shard, Path]]


def fill(
    shards: Sequence[Shard],
    compute: Compute,
    folder: Path,
    workers: int,
    what: str,
) -> list[Path]:
    """Compute the shards that the store lacks and return the paths of all, in order.

    Args:
        shards: what is wanted.
        compute: a module-level function that takes a shard's work and the path to write.
        folder: the store.
        workers: processes; with 1 everything happens in this one.
        what: name of the work, for the progress lines.

    Raises:
        Refusal: another run holds the store, or a worker died.
    """
    paths = [folder / f"{shard.key}.h5" for shard in shards]
    with _locked(folder):
        for leftover in folder.glob(".*.part"):  # of a worker that was killed while it wrote
            leftover.unlink()
        missing = [(s, p) for s, p in zip(shards, paths, strict=True) if not p.is_file()]
        runner = _sequentially if workers == 1 or len(missing) < 2 else _in_processes
        for _ in runtime.progress(runner(missing, compute, workers), len(missing), what):
            pass
    return paths


def _sequentially(missing: Missing, compute: Compute, workers: int) -> Iterator[Path]:
    for shard, path in missing:
        _compute_one(compute, shard.work, path)
        yield path


def _in_processes(missing: Missing, compute: Compute, workers: int) -> Iterator[Path]:
    with pool(workers) as executor:
        futures = [executor.submit(_compute_one, compute, s.work, p) for s, p in missing]
        for future in as_completed(futures):
            yield future.result()


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each, which die with this one.

    Raises:
        Refusal: a worker died.
    """
    # "spawn" gives every worker a fresh interpreter: no inherited locks, threads or generators.
    context = get_context("spawn")
    executor = ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(os.getpid(),)
    )
    try:
        yield executor
    except BrokenProcessPool:
        raise Refusal(
            "a worker died (killed, or out of memory?); finished shards are kept"
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _compute_one(compute: Compute, work: Any, path: Path) -> Path:
    with replacing(path) as beside:
        compute(work, beside)
    return path


def _start_worker(parent: int) -> None:
    """One thread; die with the parent; leave Ctrl-C to it."""
    runtime.single_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Refusal(f"{folder}: another run is filling this store; wait for it to end") from None
    try:
        yield
    finally:
        lock.release()
