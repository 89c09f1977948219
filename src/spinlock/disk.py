"""Writing to a disk: a file is there whole or not at all, and one line says what hinders it."""

import errno
import hashlib
import io
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spinlock.refusals import Refusal

PART = ".part"
FULL = "the disk is full; free some space and run again"
FORBIDDEN = "permission denied; make it writable, or choose another place"
MISPLACED = "a file stands where a folder should be; move it away"
DISK = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "the quota is used up; free some space and run again",
    errno.EFBIG: "larger than a file may be here (ulimit -f); raise the limit and run again",
    errno.EROFS: "the file system is read-only; make it writable, or choose another place",
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.ENOTDIR: MISPLACED,
    errno.EEXIST: MISPLACED,
    errno.EISDIR: "a folder stands where a file should be; move it away",
    errno.EIO: "the disk reports an error; check it",
}  # what a disk may say of itself, and what to do; anything else is a mistake of ours


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Say in one line what hinders writing at `path`.

    Raises:
        Refusal: the disk is full, read-only or broken, or a file is in the way.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK or not _concerns(error, path):
            raise
        raise Refusal(f"{_meant(path)}: cannot be written: {DISK[error.errno]}") from None


def _concerns(error: OSError, path: Path) -> bool:
    """Whether an error is about a path: about its folder, what is above or in there, or unnamed."""
    given = (name for name in (error.filename, error.filename2) if name is not None)
    names = [Path(os.fsdecode(name)).resolve() for name in given if not isinstance(name, int)]
    whole = path.resolve()
    related = (n.is_relative_to(whole.parent) or whole.is_relative_to(n) for n in names)
    return not names or any(related)


def beside_of(path: Path) -> Path:
    """Where this process writes what will stand at `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}{PART}")


def _meant(path: Path) -> Path:
    """What is written at a place that `beside_of` gave; any other path itself."""
    hidden = path.name.startswith(".") and path.name.endswith(PART)
    return path.with_name(path.name[1:].rsplit(".", 2)[0]) if hidden else path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a place beside `path` to write to; it takes the name `path` only if all went well.

    Works for files and for folders. Nothing half-written is left behind, and what killed processes
    left there is removed.

    Raises:
        Refusal: the disk does not let it; see `refusing`.
    """
    beside = beside_of(path)
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in _leftovers(path):
            remove(leftover)
        try:
            yield beside
            if path.is_dir():
                shutil.rmtree(path)
            os.replace(beside, path)
        finally:
            remove(beside)


def _leftovers(path: Path) -> list[Path]:
    """What processes that are no more began to write to `path`."""
    start = f".{path.name}."
    names = [n for n in os.listdir(path.parent) if n.startswith(start) and n.endswith(PART)]
    owners = [(name, name[len(start) : -len(PART)]) for name in names]
    return [path.with_name(name) for name, pid in owners if pid.isdecimal() and _ended(int(pid))]


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it runs, and is somebody else's
        return False
    return False


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Spool(io.FileIO):
    """A file for HDF5 to write to, which fails only when it is asked.

    The HDF5 library cannot close a file that it failed to write, and crashes when the process
    ends. So the first failure is kept, what comes after is dropped, and `check` raises it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise what went wrong, if anything did.

        Raises:
            OSError: the first failure to write.
        """
        if self._failure is not None:
            raise self._failure

    def write(self, data: Any) -> int:
        """Write all, unless something failed before."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and self._failure is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the size, unless something failed before."""
        try:
            if self._failure is None:
                super().truncate(size)
        except OSError as error:
            self._failure = error
        return size or 0


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM to the end of the block: HDF5 must not be left in its midst."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread alone
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, frame: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
