"""Artefacts: self-describing HDF5 files, atomic, with the same bytes every time, checked on read.

Everything that a stage reads or writes goes through this module: it hands on the JSON, tables and
checkpoints of `documents` too.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from spinlock.disk import Spool, replacing, uninterrupted
from spinlock.documents import (
    SCHEMA,
    load_checkpoint,
    read_json,
    read_object,
    refusing_incomplete,
    rounded,
    save_checkpoint,
    write_json,
    write_metrics,
    write_table,
)
from spinlock.refusals import Refusal

__all__ = [
    "SCHEMA",
    "Sink",
    "Source",
    "load_checkpoint",
    "read_json",
    "read_object",
    "reading",
    "refusing_incomplete",
    "replacing",
    "rounded",
    "save_checkpoint",
    "write_json",
    "write_metrics",
    "write_table",
    "writing",
]

CHUNK = 2**16  # bytes; a larger row is a chunk of its own


class Sink:
    """An HDF5 file being written; see `writing`."""

    def __init__(self, file: h5py.File, spool: Spool) -> None:
        self._file = file
        self._spool = spool

    def put(
        self,
        name: str,
        values: np.ndarray | Sequence[str],
        axes: str,
        *,
        columns: Sequence[str] = (),
        units: Sequence[str] = (),
        mask: np.ndarray | None = None,
    ) -> None:
        """Write one dataset in chunks along its first axis, each with a checksum.

        Not compressed: LZF starts from uninitialized memory, so that equal values gave unequal
        bytes, and what zlib writes depends on its version.

        Args:
            name: path inside the file, such as `"features/initial/aggregated/features"`.
            values: array, or a sequence of strings (stored as fixed-width bytes).
            axes: one letter or word per axis, such as `"N R D"`.
            columns: names along the last axis.
            units: one unit per column, or a single one for the whole dataset.
            mask: True where the value exists; broadcast to `values`; stored as dataset `mask` in
                the same group. Values that do not exist are NaN.
        """
        if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
            array = values
        else:
            array = np.char.encode(np.asarray(values, dtype=np.str_), "utf-8")
        if columns and len(columns) != array.shape[-1]:
            raise ValueError(f"{name}: {len(columns)} names for {array.shape[-1]} columns")
        named = {"columns": columns, "units": units}
        self._write(name, array, axes, {key: list(given) for key, given in named.items() if given})
        if mask is not None:
            self._write(_mask_name(name), np.broadcast_to(mask, array.shape), axes, {})

    def _write(
        self, name: str, array: np.ndarray, axes: str, named: Mapping[str, list[str]]
    ) -> None:
        if len(axes.split()) != array.ndim:
            raise ValueError(f"{name}: axes '{axes}' for an array of shape {array.shape}")
        options: dict[str, object] = {}
        if array.ndim and array.size:
            rows = max(1, CHUNK // max(1, array[0].nbytes))
            options["chunks"] = (min(rows, array.shape[0]), *array.shape[1:])
            options["fletcher32"] = True  # a flipped bit is an error on reading
        with uninterrupted():
            dataset = self._file.create_dataset(name, data=array, track_times=False, **options)
            dataset.attrs["axes"] = axes
            for key, values in named.items():
                dataset.attrs[key] = json.dumps(values)
        self._spool.check()


class Source:
    """An HDF5 file being read; see `reading`. Every refusal names file, dataset and index."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file = file
        self.path = path
        self._sizes: dict[str, int] = {}

    @property
    def provenance(self) -> dict:
        """The parameters that made the file.

        Raises:
            Refusal: they are no JSON object.
        """
        found = _json(self._file, "provenance")
        if not isinstance(found, dict):
            raise Refusal(f"{self.path}: expected a JSON object as attribute provenance")
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def raw(self, name: str, axes: str, rows: slice = slice(None)) -> np.ndarray:
        """Read a dataset as `get` does, with whatever is not finite in it.

        Raises:
            Refusal: missing, other axes, or bytes that do not match their checksum.
        """
        data = self._along(name, axes)
        try:
            return data[rows]
        except OSError as error:
            raise Refusal(f"{self.path}: {name}: unreadable, damaged? ({error})") from None

    def _dataset(self, name: str) -> h5py.Dataset:
        data = self._file.get(name)
        if not isinstance(data, h5py.Dataset) or "axes" not in data.attrs:
            raise Refusal(f"{self.path}: dataset '{name}' is missing, or not one of ours")
        return data

    def _along(self, name: str, axes: str) -> h5py.Dataset:
        data = self._dataset(name)
        if data.attrs["axes"] != axes:
            found = data.attrs["axes"]
            raise Refusal(f"{self.path}: {name}: expected axes '{axes}', found '{found}'")
        for axis, size in zip(axes.split(), data.shape, strict=True):
            if axis in ("N", "R", "T") and self._sizes.setdefault(axis, size) != size:
                raise Refusal(
                    f"{self.path}: {name}: axis {axis} has {size} entries, "
                    f"other datasets have {self._sizes[axis]}"
                )
        return data

    def get(
        self, name: str, axes: str, rows: slice = slice(None), *, all_finite: bool = False
    ) -> np.ndarray:
        """Read a dataset, or some of its rows.

        Args:
            name: path inside the file.
            axes: as in `Sink.put`.
            rows: which rows.
            all_finite: refuse a non-finite value where a mask says that there is none, too.

        Raises:
            Refusal: missing, other axes, unreadable bytes, or a non-finite value that no mask
                declares missing.
        """
        values = self.raw(name, axes, rows)
        if values.dtype.kind == "f":
            bad = ~np.isfinite(values)
            if bad.any() and _mask_name(name) in self._file and not all_finite:
                bad &= self._file[_mask_name(name)][rows]
            if bad.any():
                index = [int(i) for i in np.argwhere(bad)[0]]
                index[0] += rows.start or 0
                raise Refusal(f"{self.path}: {name}: {values[bad][0]} at index {index}")
        if values.dtype.kind == "S":
            return np.char.decode(values, "utf-8")
        return values

    def mask(self, name: str, axes: str) -> np.ndarray:
        """True where the values of dataset `name` exist."""
        return self.get(_mask_name(name), axes)

    def columns(self, name: str) -> tuple[str, ...]:
        """Names along the last axis of a dataset.

        Raises:
            Refusal: there are none, or they are no list of names.
        """
        return self._names(name, "columns")

    def units(self, name: str) -> tuple[str, ...]:
        """Units of a dataset: one for all, or one a column.

        Raises:
            Refusal: there are none, or they are no list of names.
        """
        return self._names(name, "units")

    def _names(self, name: str, attribute: str) -> tuple[str, ...]:
        found = _json(self._dataset(name), attribute)
        if not isinstance(found, list) or not all(isinstance(entry, str) for entry in found):
            raise Refusal(f"{self.path}: {name}: expected a list of names as attribute {attribute}")
        return tuple(found)

    def layout(self, name: str) -> tuple[tuple[int, ...], str, str]:
        """Shape, axes and type of a dataset."""
        data = self._file[name]
        return data.shape, data.attrs["axes"], str(data.dtype)

    def names(self) -> list[str]:
        """Paths of all datasets, sorted."""
        found: list[str] = []

        def visit(name: str, node: h5py.Dataset | h5py.Group) -> None:
            if isinstance(node, h5py.Dataset):
                found.append(name)

        self._file.visititems(visit)
        return sorted(found)


