"""A section of `params.yaml` becomes a frozen dataclass, or one clear refusal."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from spinlock.refusals import Refusal

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
PATH = Path("params.yaml")
UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")

T = TypeVar("T")


def load(section: str, schema: type[T], path: Path = PATH) -> T:
    """Parse one top-level key of `params.yaml` into `schema`.

    Args:
        section: the key, such as `"sample"`, or `"seed"` for the root seed.
        schema: a frozen dataclass made with `STRICT`, or a plain type.
        path: the file; the working directory is the project's root in every stage.

    Raises:
        Refusal: the file or the section is missing, a key is unknown or missing, a value has
            the wrong type or is impossible. The message names the key by its full path.
    """
    return parse(section, read(path), schema, path)


def parse(section: str, tree: Mapping[str, object], schema: type[T], path: Path | str = PATH) -> T:
    """Parse a section of a tree that is already read; see `load`."""
    if section not in tree:
        raise Refusal(f"{path}: {section}: missing{_suggestion(section, list(tree))}")
    try:
        return TypeAdapter(schema).validate_json(json.dumps(tree[section]))
    except ValidationError as error:
        raise Refusal(f"{path}: {_sentence(section, error, schema)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise Refusal(f"{path}: {section}: not plain YAML ({error})") from None


def read(path: Path = PATH) -> dict[str, object]:
    """Read a YAML file the way DVC does (YAML 1.2, so that `1e-3` is a number)."""
    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"{path}: not found; run from the project's root") from None
    except YAMLError as error:
        raise Refusal(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise Refusal(f"{path}: expected sections, found {type(tree).__name__}")
    if strange := [key for key in tree if not isinstance(key, str)]:
        raise Refusal(f"{path}: expected names of sections, found {strange[0]!r}")
    return tree


def inside(path: str) -> str:
    """The path that a parameter names, if it stays in the project, the working directory.

    Raises:
        ValueError: it is absolute, or leads out by `..` or by a link.
    """
    root = Path.cwd().resolve()
    if Path(path).is_absolute() or not (root / path).resolve().is_relative_to(root):
        raise ValueError(f"must stay in the project, got {path!r}")
    return path


def _sentence(section: str, error: ValidationError, schema: type) -> str:
    """Say the most telling of pydantic's complaints in one line."""
    complaints = error.errors(include_url=False)
    # A misspelled key is both unknown and missing: say the former.
    first = next((c for c in complaints if c["type"] in UNKNOWN), complaints[0])
    place = ".".join([section, *map(str, first["loc"])])
    found = json.dumps(first["input"], default=str)
    if first["type"] in UNKNOWN:
        known = sorted(_field_names(schema))
        return f"{place}: unknown key{_suggestion(str(first['loc'][-1]), known)}"
    if first["type"].startswith("missing"):
        return f"{place}: missing"
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "value_error":
        return f"{place}: {message}"
    return f"{place}: expected {message}, got {found}"


def _field_names(schema: type) -> set[str]:
    """Every field name that the schema knows, at any depth."""
    names: set[str] = set()
    queue = [TypeAdapter(schema).json_schema()]
    while queue:
        node = queue.pop()
        if isinstance(node, dict):
            names |= set(node["properties"]) if "properties" in node else set()
            queue.extend(node.values())
        elif isinstance(node, list):
            queue.extend(node)
    return names


def _suggestion(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
