"""JSON, tables and checkpoints: atomic, with the same bytes every time, checked on reading."""

import csv
import io
import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TypeVar

import torch

from spinlock.disk import replacing
from spinlock.refusals import Refusal

SCHEMA = 1
LONGEST = 200  # letters of a library's complaint that a refusal repeats

Model = TypeVar("Model")


def write_json(path: Path, payload: object) -> None:
    """Write JSON with sorted keys and a final newline."""
    with replacing(path) as beside:
        beside.write_text(
            json.dumps(payload, indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8"
        )


def read_json(path: Path) -> object:
    """Read JSON.

    Raises:
        Refusal: missing, not JSON, an object with a key twice, or a number that is not finite.
    """

    def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise Refusal(f"{path}: the key {twice!r} stands twice in one object")
        return found

    def finite(number: str) -> float:
        if math.isfinite(value := float(number)):
            return value
        raise Refusal(f"{path}: expected finite numbers, found {number}")

    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(
            text, object_pairs_hook=distinct, parse_float=finite, parse_constant=finite
        )
    except FileNotFoundError:
        raise Refusal(f"{path}: not found; it is made by an earlier stage (dvc repro)") from None
    except (ValueError, RecursionError) as error:  # also of letters, and of too many digits
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
    buffer = io.BytesIO()  # torch hides what a disk says, and says it again when the process ends
    torch.save({"kind": kind, "schema": SCHEMA, **payload}, buffer)
    with replacing(path) as beside:
        beside.write_bytes(buffer.getbuffer())


def load_checkpoint(path: Path | str, kind: str | None = None) -> dict:
    """Load a checkpoint without executing any code in it; of any kind if none is asked for.

    Raises:
        Refusal: missing, damaged, or of another kind or schema.
    """
    path = Path(path)
    if not path.is_file():
        raise Refusal(f"{path}: not found; it is made by an earlier stage (dvc repro)")
    try:
        with warnings.catch_warnings(action="ignore"):
            payload = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises zip, pickle, runtime and end-of-file errors alike
        raise Refusal(
            f"{path}: not a readable checkpoint: damaged, or with more in it than tensors and "
            f"plain values, of which nothing was run ({type(error).__name__})"
        ) from None
    if not isinstance(payload, dict) or not {"kind", "schema"} <= set(payload):
        raise Refusal(f"{path}: a foreign checkpoint")
    found = payload["kind"], payload["schema"]
    if found != (kind or found[0], SCHEMA):
        raise Refusal(
            f"{path}: expected {kind or 'a checkpoint'} of schema {SCHEMA}, "
            f"found {found[0]} of schema {found[1]}"
        )
    return payload


def refusing_incomplete(load: Callable[[Path | str], Model]) -> Callable[[Path | str], Model]:
    """Let a function that makes a model from a checkpoint refuse one that lacks something.

    A checkpoint of another version, or one that somebody else made, has other keys, types or sizes;
    whatever stumbles over them becomes one line that names the file.
    """

    @wraps(load)
    def refusing(path: Path | str) -> Model:
        try:
            return load(path)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            shown = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
            raise Refusal(
                f"{path}: a checkpoint with something missing or of another version ({shown}); "
                "make it again (dvc repro), or get one that belongs to this code"
            ) from None

    return refusing
