"""Independent calls, one after the other or side by side in processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from spinlock.pool import pool
from spinlock.refusals import Refusal

Job = Callable[[], Any]
Run = Callable[[Sequence[Job]], Iterator[Any]]  # results in the order of the jobs


def here(jobs: Sequence[Job]) -> Iterator[Any]:
    """One after the other, each when its result is asked for."""
    return (job() for job in jobs)


@contextmanager
def side_by_side(workers: int) -> Iterator[Run]:
    """In so many processes of one thread each, which changes no bit; here if it is one.

    The jobs of a call start at once, behind those of earlier calls, and their results wait until
    they are asked for. Tensors in a job travel by value.

    Raises:
        Refusal: a worker died; from the results.
    """
    if workers == 1:
        yield here
        return
    _send_tensors_by_value()
    with pool(workers) as executor:

        def run(jobs: Sequence[Job]) -> Iterator[Any]:
            return _results(executor.map(_call, jobs))

        yield run


def _send_tensors_by_value() -> None:
    """Not through shared memory, as torch does: a model has hundreds, each with a file handle."""
    ForkingPickler.register(Tensor, lambda own: (torch.tensor, (own.detach().numpy(),)))
    ForkingPickler.register(Parameter, lambda own: (Parameter, (own.data, own.requires_grad)))


def _results(found: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from found
    except BrokenProcessPool:
        raise Refusal("a worker died (killed, or out of memory?)") from None


def _call(job: Job) -> Any:
    return job()
