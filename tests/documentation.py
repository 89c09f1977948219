"""README and the pages of docs/: their commands, their figures and where these come from."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MADE = ("docs/features.md", "docs/initial_conditions.md")  # by `make docs` from the code
ALL = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")))
PAGES = tuple(page for page in ALL if page not in MADE)

BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^\n]+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
CITATION = re.compile(r"<!-- (?P<file>[\w./-]+\.\w+): (?P<key>[^\n]+?) -->")
NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
WORDS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty"
UNITS = (
    r"[µmn]?s|seconds?|min|minutes?|hours?|days?|[kMGT]i?B|(?:mega|giga|tera)bytes?|percent|times"
)
FIGURE = re.compile(
    rf"(?<![\w.])(?:\d+\.\d+(?:e-?\d+)?|{NUMBER}(?= ?%)|(?:{NUMBER}|{WORDS})(?= (?:{UNITS})\b))"
    r"(?![\w]|\.\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str
    why_not_run: str | None  # the reason that the page gives, in a comment before the block


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with decimals, of percent, or with a unit, and the citations beside it."""

    text: str
    citations: tuple[tuple[str, str], ...]  # file, and where in it


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a page, in their order."""
    return [
        Block(language=m["language"], text=m["text"], why_not_run=m["why"])
        for m in BLOCK.finditer(text)
    ]


def prose(text: str) -> str:
    """A page without its blocks, code in a line, and addresses of links."""
    text = BLOCK.sub("", text)
    text = re.sub(r"`[^`\n]*`", "`code`", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def figures(text: str) -> list[Figure]:
    """Figures of a page's prose, each with the citations of its line, or of its cell of a table.

    A citation is a comment, which a reader does not see: `0.5 <!-- metrics/evaluate.json: key -->`.
    """
    found = []
    for line in prose(text).splitlines():
        for place in re.split(r"(?<!\\)\|", line):
            cited = tuple((c["file"], c["key"]) for c in CITATION.finditer(place))
            spoken = CITATION.sub("", place)
            found += [Figure(text=m[0], citations=cited) for m in FIGURE.finditer(spoken)]
    return found


def produced(figure: Figure) -> bool:
    """Whether one of the cited places has the figure, rounded as it is written, or as a share."""
    return any(_says(_lookup(ROOT / file, key), figure.text) for file, key in figure.citations)


def _says(place: str, text: str) -> bool:
    if not re.fullmatch(NUMBER, text):
        return re.search(rf"\b{text}\b", place, re.IGNORECASE) is not None
    decimals = len(text.partition("e")[0].partition(".")[2])
    values = [float(value) for value in re.findall(rf"-?{NUMBER}", place)]
    spoken = float(text)
    return any(
        value == spoken or round(value, decimals) == spoken
        for one in values
        for value in (one, 100 * one)
    )


def _lookup(path: Path, key: str) -> str:
    """What a file says: under a key of JSON or YAML, in a cell of a table, or in its words.

    The key of a table is `row, column`, a row by its first cell; of other files it is a piece of
    their text.
    """
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return repr(json.loads(content)[key])
    if path.suffix == ".yaml":
        tree = yaml.safe_load(content)
        for part in key.split("."):
            tree = tree[part]
        return str(tree)
    if path.suffix == ".csv":
        row, _, column = key.rpartition(", ")
        head, *rows = csv.reader(content.splitlines())
        (chosen,) = (cells for cells in rows if cells[0] == row)
        return chosen[head.index(column)]
    if key not in content:
        raise KeyError(f"{path}: does not say '{key}'")
    return key
