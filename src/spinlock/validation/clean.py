"""Checks of `data/clean.h5` and of `models/cleaner.h5`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spinlock.cleaning import cleanset, raw, report
from spinlock.cleaning.cleaner import Cleaner, Columns
from spinlock.cleaning.cleanset import CleanSet
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.sets import FAMILIES
from spinlock.validation import splits
from spinlock.validation.finding import beside

LAST_BITS = 1e-4  # of standardized values; another machine rounds otherwise
CENTERED, SCALED = 1e-3, 1e-2  # of the columns over training operators: |mean|, |deviation − 1|
VIEWS = ("summary", "temporal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """Cleaned features, and where the file is."""

    path: Path
    cleaned: CleanSet

    @property
    def metadata(self) -> Metadata:
        """Who the rows are."""
        return self.cleaned.metadata


def read(path: Path) -> Clean:
    """Read cleaned features.

    Raises:
        Refusal: it cannot be read, or a value is not finite.
    """
    return Clean(path=path, cleaned=cleanset.read(path))


def standardized(found: Clean) -> Iterator[str]:
    """Over training operators every column has mean 0 and standard deviation 1."""
    train = found.cleaned.aggregated.take(found.cleaned.rows("train"))
    for family in FAMILIES:
        values = getattr(train, family).double().flatten(0, -2)
        off = values.mean(0).abs() > CENTERED
        off |= (values.std(0, correction=0) - 1).abs() > SCALED
        for column in off.nonzero().flatten().tolist():
            yield (
                f"{found.cleaned.columns[family][column]}: mean {values[:, column].mean():.3g}, "
                f"deviation {values[:, column].std(correction=0):.3g}"
            )


def unmeasured(found: Clean) -> Iterator[str]:
    """An invalid operator has no measured SUMMARY and TEMPORAL value, in either view."""
    cleaned = found.cleaned
    masks = {f"{name} of both views": getattr(cleaned.aggregated, f"{name}_mask") for name in VIEWS}
    masks |= {f"{name} of a realization": getattr(cleaned, f"{name}_mask") for name in VIEWS}
    for name, mask in masks.items():
        measured = mask.flatten(1).any(1).numpy()
        for row in np.flatnonzero(measured & ~found.metadata.valid):
            yield f"operator {row} is not valid and has {name}"


def of_features(found: Clean) -> Iterator[str]:
    """It is what the cleaner makes of the features beside it.

    Raises:
        Absent: one of them is not there.
        Refusal: they do not fit together.
    """
    cleaner = report.read(beside(found.path, "models", "cleaner.h5"))
    features = raw.read(beside(found.path, "data", "features.h5"))
    expected = cleanset.clean(features, cleaner)
    if found.cleaned.columns != expected.columns:
        yield "other columns than those that the cleaner keeps"
        return
    for name, ours, theirs in _pairs(found.cleaned, expected):
        if ours.shape != theirs.shape:
            yield f"{name}: {tuple(ours.shape)}, expected {tuple(theirs.shape)}"
        elif not torch.allclose(ours.float(), theirs.float(), rtol=LAST_BITS, atol=LAST_BITS):
            yield f"{name}: other values than the cleaner makes of the features"


def _pairs(one: CleanSet, other: CleanSet) -> Iterator[tuple[str, Tensor, Tensor]]:
    for field in fields(one.aggregated):
        yield field.name, getattr(one.aggregated, field.name), getattr(other.aggregated, field.name)
    for name in (*VIEWS, *(f"{view}_mask" for view in VIEWS)):
        yield f"single {name}", getattr(one, name), getattr(other, name)


CHECKS: dict[str, Callable[[Clean], Iterable[str]]] = {
    "columns are standardized over training operators": standardized,
    "invalid operators have nothing measured": unmeasured,
    "it is what the cleaner makes of the features": of_features,
    **splits.METADATA,
}


def reasons(cleaner: Cleaner) -> Iterator[str]:
    """A column is kept or dropped for a known reason; one that repeats another names a kept one."""
    kept = {name for family in FAMILIES for name in cleaner.family(family).kept}
    for name, reason, partner in _columns(cleaner):
        if reason not in ("", *report.REASONS):
            yield f"{name}: unknown reason {reason!r}"
        if bool(partner) != (reason == "correlation") or (partner and partner not in kept):
            yield f"{name}: dropped for {reason or 'nothing'}, partner {partner or 'none'}"


def _columns(cleaner: Cleaner) -> Iterator[tuple[str, str, str]]:
    for family in FAMILIES:
        found = cleaner.family(family)
        yield from zip(found.names, found.reasons, found.partners, strict=True)


def statistics(cleaner: Cleaner) -> Iterator[str]:
    """Statistics of kept columns are finite, limits and scales positive, counts not negative."""
    for family in FAMILIES:
        found = cleaner.family(family)
        for index in found.kept_index:
            if problem := _wrong(found, index):
                yield f"{found.names[index]}: {problem}"


def _wrong(columns: Columns, index: int) -> str:
    for name in ("median", "limit", "mean", "scale"):
        value = float(getattr(columns, name)[index])
        if not np.isfinite(value) or (name in ("limit", "scale") and value <= 0):
            return f"{name} {value:g}"
    counts = {name: int(getattr(columns, name)[index]) for name in ("missing", "clipped")}
    return next((f"{name} {count}" for name, count in counts.items() if count < 0), "")


def names(cleaner: Cleaner) -> Iterator[str]:
    """Every column has one name."""
    known: set[str] = set()
    for name, _, _ in _columns(cleaner):
        if name in known:
            yield f"{name} stands there twice"
        known.add(name)


CLEANER: dict[str, Callable[[Cleaner], Iterable[str]]] = {
    "every raw column stands there once": names,
    "columns are kept, or dropped for a known reason": reasons,
    "statistics of kept columns are finite and positive where they must be": statistics,
}
