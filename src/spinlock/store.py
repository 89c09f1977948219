"""A content-addressed store of shards, filled by an executor.

A shard is a file named by the hash of everything that determines it, and by that of its bytes:
`KEY-SHA256.h5`. What is already there, whole, is not computed again, so a set grows, shrinks and
resumes by computing only the difference. Shards are written beside and then renamed, name and
bytes in one step; a lock keeps two runs from filling one store at once.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from spinlock import disk, runtime
from spinlock.pool import pool
from spinlock.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Shard:
    """A piece of work and the hash that names its result."""

    key: str  # hash of everything the file depends on
    work: Any  # picklable argument of the function that computes it
    name: str = ""  # what a message calls it, such as "operators 8 … 15"

    def __str__(self) -> str:
        return self.name or f"shard {self.key}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished shard."""

    key: str
    path: Path
    digest: str  # SHA-256 of its bytes


Compute = Callable[[Any, Path], None]  # the work of a shard, and the path to write


@dataclass(frozen=True, slots=True)
class Task:
    """Compute a shard into the store; picklable, to run anywhere that sees the folder."""

    compute: Compute  # a function of a module
    folder: Path

    def __call__(self, shard: Shard) -> Stored:
        """Write the shard, whole or not at all."""
        beside = disk.beside_of(self.folder / shard.key)
        try:
            self.compute(shard.work, beside)
            digest = disk.sha256(beside)
            path = self.folder / f"{shard.key}-{digest}.h5"
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return Stored(shard.key, path, digest)


class Executor(Protocol):
    """The seam for whatever computes shards: this process, a pool, a cluster."""

    def __call__(
        self, shards: Sequence[Shard], task: Callable[[Shard], Stored]
    ) -> Iterator[Stored]:
        """Call `task` once on each shard, anywhere and in any order; yield what it gives back.

        Raises:
            Refusal: a shard could not be computed; names it. Those that were yielded are kept.
        """


def sequential(shards: Sequence[Shard], task: Callable[[Shard], Stored]) -> Iterator[Stored]:
    """The reference: one shard after the other, in this process."""
    yield from map(task, shards)


@dataclass(frozen=True, slots=True)
class Processes:
    """A pool of processes on this machine.

    A worker that dies, killed or out of memory, takes the pool with it. The shards then in work are
    tried once more, one at a time in a process of its own, which leaves each all of the memory and
    tells which one is to blame.
    """

    workers: int

    def __call__(
        self, shards: Sequence[Shard], task: Callable[[Shard], Stored]
    ) -> Iterator[Stored]:
        """As `Executor` says; a single shard is not worth starting a process for."""
        if len(shards) < 2:
            yield from sequential(shards, task)
            return
        waiting, in_work = deque(shards), dict[Future[Stored], Shard]()
        while waiting:
            try:
                yield from self._together(waiting, in_work, task)
            except BrokenProcessPool:
                names = " and ".join(map(str, in_work.values()))
                runtime.note(f"a worker died with {names} in work; once more, one at a time")
            yield from (_alone(shard, task) for shard in in_work.values())
            in_work.clear()

    def _together(
        self,
        waiting: deque[Shard],
        in_work: dict[Future[Stored], Shard],
        task: Callable[[Shard], Stored],
    ) -> Iterator[Stored]:
        """As many at a time as there are workers: so `in_work` is what they have in hand."""
        with pool(self.workers) as executor:
            while waiting or in_work:
                while waiting and len(in_work) < self.workers:
                    in_work[executor.submit(task, waiting[0])] = waiting[0]
                    waiting.popleft()
                done, _ = wait(in_work, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=lambda each: each.exception() is not None):
                    stored = future.result()
                    del in_work[future]
                    yield stored


def _alone(shard: Shard, task: Callable[[Shard], Stored]) -> Stored:
    try:
        with pool(1) as executor:
            return executor.submit(task, shard).result()
    except BrokenProcessPool:
        raise Refusal(
            f"{shard}: the worker that computes it died twice (killed, or out of memory?); "
            "finished shards are kept"
        ) from None


def fill(
    shards: Sequence[Shard],
    compute: Compute,
    folder: Path,
    workers: int,
    what: str,
    executor: Executor | None = None,
) -> list[Path]:
    """Compute the shards that the store lacks and return the paths of all, in order.

    A shard that is there is read once and compared with its name; a damaged one is computed again.

    Args:
        shards: what is wanted.
        compute: a module-level function that takes a shard's work and the path to write.
        folder: the store.
        workers: processes; with 1 everything happens in this one.
        what: name of the work, for the progress lines.
        executor: who computes; if none is given, `workers` processes.

    Raises:
        Refusal: another run holds the store, a worker died twice on the same shard, or the disk
            does not let it be filled.
        ValueError: the executor gave back something else than it was asked for.
    """
    execute = executor or (sequential if workers == 1 else Processes(workers))
    with locked(folder), disk.refusing(folder), _swept(folder):
        paths = _found(shards, folder, what)
        missing = [shard for shard in shards if shard.key not in paths]
        with closing(_results(execute, missing, Task(compute, folder))) as computed:
            for stored in runtime.progress(computed, len(missing), what):
                paths[stored.key] = stored.path
    if set(paths) != {shard.key for shard in shards}:
        raise ValueError(f"{what}: the executor gave back other shards than it was asked for")
    return [paths[shard.key] for shard in shards]


def _results(
    execute: Executor, missing: Sequence[Shard], task: Task
) -> Generator[Stored, None, None]:
    """What an executor gives back; it can be closed, whatever the executor is."""
    yield from execute(missing, task)


def digest_of(path: Path) -> str:
    """SHA-256 of a shard's bytes, as its name says."""
    return path.stem.rpartition("-")[2]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the store, alone; may be held again inside.

    Raises:
        Refusal: another run holds it, or it cannot be written to.
    """
    with disk.refusing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", is_singleton=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise Refusal(
                f"{folder}: another run is filling this store; wait for it to end"
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _swept(folder: Path) -> Iterator[None]:
    """Leave no half-written shard behind: neither of runs before, nor of workers that died now."""
    try:
        for leftover in folder.glob(f".*{disk.PART}"):
            leftover.unlink()
        yield
    finally:
        for leftover in folder.glob(f".*{disk.PART}"):
            leftover.unlink()


def _found(shards: Sequence[Shard], folder: Path, what: str) -> dict[str, Path]:
    """The shards that are there, by key; those that are not as they were stored are removed."""
    wanted = {shard.key for shard in shards}
    there = [p for p in sorted(folder.glob("*.h5")) if p.stem.rpartition("-")[0] in wanted]
    whole = {}
    for path in runtime.progress(there, len(there), f"{what}: found"):
        if disk.sha256(path) == digest_of(path):
            whole[path.stem.rpartition("-")[0]] = path
        else:
            runtime.note(f"{what}: {path}: truncated or damaged; computed again")
            path.unlink()
    return whole
