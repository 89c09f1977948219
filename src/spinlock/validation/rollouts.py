"""Checks of a folder of rollouts, `data/rollouts`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from spinlock import artifacts, disk
from spinlock.initial_conditions import families, measure
from spinlock.rollout.index import Entry, Index
from spinlock.rollout.shards import INDEX, KIND
from spinlock.sampling import table
from spinlock.validation import bytes_of
from spinlock.validation.finding import beside

PURITY = 0.95  # least share of the power of each field that lies in its band
SPREAD = 2.0  # a mean variance is within this factor of the one that defines the variant
ENOUGH = 8  # fields of a variant (channels counted), from which on its mean variance is checked


def shards(index: Index) -> Iterator[str]:
    """Every shard is there with the bytes that the index lists, and nothing else is."""
    listed = {entry.file: entry for entry in index.contents.shards}
    there = {path.name for path in index.folder.iterdir()}
    for name in sorted(there - {INDEX, *listed}):
        yield f"{name} is not in {INDEX}"
    for name, entry in listed.items():
        if name not in there:
            yield f"{name} is missing"
        elif disk.sha256(index.folder / name) != entry.sha256:
            back = f"dvc checkout --force {index.folder}, or dvc repro"
            yield f"{name}: other bytes than {INDEX} lists ({back})"


def whole(index: Index) -> Iterator[str]:
    """Each shard passes the checks of an HDF5 file."""
    for entry in index.contents.shards:
        with artifacts.reading(index.folder / entry.file, KIND) as source:
            for check in bytes_of.HDF5.values():
                yield from (f"{entry.file}: {problem}" for problem in check(source))


def consecutive(index: Index) -> Iterator[str]:
    """Shards follow each other from operator 0 on, and hold what they say."""
    expected = 0
    for entry in index.contents.shards:
        if entry.first != expected:
            yield f"{entry.file} begins at operator {entry.first}, expected {expected}"
        expected = entry.first + entry.count
        with artifacts.reading(index.folder / entry.file, KIND) as source:
            found = source.get("operator", "N").tolist()
        if found != list(range(entry.first, expected)):
            yield f"{entry.file} holds operators {found[0]} … {found[-1]}, or not all of them"


def bounded(index: Index) -> Iterator[str]:
    """Stored steps are within the bound until divergence and missing from there on."""
    for entry in index.contents.shards:
        with artifacts.reading(index.folder / entry.file, KIND) as source:
            diverged_at = source.get("diverged_at", "N R")
            if (wrong := (diverged_at < 0) | (diverged_at > index.steps)).any():
                yield f"{entry.file}: diverged at step {diverged_at[wrong][0]} of {index.steps}"
            for place in range(entry.count):
                yield from _trajectories(index, entry, source, place, diverged_at[place])


def _trajectories(
    index: Index, entry: Entry, source: artifacts.Source, place: int, diverged_at: np.ndarray
) -> Iterator[str]:
    operator = entry.first + place
    if (count := index.stored_steps(operator)) == 0:
        return
    (realizations, _, *field) = index.contents.shapes.u
    u = source.raw("u", "N R T C H W", slice(place, place + 1))[0]
    if u.shape != (realizations, count, *field):
        yield f"operator {operator}: u is {u.shape}, expected {(realizations, count, *field)}"
        return
    largest = np.abs(u).max((-3, -2, -1))  # NaN if any is
    step = np.arange(1, count + 1)
    alive = (diverged_at[:, None] == 0) | (step < diverged_at[:, None])
    for r, t in np.argwhere(alive & ~(largest <= index.bound))[:1]:
        yield f"operator {operator}, realization {r}: not finite or beyond the bound at {t + 1}"
    for r, t in np.argwhere(~alive & ~np.isnan(u).all((-3, -2, -1)))[:1]:
        yield f"operator {operator}, realization {r}: values at {t + 1}, after it diverged"


def initial(index: Index) -> Iterator[str]:
    """Initial conditions have the shape that the index says, are finite, and none is flat."""
    u0, _ = index.summary()
    if tuple(u0.shape[1:]) != index.contents.shapes.u0:
        yield f"u0 is {tuple(u0.shape[1:])}, expected {index.contents.shapes.u0}"
    for operator, channel in torch.nonzero(measure.variance(u0) == 0).tolist():
        yield f"operator {operator}: channel {channel} of u0 is flat"


def same_table(index: Index) -> Iterator[str]:
    """They are the rollouts of the operator table beside them.

    Raises:
        Absent: there is no table.
        Refusal: an operator is another one.
    """
    operators = table.read(beside(index.folder, "data", "operators.h5"))
    if len(operators) != len(index):
        yield f"{len(index)} operators, the table has {len(operators)}"
        return
    index.check(operators)


def spectra(index: Index) -> Iterator[str]:
    """Fields that a variant confines to a band have their power there, by the table's labels.

    Raises:
        Absent: there is no table.
    """
    for variant, rows, u0 in _by_variant(index):
        band = families.lookup(variant).band
        if band is None:
            continue
        purity = measure.band_purity(u0, band).amin(-1)
        for row, share in zip(rows, purity.tolist(), strict=True):
            if not share >= PURITY:
                yield f"operator {row}: {share:.3f} of {variant} lies in {band}"


def variances(index: Index) -> Iterator[str]:
    """The mean variance of a variant is near the one that defines it, by the table's labels.

    Raises:
        Absent: there is no table.
    """
    for variant, _, u0 in _by_variant(index):
        expected = families.lookup(variant).variance
        if expected is None or u0[:, :, 0, 0].numel() < ENOUGH:
            continue
        found = float(measure.variance(u0).mean())
        if not expected / SPREAD <= found <= expected * SPREAD:
            yield f"{variant}: mean variance {found:.3g}, expected about {expected:g}"


def _by_variant(index: Index) -> Iterator[tuple[str, list[int], torch.Tensor]]:
    names = np.array(table.read(beside(index.folder, "data", "operators.h5")).ic_types)
    u0, _ = index.summary()
    for variant in sorted(set(names[: len(u0)].tolist())):
        rows = np.flatnonzero(names[: len(u0)] == variant).tolist()
        yield variant, rows, u0[rows]


CHECKS: dict[str, Callable[[Index], Iterable[str]]] = {
    "every shard has the bytes that the index lists, and nothing else is there": shards,
    "every dataset of every shard is whole": whole,
    "shards hold consecutive operators from 0 on": consecutive,
    "trajectories are within the bound until they diverge, and missing after": bounded,
    "initial conditions are finite and not flat": initial,
    "the rollouts are of the table beside them": same_table,
    "band-limited initial conditions lie in their bands": spectra,
    "initial conditions have the variances that define them": variances,
}


def folder_of(path: Path) -> Path:
    """The folder, named itself or by its index."""
    return path.parent if path.name == INDEX else path
