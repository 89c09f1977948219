"""What may befall `generate`: full disks, forbidden folders, dead workers, kills at any moment."""

import importlib.util
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import alive, half_files, wait_until_gone
from project import ROOT, Project, clone, smoke

from disk_cases import no_file_larger_than, read_only
from spinlock.refusals import Refusal

pytestmark = pytest.mark.pipeline
TABLE, ROLLOUTS, METRICS = "data/operators.h5", "data/rollouts", "metrics/generate.json"
SMALL = {
    "sample": {"num_operators": 16},
    "generate": {"steps": 4, "shard_size": 2},
    "runtime": {"workers": 1, "executor": "sequential"},
}


def stage(name: str, *paths: str) -> str:
    """Run a stage in this process, in the working directory."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "stages" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(*map(Path, paths))


def generate() -> dict[str, bytes]:
    """Run `generate` here; the bytes of all that it wrote."""
    stage("generate", TABLE, ROLLOUTS, METRICS)
    return content(Path())


def content(folder: Path) -> dict[str, bytes]:
    paths = [folder / METRICS, *sorted((folder / ROLLOUTS).iterdir())]
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory) -> Path:
    """A folder with parameters and a table."""
    folder = tmp_path_factory.mktemp("faults")
    project = Project(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    project.overlay(smoke())
    project.overlay(SMALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stage("sample", TABLE, "metrics/sample.json")
    return folder


@pytest.fixture
def here(sampled, tmp_path, monkeypatch) -> Path:
    """A copy of it, where we are."""
    folder = tmp_path / "here"
    shutil.copytree(sampled, folder)
    monkeypatch.chdir(folder)
    return folder


def test_a_full_disk_names_the_store_and_then_the_output(here):
    with (
        no_file_larger_than(100_000),
        pytest.raises(Refusal, match=r"^\.shards/\w+: cannot be written: larger than a file may"),
    ):
        generate()
    assert not half_files(here)
    assert not (here / ROLLOUTS).exists()
    whole = generate()
    with (
        no_file_larger_than(100_000),
        pytest.raises(Refusal, match="^data/rollouts: cannot be written: larger than a file may"),
    ):
        generate()
    assert content(here) == whole
    assert not half_files(here)


@pytest.mark.parametrize("place", ["data", "metrics"])
def test_a_read_only_folder_is_named_and_nothing_is_lost(here, place):
    whole = generate()
    with read_only(here / place), pytest.raises(Refusal, match=rf"^{place}.*: permission denied"):
        generate()
    assert content(here) == whole
    assert not half_files(here)
    assert generate() == whole


def test_a_read_only_store_is_named_unless_it_holds_all_that_is_wanted(here):
    (here / ".shards").mkdir()
    with (
        read_only(here / ".shards"),
        pytest.raises(Refusal, match=r"^\.shards: cannot be written: permission denied"),
    ):
        generate()
    whole = generate()
    with read_only(here / ".shards"):
        assert generate() == whole


@pytest.mark.parametrize("place", [".shards", "data/rollouts", "metrics"])
def test_a_file_in_the_way_is_named(here, place):
    shutil.rmtree(here / place, ignore_errors=True)
    (here / place).write_text("a file of mine")
    with pytest.raises(Refusal, match=rf"^{place}.*: a file stands where a folder should be"):
        generate()
    assert (here / place).read_text() == "a file of mine"
    assert not half_files(here)


def test_a_damaged_shard_in_the_store_is_named_and_made_again(here, capsys):
    whole = generate()
    path = sorted(Path(".shards").glob("*.h5"))[2]
    path.write_bytes(path.read_bytes()[:-1])
    assert generate() == whole
    assert f"generate: {path}: truncated or damaged; computed again" in capsys.readouterr().err


# From here on the stage is a process of its own, in a session of its own, with two workers.


@pytest.fixture
def long(here) -> Path:
    """With enough work to be killed in the midst of it."""
    Project(here).overlay(
        {"generate": {"steps": 40}, "runtime": {"workers": 2, "executor": "processes"}}
    )
    return here


def start(folder: Path) -> subprocess.Popen:
    """Start `generate` as DVC does, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, ROOT / "stages" / "generate.py", TABLE, ROLLOUTS, METRICS],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def begin(folder: Path) -> subprocess.Popen:
    """Start `generate` and wait until workers have put a shard into the store."""
    running = start(folder)
    while not list((folder / ".shards").glob("*.h5")):
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.01)
    return running


