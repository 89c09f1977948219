"""All checks of any artefact, by what it is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spinlock import artifacts
from spinlock.features import files
from spinlock.refusals import Refusal
from spinlock.rollout.index import open_rollouts
from spinlock.validation import (
    bytes_of,
    cache,
    clean,
    features,
    finding,
    metrics,
    models,
    operators,
)
from spinlock.validation import rollouts as folders
from spinlock.validation.finding import Finding

Checks = Mapping[str, Callable[[Any], Iterable[str]]]
Kind = tuple[Callable[[Path], Any], Checks]  # how to read it, and its checks

READABLE = "it can be read"
LOCKED = "its bytes are those that dvc.lock lists"
HDF5: dict[str, Kind] = {
    "operators": (operators.read, operators.CHECKS),
    "features": (features.read, features.CHECKS),
    files.FURTHER: (partial(features.read, kind=files.FURTHER), features.FURTHER),
    "clean": (clean.read, clean.CHECKS),
    "cleaner": (clean.report.read, clean.CLEANER),
    "tokens": (models.read_tokens, models.TOKENS),
    "rollout-shard": (lambda path: path, {}),
    "rollout": (lambda path: path, {}),
}
CHECKPOINTS: dict[str, Kind] = {
    "tokenizer": (models.read_tokenizer, models.TOKENIZER),
    "noa": (models.read_agent, models.AGENT),
}


class Invalid(Exception):
    """What `validate` found, if anything is wrong."""


def judge(path: Path) -> str:
    """Check an artefact; a line for each check, and one more.

    Raises:
        Invalid: something is wrong; holds the same lines.
        Refusal: it is not there, or nothing that a stage writes.
    """
    findings = validate(path)
    wrong = sum(bool(found.problems) for found in findings)
    made = sum(not found.skipped for found in findings)
    last = f"{path}: {made} checks, {wrong} failed"
    text = "\n".join([*map(str, findings), last])
    if wrong:
        raise Invalid(text)
    return text


def validate(path: Path) -> list[Finding]:
    """Make every check that there is for an artefact.

    Args:
        path: an .h5, .pt or .json file that a stage wrote, the folder of rollouts, or DVC's cache.

    Raises:
        Refusal: it is not there, or nothing that a stage writes.
    """
    path = folders.folder_of(path)
    if not path.exists():
        raise Refusal(f"{path}: not found")
    locked = finding.run({LOCKED: bytes_of.listed}, path)
    return [*locked, *_found(path)]


def _found(path: Path) -> Iterator[Finding]:
    if cache.is_cache(path):
        yield from finding.run(cache.CHECKS, path)
    elif path.is_dir():
        yield from _checked((open_rollouts, folders.CHECKS), path)
    elif path.suffix == ".h5":
        yield from _hdf5(path)
    elif path.suffix == ".pt":
        yield from _checkpoint(path)
    elif path.suffix == ".json" and path.stem in metrics.PREFIXES:
        yield from _checked((metrics.read, metrics.CHECKS), path)
    elif path.suffix == ".json":
        yield from _checked((models.read_categories, models.CATEGORIES), path)
    else:
        raise Refusal(
            f"{path}: expected a .h5, .pt or .json file of a stage, data/rollouts or .dvc/cache"
        )


def _hdf5(path: Path) -> Iterator[Finding]:
    try:
        kind = bytes_of.kind(path)
        with artifacts.reading(path, kind) as source:
            yield Finding(READABLE, ())
            yield from finding.run(bytes_of.HDF5, source)
    except Refusal as refusal:
        yield Finding(READABLE, (str(refusal),))
        return
    if kind not in HDF5:
        raise Refusal(f"{path}: of kind {kind!r}; known: {', '.join(HDF5)}")
    yield from _checked(HDF5[kind], path, "its contents can be read")


def _checkpoint(path: Path) -> Iterator[Finding]:
    try:
        kind = artifacts.load_checkpoint(path)["kind"]
    except Refusal as refusal:
        yield Finding(READABLE, (str(refusal),))
        return
    if kind not in CHECKPOINTS:
        raise Refusal(f"{path}: of kind {kind!r}; known: {', '.join(CHECKPOINTS)}")
    yield from _checked(CHECKPOINTS[kind], path)


def _checked(kind: Kind, path: Path, readable: str = READABLE) -> Iterator[Finding]:
    """Read it, and check it if that went well."""
    read, checks = kind
    try:
        subject = read(path)
    except Exception as error:
        yield Finding(readable, (finding.stumbled(error),))
        return
    yield Finding(readable, ())
    yield from finding.run(checks, subject)
