"""The command says what a file is, prints the scorecard, and refuses in one line."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from operator_cases import DIMENSIONS, table, theta
from spinlock import artifacts, cli, store
from spinlock.commands import info, scorecard
from spinlock.initial_conditions import families
from spinlock.refusals import Refusal
from spinlock.rollout import shards
from spinlock.rollout.config import Config
from spinlock.rollout.index import open_rollouts
from spinlock.sampling import space
from spinlock.sampling import table as tables
from spinlock.validation import bytes_of

SOURCE = Path(cli.__file__).parents[1]
CONFIG = Config(steps=5, realizations=2, bound=5.0, store="all", precision="float32", shard_size=2)
PARAMS = """\
generate: {steps: 5, realizations: 2, bound: 5.0, store: all, precision: float32, shard_size: 2}
"""
WORDS = {
    "update_policy": ("residual", "convex"),
    "normalization": ("none", "instance"),
    "activation": ("gelu", "relu"),
}
SPACE = tuple(
    space.Choice(name=d.name, kind="choice", choices=WORDS[d.name], weights=(1.0, 1.0))
    if d.name in WORDS
    else d
    for d in DIMENSIONS
)
EXPLOSIVE = theta(normalization="none", activation="relu", update_policy="residual", dt=1.0)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with params.yaml, data/operators.h5 and data/rollouts; the last one diverges."""
    root = tmp_path_factory.mktemp("project")
    thetas = theta(), theta(update_policy="residual"), EXPLOSIVE
    operators = table(*thetas, dimensions=SPACE, unit=np.full((3, len(space.varying(SPACE))), 0.5))
    tables.write(root / "data" / "operators.h5", operators, {})
    plan = shards.plan(operators, CONFIG)
    paths = store.fill(plan, shards.compute, root / "store", 1, "shards")
    shards.assemble(operators, CONFIG, paths, root / "data" / "rollouts")
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return root


@pytest.fixture
def say(project, monkeypatch, capsys):
    """Run the command in the project; give what it says."""
    monkeypatch.chdir(project)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["spinlock", *map(str, words)])
        cli.main()
        return capsys.readouterr().out

    return run


def test_an_artefact_is_described_by_its_datasets_and_parameters(tmp_path):
    with artifacts.writing(tmp_path / "a.h5", "tokens", {"seed": 5}) as sink:
        sink.put("tokens", np.zeros((4, 2), dtype=np.int64), "N S")
    said = info.describe(tmp_path / "a.h5")
    assert "a.h5: tokens" in said
    assert "tokens  [4, 2]  N S  int64" in said
    assert "{'seed': 5}" in said


def test_a_checkpoint_and_a_json_file_are_described(tmp_path):
    artifacts.save_checkpoint(tmp_path / "a.pt", "noa", {"config": {"a": 1}})
    artifacts.write_json(tmp_path / "index.json", {"steps": 4, "shards": {"a": 1, "b": 2}})
    assert info.describe(tmp_path / "a.pt").splitlines() == [
        f"{tmp_path / 'a.pt'}: noa",
        "  schema: 1",
        "  config: 1 entries",
    ]
    assert "shards: 2 entries" in info.describe(tmp_path)


@pytest.mark.parametrize("name", ["missing.h5", "missing.pt", "missing.json", "README.md"])
def test_what_is_not_ours_is_refused_by_name(tmp_path, name):
    with pytest.raises(Refusal, match=name):
        info.describe(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("data/tokens.h5", "dvc checkout --force"),
        ("data/categories.json", "dvc checkout --force"),
        ("models/noa.pt", "dvc checkout --force"),
        ("metrics/evaluate.json", "git checkout --"),
    ],
)
def test_a_file_that_is_not_what_was_written_is_refused_with_the_remedy(tmp_path, name, back):
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(b"as a stage wrote it")
    outs = [{"path": name, "md5": bytes_of.md5(path)}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"s": {"outs": outs}}}))
    with pytest.raises(Refusal) as refused:  # as it was written, and none of ours: nothing helps
        info.describe(path)
    assert "checkout" not in str(refused.value)
    path.write_bytes(b"and then damaged")
    with pytest.raises(Refusal) as refused:
        info.describe(path)
    assert str(refused.value).endswith(f"({back} {path}, or dvc repro)")
    assert "\n" not in str(refused.value)
    path.unlink()
    with pytest.raises(Refusal, match="not found"):
        info.describe(path)


