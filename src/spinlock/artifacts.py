"""Files in and out: self-describing HDF5, JSON, tables and checkpoints; atomic, checked on read."""

import csv
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import torch

from spinlock.refusals import Refusal

SCHEMA = 1
CHUNK = 2**16  # bytes; a larger row is a chunk of its own


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a place beside `path` to write to; it takes the name `path` only if all went well.

    Works for files and for folders. Nothing half-written is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(beside, path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        elif beside.exists():
            beside.unlink()


class Sink:
    """An HDF5 file being written; see `writing`."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

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
        self._write(name, array, axes)
        if columns:
            if len(columns) != array.shape[-1]:
                raise ValueError(f"{name}: {len(columns)} names for {array.shape[-1]} columns")
            self._file[name].attrs["columns"] = json.dumps(list(columns))
        if units:
            self._file[name].attrs["units"] = json.dumps(list(units))
        if mask is not None:
            self._write(_mask_name(name), np.broadcast_to(mask, array.shape), axes)

    def _write(self, name: str, array: np.ndarray, axes: str) -> None:
        if len(axes.split()) != array.ndim:
            raise ValueError(f"{name}: axes '{axes}' for an array of shape {array.shape}")
        options: dict[str, object] = {}
        if array.ndim and array.size:
            rows = max(1, CHUNK // max(1, array[0].nbytes))
            options["chunks"] = (min(rows, array.shape[0]), *array.shape[1:])
            options["fletcher32"] = True  # a flipped bit is an error on reading
        dataset = self._file.create_dataset(name, data=array, track_times=False, **options)
        dataset.attrs["axes"] = axes


class Source:
    """An HDF5 file being read; see `reading`. Every refusal names file, dataset and index."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file = file
        self.path = path
        self._sizes: dict[str, int] = {}

    @property
    def provenance(self) -> dict:
        """The parameters that made the file."""
        return json.loads(self._file.attrs["provenance"])

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def raw(self, name: str, axes: str, rows: slice = slice(None)) -> np.ndarray:
        """Read a dataset as `get` does, with whatever is not finite in it.

        Raises:
            Refusal: missing, other axes, or bytes that do not match their checksum.
        """
        data = self._dataset(name, axes)
        try:
            return data[rows]
        except OSError as error:
            raise Refusal(f"{self.path}: {name}: unreadable, damaged? ({error})") from None

    def _dataset(self, name: str, axes: str) -> h5py.Dataset:
        data = self._file.get(name)
        if not isinstance(data, h5py.Dataset) or "axes" not in data.attrs:
            raise Refusal(f"{self.path}: dataset '{name}' is missing, or not one of ours")
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
        """Names along the last axis of a dataset."""
        return tuple(json.loads(self._file[name].attrs["columns"]))

    def units(self, name: str) -> tuple[str, ...]:
        """Units of a dataset: one for all, or one a column."""
        return tuple(json.loads(self._file[name].attrs["units"]))

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


def _mask_name(name: str) -> str:
    return name.rpartition("/")[0] + "/mask"


@contextmanager
def writing(path: Path, kind: str, provenance: object) -> Iterator[Sink]:
    """Write an HDF5 artefact of a kind, atomically and with the same bytes every time.

    Args:
        path: where it will stand.
        kind: what it is, such as `"operators"` or `"features"`; checked on reading.
        provenance: the parameters that made it, JSON-serializable.
    """
    with replacing(path) as beside, h5py.File(beside, "w") as file:
        file.attrs["kind"] = kind
        file.attrs["schema"] = SCHEMA
        file.attrs["provenance"] = json.dumps(provenance, sort_keys=True)
        yield Sink(file)


@contextmanager
def reading(path: Path | str, kind: str) -> Iterator[Source]:
    """Open an artefact that `writing` made.

    Raises:
        Refusal: missing, truncated, foreign, of another kind or schema.
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
        found = (file.attrs["kind"], int(file.attrs["schema"])) if ours else None
        if found != (kind, SCHEMA):
            made = "a foreign file" if found is None else f"{found[0]} of schema {found[1]}"
            raise Refusal(f"{path}: expected {kind} of schema {SCHEMA}, found {made}")
        yield Source(file, path)


def write_json(path: Path, payload: object) -> None:
    """Write JSON with sorted keys and a final newline."""
    with replacing(path) as beside:
        beside.write_text(
            json.dumps(payload, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8"
        )


def read_json(path: Path) -> object:
    """Read JSON.

    Raises:
        Refusal: missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"{path}: not found; it is made by an earlier stage (dvc repro)") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{path}: not JSON: {error}") from None


def read_object(path: Path) -> dict:
    """Read a JSON object.

    Raises:
        Refusal: missing, not JSON, or a list or value.
    """
    tree = read_json(path)
    if not isinstance(tree, dict):
        raise Refusal(f"{path}: expected an object, found {type(tree).__name__}")
    return tree


def rounded(value: float | None, digits: int = 6) -> float | None:
    """A number with that many significant digits; null if there is none."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def write_metrics(path: Path, metrics: Mapping[str, float | int | None]) -> None:
    """Write flat metrics, rounded to 6 significant digits; a value that does not exist is null."""
    write_json(
        path,
        {
            key: value if isinstance(value, int) else rounded(value)
            for key, value in metrics.items()
        },
    )


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows with the same keys as CSV, or as TSV if the name ends so."""
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: rounded(v) if isinstance(v, float) else v for k, v in row.items()})


def save_checkpoint(path: Path, kind: str, payload: Mapping[str, object]) -> None:
    """Save tensors and plain values, loadable with `weights_only=True`; same bytes always."""
    with replacing(path) as beside, beside.open("wb") as file:
        torch.save({"kind": kind, "schema": SCHEMA, **payload}, file)


def load_checkpoint(path: Path | str, kind: str | None = None) -> dict:
    """Load a checkpoint without executing any code in it; of any kind if none is asked for.

    Raises:
        Refusal: missing, damaged, or of another kind or schema.
    """
    path = Path(path)
    if not path.is_file():
        raise Refusal(f"{path}: not found; it is made by an earlier stage (dvc repro)")
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises zip, pickle, runtime and end-of-file errors alike
        raise Refusal(f"{path}: not a readable checkpoint ({type(error).__name__})") from None
    if not isinstance(payload, dict) or not {"kind", "schema"} <= set(payload):
        raise Refusal(f"{path}: a foreign checkpoint")
    found = payload["kind"], payload["schema"]
    if found != (kind or found[0], SCHEMA):
        raise Refusal(
            f"{path}: expected {kind or 'a checkpoint'} of schema {SCHEMA}, "
            f"found {found[0]} of schema {found[1]}"
        )
    return payload
