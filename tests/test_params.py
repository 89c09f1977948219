"""A wrong parameter is one line that names the key, what is allowed and what was found."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock import check, params
from spinlock.params import STRICT
from spinlock.refusals import Refusal


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Inner:
    ema_decay: float

    def __post_init__(self) -> None:
        if not 0 < self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in (0, 1), got {self.ema_decay}")


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Number:
    kind: Literal["number"]
    low: int


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Word:
    kind: Literal["word"]
    choices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    count: int = Field(ge=1)
    rate: float
    mode: Literal["fast", "exact"]
    sizes: tuple[int, ...]
    inner: Inner
    width: int | tuple[Annotated[int, Field(ge=1)], ...]
    axes: tuple[Annotated[Number | Word, Field(discriminator="kind")], ...]


GOOD = (
    "{count: 3, rate: 1e-3, mode: fast, sizes: [1, 2], inner: {ema_decay: 0.9}, width: 5, "
    "axes: [{kind: number, low: 0}, {kind: word, choices: [a]}]}"
)


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_a_section_becomes_a_frozen_dataclass(tmp_path):
    config = params.load("stage", Config, write(tmp_path, f"stage: {GOOD}"))
    assert config == Config(
        count=3,
        rate=1e-3,
        mode="fast",
        sizes=(1, 2),
        inner=Inner(ema_decay=0.9),
        width=5,
        axes=(Number(kind="number", low=0), Word(kind="word", choices=("a",))),
    )
    with pytest.raises(AttributeError):
        config.count = 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("count", "cuont"), ["stage.cuont: unknown key", "did you mean 'count'?"]),
        (("ema_decay", "decay"), ["stage.inner.decay: unknown key", "'ema_decay'"]),
        (("rate: 1e-3, ", ""), ["stage.rate: missing"]),
        (("rate: 1e-3", 'rate: "0.1"'), ["stage.rate", "number", '"0.1"']),
        (("count: 3", "count: -3"), ["stage.count", "greater than or equal to 1", "-3"]),
        (("count: 3", "count: 3.5"), ["stage.count", "integer", "3.5"]),
        (("count: 3", "count: true"), ["stage.count", "integer", "true"]),
        (("mode: fast", "mode: slow"), ["stage.mode", "'fast' or 'exact'", "slow"]),
        (("0.9", "1.5"), ["stage.inner", "ema_decay must lie in (0, 1), got 1.5"]),
        (("sizes: [1, 2]", "sizes: [1, x]"), ["stage.sizes.1", "integer", '"x"']),
        (("rate: 1e-3", "rate: .nan"), ["stage.rate", "finite"]),
        (("width: 5", "width: x"), ["stage.width: expected a valid integer", '"x"']),
        (("width: 5", "width: [1, 0]"), ["stage.width.1: expected greater than", "got 0"]),
        (("low: 0", "low: x"), ["stage.axes.0.low: expected a valid integer"]),
        (("low: 0", "lwo: 0"), ["stage.axes.0.lwo: unknown key, did you mean 'low'?"]),
        (("low: 0", "a: 0"), ["stage.axes.0.a: unknown key; known: kind, low"]),
        (("[a]", "[1]"), ["stage.axes.1.choices.0: expected a valid string, got 1"]),
        (
            ("kind: word", "kind: wrod"),
            ["stage.axes.1.kind: expected one of 'number', 'word', got"],
        ),
        (("kind: word, ", ""), ["stage.axes.1.kind: missing"]),
        (("inner: {", "inner: {abc: 1, "), ["stage.inner.abc: unknown key; known: ema_decay"]),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(tmp_path, change, said):
    path = write(tmp_path, f"stage: {GOOD.replace(*change)}")
    with pytest.raises(Refusal) as refusal:
        params.load("stage", Config, path)
    line = str(refusal.value)
    assert "\n" not in line
    assert all(words in line for words in said), line


def test_a_missing_section_is_named_with_the_nearest_one(tmp_path):
    with pytest.raises(Refusal, match="stage: missing, did you mean 'stages'"):
        params.load("stage", Config, write(tmp_path, "stages: 1"))


def test_broken_yaml_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(Refusal, match="not valid YAML"):
        params.load("stage", Config, write(tmp_path, "stage: [1"))
    with pytest.raises(Refusal, match="not found"):
        params.load("stage", Config, tmp_path / "other.yaml")
    with pytest.raises(Refusal, match=f"{tmp_path}: expected a file, found a folder"):
        params.load("stage", Config, tmp_path)


@pytest.mark.parametrize(
    "text", [b"stage: \xff", b"stage: " + b"9" * 5000, b"stage: " + b"[" * 5000]
)
def test_letters_digits_and_depths_that_cannot_be_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_bytes(text)
    with pytest.raises(Refusal, match=f"^{path}: not valid YAML: .+$"):
        params.read(path)


def test_numbers_are_read_as_dvc_reads_them(tmp_path):
    path = write(tmp_path, "a: 1e-3\nb: 5e2\n")
    assert params.load("a", float, path) == 0.001
    assert params.load("b", float, path) == 500.0


@pytest.mark.parametrize("value", ["-1", "1.0", "'1'", "true", "null"])
def test_a_seed_is_a_whole_number_from_zero_on(tmp_path, value):
    assert params.load("seed", int, write(tmp_path, "seed: 0")) == 0
    with pytest.raises(Refusal, match=r"seed: expected .*, got "):
        params.load("seed", int, write(tmp_path, f"seed: {value}"))


def paths(tree, above=()):
    """Every place of a tree of parameters where a value stands."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*above, key))


def test_whatever_is_wrong_in_the_projects_parameters_is_said_where_it_stands(root):
    """A value that no parameter can have, at each place in turn: the line names that very key."""
    tree = params.read(root / "params.yaml")
    tree["generate"]["store"] = [{"operators": 3, "steps": None}]
    impossible = {"no such": "value"}
    for *above, key in paths(tree):
        place = tree
        for word in above:
            place = place[word]
        before, place[key] = place[key], impossible
        with pytest.raises(Refusal) as refusal:
            check.check_tree(tree, "p")
        place[key] = before
        where = str(refusal.value).split(": ")[1]
        found = ".".join(map(str, (*above, key)))
        assert f"{where}.".startswith(f"{found}."), refusal.value  # or a key that is missing in it
