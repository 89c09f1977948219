"""Checks of a file of metrics, `metrics/STAGE.json`."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spinlock import artifacts

PREFIXES = {
    "sample": ("sample",),
    "generate": ("generate",),
    "extract": ("extract",),
    "clean": ("clean",),
    "discover_categories": ("categories",),
    "train_vqvae": ("vqvae",),
    "train_noa": ("noa",),
    "evaluate": ("tokenizer", "noa", "val", "held_out"),
}  # of the keys, by stage
DIGITS = 6
SHARES = re.compile(r".*/(utilization|bounded|share_[^/]*)")  # values from 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Metrics, and the stage that the file is named after."""

    stage: str
    values: dict[str, object]


def read(path: Path) -> Scores:
    """Read metrics.

    Raises:
        Refusal: it is no JSON object, or a number is not finite.
    """
    return Scores(stage=path.stem, values=artifacts.read_object(path))


def flat(found: Scores) -> Iterator[str]:
    """Every value is a number, or null for one that does not exist."""
    for name, value in found.values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            yield f"{name}: {type(value).__name__}"


def numbers(found: Scores) -> Iterator[tuple[str, float]]:
    """The values that are numbers; `artifacts.read_object` takes finite ones alone."""
    for name, value in found.values.items():
        if isinstance(value, int | float):
            yield name, value


def prefixed(found: Scores) -> Iterator[str]:
    """Every key begins with what the stage's keys begin with."""
    for name in found.values:
        if name.partition("/")[0] not in PREFIXES[found.stage]:
            yield f"{name}: expected {' or '.join(PREFIXES[found.stage])} first"


def rounded(found: Scores) -> Iterator[str]:
    """A number that is not whole has six significant digits."""
    for name, value in numbers(found):
        if isinstance(value, float) and value != artifacts.rounded(value, DIGITS):
            yield f"{name}: {value}"


def shares(found: Scores) -> Iterator[str]:
    """What is a share lies in 0 … 1."""
    for name, value in numbers(found):
        if SHARES.fullmatch(name) and not 0 <= value <= 1:
            yield f"{name}: {value:g}"


CHECKS: dict[str, Callable[[Scores], Iterable[str]]] = {
    "every value is a number or null": flat,
    "every key begins as those of its stage": prefixed,
    "numbers have six significant digits": rounded,
    "shares lie in 0 … 1": shares,
}
