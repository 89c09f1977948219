"""A pool of processes with one thread each, which live and die with this one."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context

from spinlock import runtime

PR_SET_PDEATHSIG = 1


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each, which die with this one.

    If the block ends by an error, what is in work is finished; if it ends by Ctrl-C, by SIGTERM or
    because nobody reads on, the processes are killed.

    Raises:
        BrokenProcessPool: a worker died; from the results.
    """
    before = set(active_children())
    # "spawn" gives every worker a fresh interpreter: no inherited locks, threads or generators.
    executor = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_worker, initargs=(os.getpid(),)
    )
    leave = _leaving_the_pipe_to_the_workers(executor)
    try:
        yield executor
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        for process in set(active_children()) - before:
            process.kill()
        raise
    finally:
        leave()
        executor.shutdown(wait=True, cancel_futures=True)


def _leaving_the_pipe_to_the_workers(executor: ProcessPoolExecutor) -> Callable[[], None]:
    """A function that closes this process's end of the pipe that workers read jobs from.

    Who writes a large job to workers that are dead waits for ever while an end is open, and
    shutdown for the writer: https://github.com/python/cpython/issues/94777. From Python 3.11.5 on
    the executor closes it itself, and the function does nothing. The writer closes it too when its
    work is done, perhaps at the same moment: one waits for the other and finds it closed.
    """
    if sys.version_info >= (3, 11, 5):
        return lambda: None
    reader = executor._call_queue._reader  # type: ignore[attr-defined]
    one_at_a_time, close = threading.Lock(), reader.close

    def leave() -> None:
        with one_at_a_time:
            close()

    reader.close = leave  # what the writer, who begins with the first job, will call
    return leave


def _start_worker(parent: int) -> None:
    """One thread; die with the parent; leave Ctrl-C to it."""
    runtime.single_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
