"""DVC's promises, kept on the smoke profile: the same bytes again, and nothing run for nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import Project, clone
from shared import PLACE, smoke_run

from spinlock.tokenizer.config import OF_CODES

pytestmark = pytest.mark.pipeline
OUTPUTS = ("dvc.lock", "metrics/evaluate.json", "metrics/train_vqvae.json", "plots/scorecard.csv")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The pipeline, run once with one worker and committed."""
    return smoke_run(tmp_path_factory, tmp_path_factory.mktemp("pipeline") / "one")


@pytest.fixture(autouse=True)
def _as_it_was(project: Project):
    """Every test finds the project as the first run left it."""
    yield
    project.git("checkout", "-q", ".")
    project.git("clean", "-qfd")
    project.dvc("checkout")


def test_smoke_runs_all_stages_and_then_none(project):
    locked = project.read("dvc.lock").decode()
    assert all(f"\n  {stage}:" in locked for stage in ("sample", "discover-categories", "evaluate"))
    assert project.would_run() == []
    assert project.git("status", "--porcelain") == ""


def test_smoke_twice_is_equal_to_the_byte(project, tmp_path):
    """Another folder, two processes, another batch size: nothing of it may show."""
    other = clone(tmp_path / "two")
    other.overlay({"runtime": {"workers": 2, "executor": "processes", "batch_size": 3}})
    other.dvc("repro")
    assert [other.read(name) for name in OUTPUTS] == [project.read(name) for name in OUTPUTS]


def test_an_agent_and_a_tokenizer_of_another_kind_are_judged_too(project):
    grid = {"quantizer": "fsq", "losses": dict.fromkeys(OF_CODES, 0.0)}
    agent = {"context_steps": 2, "objective": "vq", "integrator": "direct"}
    project.overlay({"train_vqvae": grid, "train_noa": agent})
    project.dvc("repro", "--no-run-cache")
    scores = json.loads(project.read("metrics/evaluate.json"))
    assert scores["noa/vrmse_1"] > 0
    assert scores["tokenizer/reconstruction"] > 0


def test_outputs_hold_no_path_host_or_date(project):
    secrets = [
        PLACE.encode(),  # where they were made
        os.uname().nodename.encode(),
        time.strftime("%Y-%m-%d").encode(),
    ]
    for path in [
        p for f in ("data", "models", "metrics", "plots") for p in (project.folder / f).rglob("*")
    ]:
        if path.is_file():
            content = path.read_bytes()
            assert not [s for s in secrets if len(s) > 3 and s in content], path


def test_a_parameter_runs_the_stages_that_use_it(project):
    project.overlay({"train_vqvae": {"codebook_size": 16}})
    assert project.would_run() == ["train-vqvae", "train-noa", "evaluate"]


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("src/spinlock/noa/training.py", ["train-noa", "evaluate"]),
        ("src/spinlock/plots/agent.py", ["evaluate"]),
        ("src/spinlock/__init__.py", []),
        ("README.md", []),
    ],
)
def test_an_edit_runs_the_stages_that_read_it(project, file, stages):
    with (project.folder / file).open("a") as out:
        out.write("\n")
    assert project.would_run() == stages


def test_a_stale_lock_is_told_from_a_current_one(project):
    check = [sys.executable, ".ci/lock_is_current.py"]
    assert project.run(*check).stdout == "dvc.lock is current\n"
    project.overlay({"clean": {"clip_sigmas": 4.0}})
    stale = project.run(*check, check=False)
    assert stale.returncode == 1
    assert "dvc.lock is stale" in stale.stderr
    assert "'clean'" in stale.stderr


def test_runtime_settings_run_nothing(project):
    project.overlay({"runtime": {"workers": 7, "batch_size": 99}})
    assert project.would_run() == []


def test_a_killed_training_resumes_to_the_same_bytes(project):
    wanted = project.read("models/tokenizer.pt"), project.read("metrics/train_vqvae.json")
    assert _kill_and_repeat(project, "train-vqvae", "train_vqvae")
    assert (project.read("models/tokenizer.pt"), project.read("metrics/train_vqvae.json")) == wanted


def test_a_killed_agent_resumes_to_the_same_bytes(project):
    wanted = project.read("models/noa.pt"), project.read("metrics/train_noa.json")
    assert _kill_and_repeat(project, "train-noa", "train_noa")
    assert (project.read("models/noa.pt"), project.read("metrics/train_noa.json")) == wanted


def _kill_and_repeat(project: Project, stage: str, folder: str) -> bool:
    """Kill a stage once it has saved a checkpoint, run it again; whether it was killed in time."""
    work = project.folder / ".work" / folder
    subprocess.run(["rm", "-rf", work], check=True)
    environment = {**os.environ, "PYTHONPATH": "src"}
    command = project.command(stage)
    running = subprocess.Popen(
        [sys.executable, *command], cwd=project.folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while running.poll() is None and not list(work.rglob("*.pt")):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    killed = running.wait() == -signal.SIGKILL
    assert list(work.rglob("*.pt")), "no checkpoint was written"
    project.dvc("repro", "--single-item", "--force", "--no-run-cache", stage)
    return killed


def test_a_queued_experiment_runs_its_own_code_and_agrees(project):
    """In its own folder `dvc exp run --queue` gives what the workspace gives, up to the agent."""
    project.overlay({"train_vqvae": {"codebook_size": 8}, "train_noa": {"objective": "vq"}})
    project.dvc("exp", "run", "--queue", "--name", "eight", "train-noa")
    project.dvc("queue", "start")
    _wait_for_the_queue(project)
    references = project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()
    (eight,) = [name for name in references if name.endswith("/eight")]
    project.dvc("repro", "--no-run-cache", "train-noa")
    for name in ("dvc.lock", "metrics/train_vqvae.json", "metrics/train_noa.json"):
        assert project.git("show", f"{eight}:{name}").encode() == project.read(name), name


def _wait_for_the_queue(project: Project) -> None:
    for _ in range(600):
        status = project.dvc("queue", "status")
        if "Queued" not in status and "Running" not in status:
            assert "Success" in status, project.dvc("queue", "logs", "eight", check=False)
            return
        time.sleep(1)
    raise AssertionError(f"the queue did not end: {status}")


def test_the_command_looks_and_uses(project):
    def said(*arguments: str) -> list[str]:
        return project.run(sys.executable, "-m", "spinlock.cli", *arguments).stdout.splitlines()

    assert said("scorecard")[0].startswith("criterion")
    assert said("info", "data/tokens.h5")[0] == "data/tokens.h5: tokens"
    assert said("info", "models/noa.pt")[0].startswith("models/noa.pt: ")
    header, *rows = said("tokenize", "data/features.h5")
    assert header.startswith("operator_id\t")
    assert len(rows) == 32


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"sample": {"num_operators": -1}},
            "sample.num_operators: expected greater than or equal to 1, got -1",
        ),
        ({"generate": {"bound": "0.1"}}, 'generate.bound: expected a valid number, got "0.1"'),
    ],
)
def test_a_wrong_parameter_stops_the_check_and_the_stage_with_one_line(project, changes, said):
    project.overlay(changes)
    check = project.run(sys.executable, "-m", "spinlock.check", check=False)
    assert check.returncode == 2
    assert said in check.stderr
    assert len(check.stderr.splitlines()) == 1
    assert not [p for p in Path(project.folder).rglob("*.part")]
