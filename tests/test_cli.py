"""The command says what a file is, prints the scorecard, and refuses in one line."""

import sys

import numpy as np
import pytest

from spinlock import artifacts, cli
from spinlock.refusals import Refusal


def test_an_artefact_is_described_by_its_datasets_and_parameters(tmp_path):
    with artifacts.writing(tmp_path / "a.h5", "tokens", {"seed": 5}) as sink:
        sink.put("tokens", np.zeros((4, 2), dtype=np.int64), "N S")
    said = cli.describe(tmp_path / "a.h5")
    assert "a.h5: tokens" in said
    assert "tokens  [4, 2]  N S  int64" in said
    assert "{'seed': 5}" in said


def test_a_checkpoint_and_a_json_file_are_described(tmp_path):
    artifacts.save_checkpoint(tmp_path / "a.pt", "noa", {"config": {"a": 1}})
    artifacts.write_json(tmp_path / "index.json", {"steps": 4, "shards": {"a": 1, "b": 2}})
    assert cli.describe(tmp_path / "a.pt").splitlines() == [
        f"{tmp_path / 'a.pt'}: noa",
        "  schema: 1",
        "  config: 1 entries",
    ]
    assert "shards: 2 entries" in cli.describe(tmp_path)


@pytest.mark.parametrize("name", ["missing.h5", "missing.pt", "missing.json", "README.md"])
def test_what_is_not_ours_is_refused_by_name(tmp_path, name):
    with pytest.raises(Refusal, match=name):
        cli.describe(tmp_path / name)


def test_the_scorecard_is_aligned(tmp_path):
    artifacts.write_table(tmp_path / "s.csv", [{"criterion": "quality", "value": 0.5},
                                               {"criterion": "x", "value": 12.25}])  # fmt: skip
    assert cli.scorecard(tmp_path / "s.csv").splitlines() == [
        "criterion  value",
        "quality    0.5",
        "x          12.25",
    ]


def test_a_refusal_is_one_line_and_status_two(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spinlock", "info", str(tmp_path / "none.h5")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
