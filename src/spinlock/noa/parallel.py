"""Gradients of the parts of a batch, computed by threads and summed in a fixed order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

Part = Callable[[], tuple[Tensor, dict[str, float]]]  # a loss, and numbers to report


@contextmanager
def threads(workers: int) -> Iterator[Executor]:
    """A pool of threads that compute on one core each.

    The number of threads inside an operation is a setting of the calling thread, and another
    number would give other last digits.
    """
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as executor:
        yield executor


def gradients(
    parts: Sequence[Part], parameters: Sequence[Tensor], executor: Executor
) -> tuple[list[Tensor], list[dict[str, float]]]:
    """Sum of the gradients of some losses; the same bytes for any number of threads.

    Every part is computed by itself, and the sum follows the order of the parts.

    Args:
        parts: functions that return a loss and what there is to report.
        parameters: with respect to which.
        executor: from `threads`.

    Returns:
        One gradient a parameter, and the reports in the order of the parts.
    """

    def compute(part: Part) -> tuple[tuple[Tensor, ...], dict[str, float]]:
        loss, report = part()
        return torch.autograd.grad(loss, parameters), report

    found = list(executor.map(compute, parts))
    sums = [torch.stack(grads).sum(0) for grads in zip(*(grads for grads, _ in found), strict=True)]
    return sums, [report for _, report in found]