def test_a_killed_stage_leaves_no_worker_and_the_next_ends_as_if_nothing_had_been(long):
    running = begin(long)
    assert len(alive(long)) >= 3
    with pytest.raises(Refusal, match=r"^\.shards: another run is filling this store"):
        generate()
    kept = {path: path.stat().st_mtime_ns for path in (long / ".shards").glob("*.h5")}
    running.kill()
    running.wait()
    wait_until_gone(long, 5)
    (long / "data" / f".rollouts.{running.pid}.part").mkdir()  # had it been killed a little later
    again = start(long)
    _, said = again.communicate()
    assert again.returncode == 0, said
    assert not half_files(long)
    assert len(kept) < len(list((long / ".shards").glob("*.h5")))
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert content(long) == generate()  # here, with another store key: from nothing


@pytest.mark.parametrize(
    ("number", "to", "status"),
    [
        pytest.param(signal.SIGTERM, os.kill, 143, id="SIGTERM"),
        pytest.param(signal.SIGINT, os.killpg, 130, id="Ctrl-C", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_stage_ends_at_once_without_a_word(long, number, to, status):
    running = begin(long)
    to(running.pid, number)
    _, said = running.communicate(timeout=10)
    assert running.returncode == status
    assert all(line.startswith("generate: ") for line in said.splitlines())
    wait_until_gone(long, 1)
    assert not half_files(long)
    assert not (long / ROLLOUTS).exists()


# And from here on it is DVC that runs it.


def test_growth_computes_the_new_operators_alone(tmp_path):
    project = clone(tmp_path / "project")
    once = {"workers": 1, "executor": "sequential"}
    kept, made = [], []
    for count in (16, 32):
        project.overlay({"sample": {"num_operators": count}, "runtime": once})
        project.dvc("repro", "--no-run-cache", "generate")
        store = (project.folder / ".shards").glob("*.h5")
        kept.append({path.name: path.stat().st_mtime_ns for path in store})
        made.append(content(project.folder))
    assert [len(files) for files in kept] == [2, 4]
    assert kept[0].items() <= kept[1].items()
    shards = [name for name in made[0] if name.startswith("shard")]
    assert len(shards) == 2
    assert all(made[1][name] == made[0][name] for name in shards)


KILLED = ("all", "stage", "dvc")  # by turns


def victims(folder: Path, which: str) -> list[int]:
    """What to kill: everything, the stage alone, or DVC alone."""
    words = {"stage": "stages/generate.py", "dvc": "dvc"}
    return [pid for pid, command in alive(folder).items() if words.get(which, "") in command]


def repro(project: Project, **options) -> subprocess.CompletedProcess:
    return project.run(sys.executable, "-m", "dvc", "repro", "generate", **options)


def killed(project: Project, which: str, moment: float) -> None:
    """Run the pipeline and kill something of it, so many seconds after the stage took the store."""
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(repro, project, check=False, start_new_session=True)
        while not (project.folder / ".shards").exists():
            time.sleep(0.01)
        time.sleep(moment)
        for pid in victims(project.folder, which):
            os.kill(pid, signal.SIGKILL)
        running.result()


@pytest.mark.slow
def test_killed_ten_times_at_random_moments_the_bytes_are_those_of_an_uninterrupted_run(tmp_path):
    template = clone(tmp_path / "template")
    template.overlay({"generate": {"steps": 64, "shard_size": 4}, "runtime": {"workers": 2}})
    template.dvc("repro", "sample")
    wanted, seconds = _uninterrupted(Project(shutil.copytree(template.folder, tmp_path / "whole")))
    rng = random.Random(0)
    for number in range(10):
        project = Project(shutil.copytree(template.folder, tmp_path / str(number)))
        which = KILLED[number % len(KILLED)]
        killed(project, which, rng.uniform(0, seconds))
        done = repro(project, check=False)
        if done.returncode:  # DVC was killed, and its stage lives on
            assert which == "dvc"
            assert "another run is filling this store; wait for it to end" in done.stderr
            wait_until_gone(project.folder, 60)
            repro(project)
        assert {**content(project.folder), "lock": project.read("dvc.lock")} == wanted, which
        assert not half_files(project.folder)
        wait_until_gone(project.folder, 5)


def _uninterrupted(project: Project) -> tuple[dict[str, bytes], float]:
    """What a run makes, and for how many seconds its stage works."""
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(repro, project)
        while not (project.folder / ".shards").exists():
            time.sleep(0.01)
        began = time.monotonic()
        while not (project.folder / METRICS).exists() and not running.done():
            time.sleep(0.01)
        seconds = time.monotonic() - began
        running.result()
    return {**content(project.folder), "lock": project.read("dvc.lock")}, seconds
