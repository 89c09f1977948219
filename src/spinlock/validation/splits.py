"""Who stands in which split: of the table, and of every file that repeats it."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from spinlock.cleaning.metadata import Metadata
from spinlock.sampling import splits, table
from spinlock.sampling.config import Config
from spinlock.sampling.table import Operators
from spinlock.validation.finding import beside


def ids(operator_id: np.ndarray) -> Iterator[str]:
    """Ids are 0 … N − 1, each once: nobody is in two splits."""
    wrong = np.flatnonzero(operator_id != np.arange(len(operator_id)))
    for row in wrong:
        yield f"row {row} holds operator {operator_id[row]}"


def leaks(split: np.ndarray, held_out: np.ndarray) -> Iterator[str]:
    """An operator is of split `held_out` exactly if it belongs to a held-out group."""
    member = held_out.any(1)
    for row in np.flatnonzero(member & (split != splits.HELD_OUT)):
        yield f"operator {row} is held out, and yet in {split[row]}"
    for row in np.flatnonzero(~member & (split == splits.HELD_OUT)):
        yield f"operator {row} is in {splits.HELD_OUT}, and of no held-out group"


def known(split: np.ndarray) -> Iterator[str]:
    """Every split is one of the four, and none of train, validation and test is empty."""
    for name in sorted(set(split.tolist()) - {*splits.NAMES, splits.HELD_OUT}):
        yield f"unknown split {name!r}"
    for name in splits.NAMES:
        if name not in split:
            yield f"{name} is empty"


def blocks(operators: Operators, config: Config) -> Iterator[str]:
    """Each aligned block of the design is whole in one split, in the order of the cycle."""
    pattern = splits.cycle(config.split)
    split = np.array(operators.split)
    for first in range(0, len(operators), config.block_size):
        own = pattern[first // config.block_size % len(pattern)]
        found = set(split[first : first + config.block_size].tolist()) - {splits.HELD_OUT, own}
        for name in sorted(found):
            last = first + config.block_size - 1
            yield f"operators {first} … {last} are a block of {own}, and some are in {name}"


def of_table(metadata: Metadata, path: Path) -> Iterator[str]:
    """Ids, splits, groups and labels are those of the operator table beside it.

    Raises:
        Absent: there is no table.
    """
    operators = table.read(beside(path, "data", "operators.h5"))
    theirs = {
        "operator_id": operators.ids,
        "split": np.array(operators.split),
        "ic_types": np.array(operators.ic_types),
        "evolution_policies": np.array([theta.update_policy for theta in operators.theta]),
        "noise_regimes": np.array(table.noise_regimes(operators)),
        "held_out": operators.held_out,
        "held_out_groups": np.array(operators.held_out_groups),
    }
    for name, expected in theirs.items():
        found = np.asarray(getattr(metadata, name))
        if found.shape != expected.shape:
            yield f"{name}: {found.shape}, in the table {expected.shape}"
        elif (found != expected).any():
            row = int(np.argwhere(found != expected)[0][0])
            yield f"{name}: row {row} has {found[row]}, in the table {expected[row]}"


class Rows(Protocol):
    """A file whose rows are operators."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def metadata(self) -> Metadata:
        """Who the rows are."""


METADATA: dict[str, Callable[[Rows], Iterable[str]]] = {
    "operators are numbered from 0, each once": lambda rows: ids(rows.metadata.operator_id),
    "splits are known and not empty": lambda rows: known(rows.metadata.split),
    "a held-out operator is in no split": lambda rows: leaks(
        rows.metadata.split, rows.metadata.held_out
    ),
    "operators, splits and labels are those of the table": lambda rows: of_table(
        rows.metadata, rows.path
    ),
}
