"""An experiment that ends too early, in the training of the tokenizer: on the smoke profile.

Afterwards the same command goes on to the bytes of an experiment that nothing befell, or the
commands of docs/faults.md lead back to the commit.
"""

import os
import re
import signal
import subprocess
import time

import pytest
from processes import half_files, wait_until_gone
from project import Project
from shared import smoke_run

from documentation import blocks, read

pytestmark = [pytest.mark.pipeline, pytest.mark.usefixtures("_interruptible")]
NAME = "eight"
RUN = ("exp", "run", "--name", NAME, "-S", "train_vqvae.codebook_size=8", "train-vqvae")
PATIENCE = 120  # seconds until it has begun to learn, or has ended, on a busy machine
(BACK,) = (block.text for block in blocks(read("docs/faults.md")) if block.language == "sh")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Project:
    """The pipeline, run once and committed."""
    return smoke_run(tmp_path_factory, tmp_path_factory.mktemp("experiment_faults") / "project")


@pytest.fixture(scope="module")
def wanted(run, tmp_path_factory) -> str:
    """What an undisturbed experiment locks: a hash of all that it wrote."""
    whole = run.copy(tmp_path_factory.mktemp("whole") / "project")
    whole.dvc(*RUN)
    return locked(whole)


def locked(project: Project) -> str:
    """The lock file of the experiment."""
    (reference,) = project.git(
        "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{NAME}"
    ).split()
    return project.git("show", f"{reference}:dvc.lock")


def ended(project: Project, how: signal.Signals) -> str:
    """Start the experiment and end it, stage and all, while it learns; what it said."""
    running = project.begin(*RUN)
    end = time.monotonic() + PATIENCE
    while not list((project.folder / ".work" / "train_vqvae").rglob("*.pt")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end, "it does not begin to learn"
        time.sleep(0.01)
    os.killpg(running.pid, how)
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode != 0
    wait_until_gone(project.folder, PATIENCE)
    return said


def goes_on(project: Project, wanted: str) -> None:
    """The same command again ends with the bytes of an experiment that nothing befell."""
    project.dvc(*RUN)
    assert locked(project) == wanted
    assert not untracked(project)
    assert not half_files(project.folder)


def leads_back(project: Project) -> None:
    """The commands of the page restore the commit and what it made; the store stays."""
    (project.folder / "models" / "tokenizer.pt").write_bytes(b"written, and not in the cache yet")
    project.run("bash", "-euxo", "pipefail", "-c", BACK, stdin=subprocess.DEVNULL)
    assert project.git("status", "--porcelain") == ""
    assert "up to date" in project.dvc("status")
    assert (project.folder / ".shards").is_dir()


def untracked(project: Project) -> list[str]:
    lines = project.git("status", "--porcelain").splitlines()
    return [line for line in lines if line.startswith("??")]


def test_an_experiment_that_ctrl_c_ended_goes_on_or_is_taken_back(run, wanted, tmp_path):
    """DVCLive writes its summary when it is left, also by Ctrl-C; nobody keeps it."""
    project = run.copy(tmp_path / "project")
    said = ended(project, signal.SIGINT)
    assert re.search("failed to reproduce 'train-vqvae': .* exited with (130|-2)", said)
    assert "Traceback" not in said
    assert not untracked(project)
    leads_back(project.copy(tmp_path / "back"))
    goes_on(project, wanted)


def test_an_experiment_that_was_killed_goes_on_or_is_taken_back(run, wanted, tmp_path):
    """DVC stages what `-S` changes, and had no time to take that out of the index again."""
    project = run.copy(tmp_path / "project")
    ended(project, signal.SIGKILL)
    back = project.copy(tmp_path / "back")
    back.git("checkout", "-q", ".")
    assert "M  params.yaml" in back.git("status", "--porcelain").splitlines()
    leads_back(back)
    goes_on(project, wanted)
