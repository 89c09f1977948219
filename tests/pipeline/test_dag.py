"""`dvc.yaml` tells the truth about what a stage imports, reads, uses and writes."""

import ast
import csv
import json
import re

import pytest
import yaml

from closure import ROOT, closure, expand
from spinlock import comparison
from spinlock.categories import partition

DECLARED = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES, ARTIFACTS = DECLARED["stages"], DECLARED["artifacts"]
ORDER = [
    "sample", "generate", "extract", "clean", "discover-categories",
    "train-vqvae", "train-noa", "evaluate",
]  # fmt: skip


def script(name: str):
    return ROOT / "stages" / f"{name.replace('-', '_')}.py"


def paths(entries) -> set[str]:
    """Names of outs, metrics or plots, with or without options."""
    return {e if isinstance(e, str) else next(iter(e)) for e in entries}


def test_the_stages_are_the_eight_in_their_order():
    assert list(STAGES) == ORDER


@pytest.mark.parametrize("name", ORDER)
def test_code_dependencies_are_the_import_closure(name):
    declared, needed = expand(STAGES[name]["deps"]), closure(script(name))
    assert declared == needed, (
        f"too much: {sorted(map(str, declared - needed))}, "
        f"missing: {sorted(map(str, needed - declared))}"
    )


@pytest.mark.parametrize("name", ORDER)
def test_every_path_of_the_command_is_declared(name):
    stage = STAGES[name]
    arguments = {
        word
        for word in stage["cmd"].split()
        if re.match(r"(data|models|metrics|plots)/|mappings$", word)
    }
    data = {dep for dep in stage["deps"] if not dep.endswith(".py") and not dep.startswith("src/")}
    written = set().union(*(paths(stage.get(kind, [])) for kind in ("outs", "metrics", "plots")))
    for argument in arguments:
        inside = {
            path for path in data | written if path == argument or path.startswith(argument + "/")
        }
        assert inside, f"{argument} is neither read nor written"
    for path in data | written:
        assert any(path == a or path.startswith(a + "/") for a in arguments), f"{path} is not named"


@pytest.mark.parametrize("name", ORDER)
def test_parameters_are_the_sections_that_the_script_loads(name):
    loaded = {
        node.args[0].value
        for node in ast.walk(ast.parse(script(name).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func) == "params.load"
    }
    assert loaded - {"runtime"} == set(STAGES[name]["params"])


def test_a_mapping_file_is_a_dependency_and_so_is_its_absence():
    """DVC writes null as None, and that file is empty; see tests/pipeline/test_mapping.py."""
    (named,) = [dep for dep in STAGES["discover-categories"]["deps"] if "mapping" in dep]
    assert named == f"{partition.MAPPINGS}/${{discover_categories.mapping_file}}"
    assert (ROOT / partition.MAPPINGS / str(None)).read_bytes() == b""


def test_no_stage_depends_on_the_runtime_section():
    assert all("runtime" not in stage["params"] for stage in STAGES.values())


def test_only_metrics_and_curves_stay_out_of_the_cache():
    for stage in STAGES.values():
        for out in stage.get("outs", []):
            assert isinstance(out, str), f"{out}: outs have no options"
        for kind in ("metrics", "plots"):
            for entry in stage.get(kind, []):
                path = next(iter(paths([entry])))
                uncached = isinstance(entry, dict) and entry[path].get("cache") is False
                assert uncached == (not path.endswith((".png", "/vocabulary"))), path


@pytest.mark.parametrize("name", ORDER)
def test_a_stage_is_thin(name):
    lines = script(name).read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert len(code) <= 45


def test_tokenizer_and_agent_are_published_by_name():
    """`dvc artifacts get` finds them; what they are is said beside them."""
    written = set().union(*(paths(stage.get("outs", [])) for stage in STAGES.values()))
    assert {name: entry["path"] for name, entry in ARTIFACTS.items()} == {
        "tokenizer": "models/tokenizer.pt",
        "agent": "models/noa.pt",
    }
    for entry in ARTIFACTS.values():
        assert entry["path"] in written
        assert entry["type"] == "model"
        assert entry["desc"]
        assert entry["labels"]


def test_every_plot_is_drawn_by_a_template_there_is():
    known = {"simple", "linear", "scatter", "bar_horizontal", "bar_horizontal_sorted"}
    known |= {path.stem for path in (ROOT / ".dvc" / "plots").glob("*.json")}
    for stage in STAGES.values():
        for entry in stage.get("plots", []):
            for options in entry.values() if isinstance(entry, dict) else []:
                assert options.get("template", "simple") in known


def test_the_bars_of_the_scores_are_few_enough_to_be_read():
    """And each of them is a score that is there."""
    (condition,) = json.loads((ROOT / ".dvc" / "plots" / "headlines.json").read_text())["transform"]
    pattern = re.search(r"test\(/(.*)/, ", condition["filter"])[1]
    with (ROOT / "plots" / "evaluate" / "scores.csv").open() as file:
        shown = {row["metric"] for row in csv.DictReader(file) if re.search(pattern, row["metric"])}
    assert {"tokenizer/quality", "tokenizer/topo_tokens", "noa/vrmse_8"} < shown
    assert len(shown) <= 16


def test_experiments_are_compared_by_few_metrics_which_there_are():
    """What `make compare` shows, of all metrics; none is of the test split."""
    files = [ROOT / path for s in STAGES.values() for path in paths(s.get("metrics", []))]
    metrics = set().union(*(json.loads(path.read_text()) for path in files))
    assert set(comparison.COMPARED) <= metrics
    assert {"vqvae/val_loss", "vqvae/quality", "noa/val_loss"} < set(comparison.COMPARED)
    assert len(comparison.COMPARED) <= 10
    of_test = {name for name in metrics if name.startswith(("tokenizer/", "noa/vrmse"))}
    assert not of_test & set(comparison.COMPARED)
