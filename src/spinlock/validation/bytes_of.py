"""The bytes of an artefact: those that dvc.lock lists, and those that HDF5 gave checksums."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import yaml

from spinlock.artifacts import Source
from spinlock.refusals import Refusal
from spinlock.validation.finding import Absent

LOCK = "dvc.lock"
CACHED = ("data/", "models/")  # what DVC has; Git has what else is checked, metrics


def listed(path: Path) -> Iterator[str]:
    """Compare a file or folder with the MD5 that dvc.lock has for it.

    Raises:
        Absent: no stage of a project around it writes it.
    """
    whole = path.resolve()
    root = next((folder for folder in whole.parents if (folder / LOCK).is_file()), None)
    if root is None:
        raise Absent(f"no {LOCK} above it")
    lock = yaml.safe_load((root / LOCK).read_text(encoding="utf-8"))
    outs = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}
    name = whole.relative_to(root).as_posix()
    if name not in outs:
        raise Absent(f"no stage in {LOCK} writes it")
    if (found := md5(whole)) != outs[name]:
        back = "dvc checkout --force" if name.startswith(CACHED) else "git checkout --"
        yield f"{LOCK} lists {outs[name]}, found {found} ({back} {path}, or dvc repro)"


def remedy(path: Path) -> str:
    """What `listed` finds wrong with a file, after a semicolon; nothing if there is nothing."""
    try:
        return "".join(f"; {problem}" for problem in listed(path)) if path.is_file() else ""
    except Absent:
        return ""


def md5(path: Path) -> str:
    """The MD5 of a file, or of a folder as DVC counts it: that of the list of its files' MD5."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    files = sorted(p for p in path.rglob("*") if p.is_file())
    entries = [{"md5": md5(p), "relpath": p.relative_to(path).as_posix()} for p in files]
    text = json.dumps(entries, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def checksummed(source: Source) -> Iterator[str]:
    """Read every dataset; each value has a checksum, and is what that says."""
    with h5py.File(source.path, "r") as file:
        for name in source.names():
            if file[name].size and file[name].ndim and not file[name].fletcher32:
                yield f"{name}: without a checksum"
    for name in source.names():
        yield from _refused(source.raw, source, name)


def declared(source: Source) -> Iterator[str]:
    """Every value is finite, or a mask says that it does not exist; axes of a letter agree."""
    for name in source.names():
        if name != "u":  # NaN from divergence on, which no mask says; see `rollouts`
            yield from _refused(source.get, source, name)


def _refused(read: Callable[[str, str], np.ndarray], source: Source, name: str) -> Iterator[str]:
    try:
        read(name, source.layout(name)[1])
    except Refusal as refusal:
        yield str(refusal).removeprefix(f"{source.path}: ")


def named(source: Source) -> Iterator[str]:
    """As many names as columns, each once."""
    with h5py.File(source.path, "r") as file:
        for name in source.names():
            if "columns" not in file[name].attrs:
                continue
            columns, width = source.columns(name), source.layout(name)[0][-1]
            if len(columns) != width:
                yield f"{name}: {len(columns)} names for {width} columns"
            if len(set(columns)) < len(columns):
                twice = next(column for column in columns if columns.count(column) > 1)
                yield f"{name}: column {twice} stands there twice"


HDF5 = {
    "every checksum is right": checksummed,
    "every value is finite, or a mask says that there is none": declared,
    "every column has a name of its own": named,
}


def kind(path: Path) -> str:
    """The kind that an HDF5 file says it is; whether that is true, `artifacts.reading` checks.

    Raises:
        Refusal: missing, truncated or foreign.
    """
    if not path.is_file():
        raise Refusal(f"{path}: not found")
    try:
        with h5py.File(path, "r") as file:
            if "kind" not in file.attrs:
                raise Refusal(f"{path}: a foreign HDF5 file")
            return str(file.attrs["kind"])
    except OSError as error:
        raise Refusal(f"{path}: not HDF5, or truncated ({error})") from None
