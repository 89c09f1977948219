"""Independent calls, one after the other or side by side in processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from spinlock.pool import pool
from spinlock.refusals import Refusal

Job = Callable[[], Any]
Run = Callable[[Sequence[Job]], list[Any]]  # results in the order of the jobs


def here(jobs: Sequence[Job]) -> list[Any]:
    """One after the other."""
    return [job() for job in jobs]


@contextmanager
def side_by_side(workers: int) -> Iterator[Run]:
    """In so many processes of one thread each, which changes no bit; here if it is one.

    Raises:
        Refusal: a worker died; from the call.
    """
    if workers == 1:
        yield here
        return
    with pool(workers) as executor:

        def run(jobs: Sequence[Job]) -> list[Any]:
            try:
                return list(executor.map(_call, jobs))
            except BrokenProcessPool:
                raise Refusal(
                    "evaluate: a worker died while codes were fitted (killed, or out of memory?)"
                ) from None

        yield run


def _call(job: Job) -> Any:
    return job()
