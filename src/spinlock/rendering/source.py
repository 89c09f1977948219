"""One operator of a table, and its rollout: read, or computed again."""

from pathlib import Path

import numpy as np

from spinlock.refusals import Refusal
from spinlock.rollout.config import Settings
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import open_rollouts
from spinlock.rollout.stream import replay
from spinlock.sampling import table
from spinlock.sampling.table import Operators


def operator(path: Path, operator_id: int) -> Operators:
    """The table of one operator.

    Raises:
        Refusal: the file is not a table, or holds no such operator.
    """
    operators = table.read(path)
    rows = np.flatnonzero(operators.ids == operator_id)
    if len(rows) != 1:
        found = f"{operators.ids.min()} … {operators.ids.max()}"
        raise Refusal(f"{path}: expected an operator of {found}, got {operator_id}")
    return operators.take(rows)


def stored(operator: Operators, folder: Path) -> Rollout:
    """The rollout of a table of one operator, from a folder that knows it.

    Raises:
        Refusal: there is no folder, it is damaged, or of another table.
    """
    if not folder.is_dir():
        raise Refusal(f"{folder}: not found (dvc repro); --replay needs none")
    return open_rollouts(folder).read(operator, 0)


def replayed(operator: Operators, settings: Settings) -> Rollout:
    """The rollout of a table of one operator, computed again."""
    (rollout,) = replay(operator, settings)
    return rollout
