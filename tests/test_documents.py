"""A checkpoint that lacks anything is one line that names the file, whatever it lacks."""

from pathlib import Path

import pytest
import torch

import noa_cases
import spinlock
import tokenizer_cases
from spinlock import artifacts
from spinlock.refusals import Refusal

LOAD = {"tokenizer": spinlock.load_tokenizer, "noa": spinlock.load_noa}
TOKENIZER = ("cleaner", "categories", "config", "levels", "channels", "num_steps", "weights")
KEYS = [("tokenizer", key) for key in TOKENIZER] + [("noa", "about"), ("noa", "weights")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    """A tokenizer and an agent that load."""
    folder = tmp_path_factory.mktemp("whole")
    made = {
        "tokenizer": tokenizer_cases.started(*tokenizer_cases.source()),
        "noa": noa_cases.agent(),
    }
    for kind, model in made.items():
        model.save(folder / f"{kind}.pt")
        LOAD[kind](folder / f"{kind}.pt")
    return {kind: folder / f"{kind}.pt" for kind in made}


def refused(kind: str, content: dict, path: Path) -> str:
    torch.save(content, path)
    with pytest.raises(Refusal) as refusal:
        LOAD[kind](path)
    line = str(refusal.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert len(line) < 400 + len(str(path))
    return line


@pytest.mark.parametrize(("kind", "key"), KEYS)
def test_a_missing_key_is_named(whole, tmp_path, kind, key):
    content = artifacts.load_checkpoint(whole[kind])
    del content[key]
    assert key in refused(kind, content, tmp_path / "a.pt")


@pytest.mark.parametrize("kind", LOAD)
@pytest.mark.parametrize("wrong", [None, 3, [], {}, "x"])
def test_weights_of_another_kind_are_refused(whole, tmp_path, kind, wrong):
    content = artifacts.load_checkpoint(whole[kind])
    said = refused(kind, {**content, "weights": wrong}, tmp_path / "a.pt")
    assert "something missing or of another version" in said


@pytest.mark.parametrize("kind", LOAD)
def test_a_missing_weight_and_one_of_another_shape_are_named(whole, tmp_path, kind):
    content = artifacts.load_checkpoint(whole[kind])
    name = next(name for name, w in content["weights"].items() if w.ndim > 1)
    others = {n: w for n, w in content["weights"].items() if n != name}
    assert name in refused(kind, {**content, "weights": others}, tmp_path / "a.pt")
    shaped = {**content["weights"], name: torch.zeros(1, 1)}
    assert name in refused(kind, {**content, "weights": shaped}, tmp_path / "a.pt")


def test_what_a_checkpoint_does_not_hold_back_is_passed_on(tmp_path):
    """A refusal keeps its own words."""

    @artifacts.refusing_incomplete
    def load(path):
        raise Refusal("mine")

    with pytest.raises(Refusal, match="^mine$"):
        load(tmp_path)


@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 1}', '[{"x": {"a": 1, "a": 2}}]'])
def test_an_object_with_a_key_twice_is_refused_by_name(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(Refusal, match=f"{path}: the key 'a' stands twice in one object"):
        artifacts.read_json(path)
    path.write_text('{"a": {"a": 1}, "b": {"a": 2}}')
    assert artifacts.read_json(path) == {"a": {"a": 1}, "b": {"a": 2}}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-2.5e400"])
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path, number):
    path = tmp_path / "a.json"
    path.write_text(f'{{"a": [1.5, {number}]}}')
    with pytest.raises(Refusal, match=f"{path}: expected finite numbers, found {number}"):
        artifacts.read_json(path)
    path.write_text('{"a": [1.5, -2e300, 3], "b": "NaN"}')
    assert artifacts.read_json(path) == {"a": [1.5, -2e300, 3], "b": "NaN"}


def test_a_number_of_too_many_digits_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("9" * 5000)
    with pytest.raises(Refusal, match=f"{path}: not JSON: Exceeds the limit"):
        artifacts.read_json(path)