def _json(holder: h5py.File | h5py.Dataset, attribute: str) -> object:
    """What an attribute says; None if there is none, or if it is no JSON."""
    try:
        return json.loads(holder.attrs[attribute])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def _mask_name(name: str) -> str:
    return name.rpartition("/")[0] + "/mask"


@contextmanager
def writing(path: Path, kind: str, provenance: object) -> Iterator[Sink]:
    """Write an HDF5 artefact of a kind, atomically and with the same bytes every time.

    Args:
        path: where it will stand.
        kind: what it is, such as `"operators"` or `"features"`; checked on reading.
        provenance: the parameters that made it, JSON-serializable.

    Raises:
        Refusal: the disk does not let it; see `disk.refusing`.
    """
    with replacing(path) as beside, Spool(beside) as spool:
        with uninterrupted():
            file = h5py.File(spool, "w")
            file.attrs["kind"] = kind
            file.attrs["schema"] = SCHEMA
            file.attrs["provenance"] = json.dumps(provenance, sort_keys=True)
        try:
            yield Sink(file, spool)
        finally:
            with uninterrupted():
                file.close()
        spool.check()


@contextmanager
def reading(path: Path | str, kind: str) -> Iterator[Source]:
    """Open an artefact that `writing` made.

    Raises:
        Refusal: missing, truncated, foreign, of another kind or schema, or with something in it
            that would be read from another file.
    """
    path = Path(path)
    if not path.is_file():
        raise Refusal(f"{path}: not found; it is made by an earlier stage (dvc repro)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise Refusal(f"{path}: not a readable HDF5 file, is it truncated? ({error})") from None
    with file:
        ours = {"kind", "schema", "provenance"} <= set(file.attrs)
        found = "{kind} of schema {schema}".format(**file.attrs) if ours else "a foreign file"
        if found != (expected := f"{kind} of schema {SCHEMA}"):
            raise Refusal(f"{path}: expected {expected}, found {found}")
        if name := file.visit_links(partial(_link_away, file)) or file.visititems(_no_plain_array):
            raise Refusal(f"{path}: '{name}' is no plain array in this file; a foreign file?")
        yield Source(file, path)


def _link_away(file: h5py.File, name: str) -> str | None:
    """The name again if it is a link to another file."""
    return name if isinstance(file.get(name, getlink=True), h5py.ExternalLink) else None


def _no_plain_array(name: str, node: h5py.Dataset | h5py.Group) -> str | None:
    """The name again if it is a dataset that no `Sink` wrote.

    HDF5 can keep the values of a dataset in any other file, and objects instead of values.
    """
    if isinstance(node, h5py.Group):
        return None
    away = node.is_virtual or node.external is not None
    return name if away or node.dtype.kind not in "biufS" or "axes" not in node.attrs else None
