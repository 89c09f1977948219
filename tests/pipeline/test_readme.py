"""What the README says: its length, its Python, and the commands that it names."""

import re

from closure import ROOT

README = (ROOT / "README.md").read_text()


def test_it_can_be_read_in_one_sitting():
    assert len(README.splitlines()) <= 150


def test_the_make_targets_it_names_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_the_metrics_it_explains_are_written():
    written = (ROOT / "metrics" / "evaluate.json").read_text()
    for name in ("tokenizer/reconstruction", "tokenizer/topo_tokens", "noa/vrmse_8"):
        assert f'"{name}"' in written
        assert f"`{name}`" in README


def test_the_files_it_names_are_outs_of_the_stages():
    declared = (ROOT / "dvc.yaml").read_text()
    for path in re.findall(r"`((?:data|models|metrics|plots)/[\w./]+\.\w+)`", README):
        assert path in declared, path
