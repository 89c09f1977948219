"""Checks of `data/features.h5` and `data/further.h5`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spinlock import artifacts, params
from spinlock.cleaning import raw
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.raw import Features
from spinlock.cleaning.sets import FAMILIES
from spinlock.features import extract, files
from spinlock.features.config import Config
from spinlock.rollout.engine import initial_condition
from spinlock.rollout.index import open_rollouts
from spinlock.sampling import table
from spinlock.validation import splits
from spinlock.validation.finding import beside

FEW = 8  # operators whose INITIAL features are computed again
LAST_BITS = 1e-4  # relative; another machine rounds otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Features, and where the file is."""

    path: Path
    kind: str  # of the file
    features: Features
    config: Config  # section `extract` of what made it

    @property
    def metadata(self) -> Metadata:
        """Who the rows are."""
        return self.features.metadata


def read(path: Path, kind: str = files.KIND) -> Raw:
    """Read features and the parameters that made them.

    Raises:
        Refusal: it cannot be read, or its parameters cannot be right.
    """
    with artifacts.reading(path, kind) as source:
        config = params.parse("extract", source.provenance, Config, path)
    return Raw(path=path, kind=kind, features=raw.read(path, kind), config=config)


def columns(found: Raw) -> Iterator[str]:
    """Columns are those of the groups that the parameters name, in their order."""
    for family in FAMILIES:
        expected, ours = files.columns(family, found.config), found.features.names[family]
        if ours != expected:
            odd = sorted(set(ours) ^ set(expected)) or ["their order"]
            yield f"{family}: {len(ours)} columns, expected {len(expected)}; differ in {odd[0]}"


def masks(found: Raw) -> Iterator[str]:
    """A mask is True exactly where a value is."""
    with artifacts.reading(found.path, found.kind) as source:
        for name in source.names():
            if name.endswith("/features"):
                axes = source.layout(name)[1]
                wrong = np.isfinite(source.raw(name, axes)) != source.mask(name, axes)
                if wrong.any():
                    yield f"{name}: at {wrong.sum()} places, first {np.argwhere(wrong)[0].tolist()}"


def aggregates(found: Raw) -> Iterator[str]:
    """The aggregated view is that of the trajectories."""
    features = found.features
    pairs = {
        "summary": (features.aggregated.summary, extract.aggregate(features.summary)),
        "temporal": (features.aggregated.temporal, features.temporal.mean(1)),
    }
    for family, (ours, expected) in pairs.items():
        wrong = ~torch.isclose(ours, expected, rtol=LAST_BITS, atol=LAST_BITS, equal_nan=True)
        for row in wrong.flatten(1).any(1).nonzero().flatten().tolist():
            yield f"{family} of operator {row} is not that of its trajectories"


def validity(found: Raw) -> Iterator[str]:
    """An operator that diverged has no SUMMARY and no TEMPORAL, and every other one has."""
    with artifacts.reading(found.path, found.kind) as source:
        name = "features/summary/per_trajectory/features"
        exists = np.any(source.mask(name, "N R D"), axis=(1, 2))
    valid = found.metadata.valid
    for row in np.flatnonzero(valid != exists):
        yield f"operator {row} is {'' if valid[row] else 'not '}valid, its features say otherwise"


def first_fields(found: Raw) -> Iterator[str]:
    """INITIAL features of the first operators are those of their fields."""
    few = found.features.aggregated.take(slice(FEW))
    if not len(few):
        return
    ours, expected = few.initial, extract.initial(few.fields)
    wrong = ~torch.isclose(ours, expected, rtol=LAST_BITS, atol=LAST_BITS, equal_nan=True)
    known = wrong & ours.isfinite()  # an invalid operator's are masked when they are read
    for row, column in known.nonzero().tolist():
        yield f"operator {row}: {found.features.names['initial'][column]}"


def same_fields(found: Raw) -> Iterator[str]:
    """The fields are the initial conditions of the rollouts beside them.

    Raises:
        Absent: there are none.
    """
    index = open_rollouts(beside(found.path, "data", "rollouts"))
    u0, _ = index.summary()
    ours = found.features.aggregated.fields
    if ours.shape != u0.shape:
        yield f"{tuple(ours.shape)}, the rollouts have {tuple(u0.shape)}"
        return
    for row in (ours != u0).flatten(1).any(1).nonzero().flatten().tolist():
        yield f"operator {row} has another field"


def other_fields(found: Raw) -> Iterator[str]:
    """The fields are further draws of the operators in the table beside them.

    Raises:
        Absent: there is no table.
    """
    operators = table.read(beside(found.path, "data", "operators.h5"))
    config = found.config
    train = operators.take(slice(config.max_operators)).rows("train")
    rows = np.tile(train, config.further_draws)
    if not np.array_equal(found.metadata.operator_id, operators.ids[rows]):
        yield f"expected {len(train)} training operators in order, {config.further_draws} times"
        return
    for row, place in enumerate(rows.tolist()):
        draw = 1 + row // len(train)
        u0 = initial_condition(operators, place, draw)
        if not torch.equal(found.features.aggregated.fields[row], u0):
            yield f"row {row} is not draw {draw} of operator {operators.ids[place]}"


SHARED: dict[str, Callable[[Raw], Iterable[str]]] = {
    "columns are those of the groups in its parameters": columns,
    "masks say exactly where values are": masks,
    "the aggregated view is that of the trajectories": aggregates,
    "operators that diverged have no features, all others have": validity,
    "INITIAL features are those of the fields": first_fields,
}
CHECKS = {
    **SHARED,
    "fields are the initial conditions of the rollouts": same_fields,
    **splits.METADATA,
}
FURTHER = {**SHARED, "rows are further draws of the training operators": other_fields}
