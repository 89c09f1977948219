"""A section of `params.yaml` becomes a frozen dataclass, or one clear refusal."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from spinlock.refusals import Refusal

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
PATH = Path("params.yaml")
COUNT = Field(strict=True, ge=0)
UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")

T = TypeVar("T")
Node = Mapping[str, Any]  # of a JSON schema


def load(section: str, schema: type[T], path: Path = PATH) -> T:
    """Parse one top-level key of `params.yaml` into `schema`.

    Args:
        section: the key, such as `"sample"`, or `"seed"` for the root seed.
        schema: a frozen dataclass made with `STRICT`, or a plain type; `int` is a whole number
            from 0 on, as a seed is.
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
    checked: Any = Annotated[int, COUNT] if schema is int else schema
    try:
        return TypeAdapter(checked).validate_json(json.dumps(tree[section]))
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
    except IsADirectoryError:
        raise Refusal(f"{path}: expected a file, found a folder") from None
    except (YAMLError, ValueError, RecursionError) as error:
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
    tree = TypeAdapter(schema).json_schema()
    # A misspelled key is both unknown and missing: say the former.
    if unknown := next((c for c in complaints if c["type"] in UNKNOWN), None):
        *above, key = unknown["loc"]
        keys, known = _follow(above, tree)
        place = ".".join([section, *keys, str(key)])
        return f"{place}: unknown key{_suggestion(str(key), known)}"
    told, keys = _most_telling(complaints, tree)
    return _said(".".join([section, *keys]), told)


def _most_telling(
    complaints: Sequence[ErrorDetails], schema: Node
) -> tuple[ErrorDetails, list[str]]:
    """The first complaint, or one of the same place that knows better where in there, and where."""
    places = [_follow(complaint["loc"], schema)[0] for complaint in complaints]
    inside = [at for at, keys in enumerate(places) if keys[: len(places[0])] == places[0]]
    best = max(inside, key=lambda at: len(places[at]))
    return complaints[best], places[best]


def _said(place: str, complaint: ErrorDetails) -> str:
    """What is wrong there."""
    kind, message = complaint["type"], complaint["msg"]
    if kind.startswith("missing"):
        return f"{place}: missing"
    if kind.startswith("union_tag"):  # which of several forms a value has, a word of it says
        about = complaint["ctx"]
        word = about["discriminator"].strip("'")
        if kind == "union_tag_not_found":
            return f"{place}.{word}: missing"
        return f"{place}.{word}: expected one of {about['expected_tags']}, got '{about['tag']}'"
    if kind == "value_error":
        return f"{place}: {message.removeprefix('Value error, ')}"
    found = json.dumps(complaint["input"], default=str)
    return f"{place}: expected {message.removeprefix('Input should be ')}, got {found}"


def _follow(loc: Sequence[str | int], schema: Node) -> tuple[list[str], list[str]]:
    """The keys and indices of a place, without pydantic's names of alternatives; what it may hold.

    Args:
        loc: as pydantic says it, such as `("store", "subset", 0, "steps")`.
        schema: JSON schema of the whole.

    Returns:
        The words that stand in YAML, `["store", "0", "steps"]`, and the names of all fields there.
    """
    keys: list[str] = []
    nodes = _alternatives(schema, schema)
    for part in loc:
        if below := [child for node in nodes if (child := _child(node, part)) is not None]:
            keys.append(str(part))
            nodes = [found for child in below for found in _alternatives(child, schema)]
        else:  # the name of an alternative: keep those that say so of themselves
            nodes = [node for node in nodes if _says(node, part)] or nodes
    return keys, sorted({name for node in nodes for name in node.get("properties", {})})


def _alternatives(node: Node, schema: Node) -> list[Node]:
    """The schemas that a value may follow, references resolved."""
    if "$ref" in node:
        return _alternatives(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    several = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    return [found for one in several for found in _alternatives(one, schema)] or [node]


def _child(node: Node, part: str | int) -> Node | None:
    """The schema of a field, of a value or of an entry; none if the node has no such."""
    if isinstance(part, int):
        fixed = node.get("prefixItems", ())
        return fixed[part] if part < len(fixed) else node.get("items")
    if part in node.get("properties", {}):
        return node["properties"][part]
    others = node.get("additionalProperties", False)  # of a mapping: the schema of its values
    return {} if others is True else others or None


def _says(node: Node, word: str | int) -> bool:
    """Whether one of its fields has always that value, as `kind` has."""
    return any(field.get("const") == word for field in node.get("properties", {}).values())


def _suggestion(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
