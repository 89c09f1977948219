"""A disk that is full, without filling one, and a folder that is read-only, to root too."""

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As a full disk does, let a write end in the midst of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Forbid writing there, to root too: a thread without CAP_DAC_OVERRIDE obeys the mode."""
    folder.chmod(0o555)
    capabilities = _capabilities(drop=1 << 1) if os.geteuid() == 0 else None
    try:
        yield
    finally:
        if capabilities is not None:
            _set_capabilities(*capabilities)
        folder.chmod(0o755)


HEADER = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread


def _capabilities(drop: int) -> tuple:
    """Drop effective capabilities; those before."""
    before, after = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capget(HEADER, before) == 0
    after[:] = list(before)
    after[0] &= ~drop
    _set_capabilities(after)
    return (before,)


def _set_capabilities(values: ctypes.Array) -> None:
    assert ctypes.CDLL(None).capset(HEADER, values) == 0