def test_the_scorecard_is_aligned(tmp_path):
    artifacts.write_table(tmp_path / "s.csv", [{"criterion": "quality", "value": 0.5},
                                               {"criterion": "x", "value": 12.25}])  # fmt: skip
    assert scorecard.scorecard(tmp_path / "s.csv").splitlines() == [
        "criterion  value",
        "quality    0.5",
        "x          12.25",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1\n", "row 2 has 1 cells, the first 2"),
        (b"a\n1\n1,2\n", "row 3 has 2 cells, the first 1"),
        (b"a,\xff\n", "no table: .*utf-8"),
        (b"a\n" + b"1" * 200_000, "no table: field larger than"),
        (b"", "empty"),
    ],
)
def test_a_scorecard_that_is_no_table_is_refused(tmp_path, content, words):
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    with pytest.raises(Refusal, match=f"^{path}: {words}"):
        scorecard.scorecard(path)


def test_a_table_does_not_wait_for_what_computes(tmp_path):
    (tmp_path / "s.csv").write_text("criterion,value\nquality,0.5\n")
    code = "import sys; from spinlock import cli; cli.main(); assert 'torch' not in sys.modules"
    command = [sys.executable, "-c", code, "scorecard", "s.csv"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(SOURCE)}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["criterion  value", "quality    0.5"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_says_what_it_takes(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spinlock", name, "--help"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: spinlock {name} ")
    assert len(said.splitlines()) > 4


def test_all_commands_are_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spinlock", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().out
    assert all(name in said and purpose in said for name, purpose in cli.COMMANDS.items())


def test_a_refusal_is_one_line_and_status_two(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spinlock", "info", str(tmp_path / "none.h5")])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_stored_rollout_and_a_replayed_one_are_the_same_picture(say, tmp_path):
    asked = ("render", 1, "--mode", "rgb", "--frames", 2, "--out")
    said = say(*asked, tmp_path / "stored.png")
    assert "stored.png: Operator 1: residual, localized, train" in said
    say(*asked, tmp_path / "replayed.png", "--replay")
    assert (tmp_path / "stored.png").read_bytes() == (tmp_path / "replayed.png").read_bytes()


@pytest.mark.parametrize(
    ("which", "count"), [((), 6), (("--frames", 3), 3), (("--steps", "0,2,3,5"), 4)]
)
def test_a_film_has_the_frames_that_were_asked_for(say, tmp_path, which, count):
    say("render", 0, "--mode", "pca", "--out", tmp_path / "a.gif", *which)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == count


def test_a_picture_of_a_rollout_that_diverges_says_so(say, tmp_path):
    said = say("render", 2, "--mode", "heatmap", "--channel", 0, "--out", tmp_path / "a.png")
    assert "diverged: realization 0 at step" in said


def test_a_rollout_is_the_stored_one_to_the_bit_and_its_table_is_of_its_fields(
    say, project, tmp_path
):
    said = say("rollout", 1, "--out", tmp_path / "one.h5")
    operators = tables.read(project / "data" / "operators.h5")
    stored = open_rollouts(project / "data" / "rollouts").read(operators, 1)
    with artifacts.reading(tmp_path / "one.h5", "rollout") as source:
        assert torch.equal(torch.from_numpy(source.get("u", "R T C H W")), stored.u)
        assert torch.equal(torch.from_numpy(source.get("u0", "C H W")), stored.u0)
        assert source.get("diverged_at", "R").tolist() == [0, 0]
        assert source.provenance["theta"]["update_policy"] == "residual"
    assert [line.split()[0] for line in said.splitlines()[3:6]] == ["0", "1", "5"]
    _, mean, std, alive = said.splitlines()[5].split()
    assert float(mean) == pytest.approx(float(stored.u[:, -1].double().mean()), rel=1e-3)
    assert float(std) == pytest.approx(float(stored.u[:, -1].double().std(correction=0)), rel=1e-3)
    assert alive == "2"


def test_the_table_of_a_rollout_says_what_diverged(say):
    lines = say("rollout", 2).splitlines()
    assert lines[-2].split() == ["5", "–", "–", "0"]
    assert "diverged: realization 0 at step" in lines[-1]


def test_the_gallery_is_a_picture_that_a_seed_determines(say, tmp_path, monkeypatch):
    monkeypatch.setattr(families, "VARIANTS", dict(list(families.VARIANTS.items())[:4]))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        said = say("gallery", "--out", tmp_path / f"{name}.png", "--grid", 32, "--seed", seed)
    assert "4 variants of initial conditions on 32x32" in said
    first, again, other = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert first == again != other


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("render 9 --mode rgb --out x.png", "data/operators.h5: expected an operator of 0 … 2"),
        ("render -1 --mode rgb --out x.png", "expected an operator of 0 … 2, got -1"),
        ("render 0 --mode rgb --out x.svg", "x.svg: expected a name that ends in .png"),
        ("render 0 --mode rgb --out x.png --rollouts no", "no: not found (dvc repro); --replay"),
        ("render 0 --mode rgb --out x.png --operators no.h5", "no.h5: not found"),
        ("render 0 --mode rgb --out x.png --replay --params no.yaml", "no.yaml: not found"),
        ("render 0 --mode rgb --out x.png --steps 6", "--steps: expected ascending numbers in 0"),
        ("render 0 --mode rgb --out x.gif --frames 0", "--frames: expected 1 … 6, got 0"),
        ("render 0 --mode rgb --out x.png --rate 5", "--rate: is for a film, and x.png is a pict"),
        ("render 0 --mode rgb --out x.gif --rate 0", "--rate: expected 1 … 50"),
        ("render 0 --mode rgb --out x.png --replay --rollouts data/rollouts", "--rollouts: is not"),
        ("render 0 --mode rgb --out x.png --params params.yaml", "--params: is read with --replay"),
        ("rollout 9", "data/operators.h5: expected an operator of 0 … 2"),
        ("rollout 0 --out x.png", "x.png: expected the name of an .h5 file"),
        ("rollout 0 --params no.yaml", "no.yaml: not found"),
        ("gallery --out x.gif", "x.gif: expected the name of a .png file"),
        ("gallery --out x.png --grid 16", "points, got 16"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line_before_a_file_is_made(
    say, project, capsys, asked, message
):
    with pytest.raises(SystemExit) as end:
        say(*asked.split())
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert message in said
    assert not list(project.glob("x*"))


def test_rollouts_of_another_table_are_refused(say, project, tmp_path):
    operators = tables.read(project / "data" / "operators.h5")
    tables.write(tmp_path / "other.h5", replace(operators, seed=8), {})
    with pytest.raises(SystemExit):
        say("render", 0, "--mode", "rgb", "--out", "x.png", "--operators", tmp_path / "other.h5")


def test_a_damaged_shard_is_refused(say, project, tmp_path, capsys):
    shutil.copytree(project / "data" / "rollouts", tmp_path / "rollouts")
    path = tmp_path / "rollouts" / "shard-00000.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SystemExit):
        say("render", 0, "--mode", "rgb", "--out", "x.png", "--rollouts", tmp_path / "rollouts")
    assert "shard-00000.h5" in capsys.readouterr().err
