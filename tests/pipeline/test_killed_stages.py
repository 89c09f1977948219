"""kill -9 of every stage at a random moment: of the stage, of `dvc`, of both."""

import contextlib
import os
import random
import shutil
import signal
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import alive, half_files, wait_until_gone
from project import Project
from shared import smoke_run
from test_dag import ORDER

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
VICTIMS = ("both", "stage", "dvc")
LONGEST = 120  # seconds that a stage may go on alone


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Project:
    """The pipeline on the smoke profile, run once."""
    project = smoke_run(tmp_path_factory, tmp_path_factory.mktemp("killed") / "whole")
    project.overlay({"runtime": {"workers": 2, "executor": "processes"}})
    return project


def content(project: Project) -> dict[str, bytes]:
    """The lock file, which holds a hash of all that is written, and what is in Git of it."""
    paths = [p for folder in ("metrics", "plots") for p in (project.folder / folder).rglob("*")]
    written = [p for p in paths if p.is_file() and p.suffix != ".png"]
    return {str(p.relative_to(project.folder)): p.read_bytes() for p in written} | {
        "dvc.lock": project.read("dvc.lock")
    }


def again(project: Project, stage: str, *, check: bool = True):
    command = ("dvc", "repro", "--single-item", "--force", "--no-run-cache", stage)
    return project.run(sys.executable, "-m", *command, check=check, start_new_session=True)


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("stage", ORDER)
def test_the_next_run_ends_as_if_nothing_had_been(whole, tmp_path, stage, victim):
    project = whole.copy(tmp_path / "project")
    wanted = content(whole)
    script = f"stages/{stage.replace('-', '_')}.py"
    moment = random.Random(zlib.crc32(f"{stage}/{victim}".encode())).uniform(0, 4)
    shutil.rmtree(project.folder / ".shards", ignore_errors=True)  # or there is nothing to do
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(again, project, stage, check=False)
        while not any(script in command for command in alive(project.folder).values()):
            assert not running.done(), running.result()
            time.sleep(0.01)
        time.sleep(moment)
        for pid, command in alive(project.folder).items():
            if victim == "both" or {"stage": script, "dvc": "dvc"}[victim] in command:
                kill(pid)
        running.result()
    done = again(project, stage, check=False)
    if done.returncode:  # the stage lives on, and holds the store
        assert victim == "dvc", done.stderr
        assert "another run is filling this store; wait for it to end" in done.stderr
        wait_until_gone(project.folder, LONGEST)
        again(project, stage)
    wait_until_gone(project.folder, LONGEST)
    assert content(project) == wanted
    assert not half_files(project.folder)
    assert project.would_run() == []


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself
        os.kill(pid, signal.SIGKILL)
