"""Which of the steps 0 … T a picture or a film shows."""

import numpy as np

from spinlock.refusals import Refusal


def listed(text: str, last: int) -> tuple[int, ...]:
    """The steps of a list such as `0,1,8`.

    Raises:
        Refusal: they are not ascending numbers in 0 … `last`.
    """
    words = text.split(",")
    steps = tuple(int(word) for word in words if word.isdecimal())
    known = len(steps) == len(words) and steps[-1] <= last
    if not known or list(steps) != sorted(set(steps)):
        raise Refusal(f"--steps: expected ascending numbers in 0 … {last}, got {text}")
    return steps


def doubling(last: int, count: int) -> tuple[int, ...]:
    """Steps from 0 to `last`, close at first and then ever farther apart."""
    _check(last, count)
    ideal = np.geomspace(1, last + 1, count).round() - 1
    room = np.arange(count)  # one step at least from each to the next
    steps = np.maximum.accumulate(np.maximum(ideal, room) - room) + room
    return tuple(int(step) for step in np.minimum(steps, last - room[::-1]))


def even(last: int, count: int) -> tuple[int, ...]:
    """Steps from 0 to `last` at about equal distances."""
    _check(last, count)
    return tuple(int(step) for step in np.linspace(0, last, count).round())


def _check(last: int, count: int) -> None:
    if not 1 <= count <= last + 1:
        raise Refusal(f"--frames: expected 1 … {last + 1}, got {count}")
