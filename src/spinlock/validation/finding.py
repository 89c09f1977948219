"""A check, and what it found."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from spinlock.refusals import Refusal

T = TypeVar("T")
SHOWN = 3  # problems of one check that are said in full


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str  # the law, as a sentence that holds if nothing is wrong
    problems: tuple[str, ...]  # none: it holds
    skipped: str = ""  # why it was not checked

    def __str__(self) -> str:
        if self.skipped:
            return f"skip  {self.check}: {self.skipped}"
        if not self.problems:
            return f"ok    {self.check}"
        more = len(self.problems) - SHOWN
        said = "; ".join(self.problems[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        return f"FAIL  {self.check}: {said}"


class Absent(Exception):
    """Another file is not there, without which something cannot be checked."""


def run(checks: Mapping[str, Callable[[T], Iterable[str]]], subject: T) -> Iterator[Finding]:
    """Make some checks, each of which yields a line for every problem."""
    for name, check in checks.items():
        try:
            yield Finding(name, tuple(check(subject)))
        except Absent as absent:
            yield Finding(name, (), str(absent))
        except Exception as error:
            yield Finding(name, (stumbled(error),))


def stumbled(error: Exception) -> str:
    """What stands in the way of a check: a file so wrong that it cannot even be made has failed."""
    if isinstance(error, Refusal):
        return str(error)
    return " ".join(f"cannot be checked: {type(error).__name__}: {error}".split())


def beside(path: Path, folder: str, name: str) -> Path:
    """Another artefact of the run that an artefact belongs to.

    Args:
        path: of an artefact in `data/` or `models/`.
        folder: of the other one, `data` or `models`.
        name: of the other one.

    Raises:
        Absent: it is not there.
    """
    other = path.resolve().parent.parent / folder / name
    if not other.exists():
        raise Absent(f"there is no {folder}/{name} beside it")
    return other
