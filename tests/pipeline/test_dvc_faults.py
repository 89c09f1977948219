"""What may befall `dvc`: a second one, signals, damaged files at home and away, no server.

On two stages that take no time, made of the same parts as ours: `artifacts.replacing` and
`runtime.run`. After each fault the next run ends with the bytes of a run that nothing befell.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import buckets
import pytest
from processes import alive, flip, half_files, truncate, wait_until_gone
from project import Project, clone, yaml

import s3
from spinlock.validation import bytes_of

pytestmark = [pytest.mark.pipeline, pytest.mark.usefixtures("_interruptible")]
KEYS = s3.Keys()
SCRIPT = '''\
"""Some files, one after the other."""
import os, time
from pathlib import Path
from spinlock import artifacts, params, runtime

def main(words: Path) -> str:
    seed = params.load("seed", int)
    with artifacts.replacing(words) as beside:
        beside.mkdir()
        for number in range(8):
            (beside / str(number)).write_text(f"{seed} {number}\\n" * 20_000)
            Path(".begun").touch()
            time.sleep(float(os.environ.get("PAUSE", 0)))
    return f"spell: {words}"

runtime.run(main)
'''
STAGES = {
    "spell": {
        "cmd": "python spell.py words",
        "deps": ["spell.py"],
        "params": ["seed"],
        "outs": ["words"],
    },
    "count": {"cmd": "cat words/* > total", "deps": ["words"], "outs": ["total"]},
}
MADE = ("total", *(f"words/{number}" for number in range(8)))
PATIENCE = 60  # seconds until whatever is left alone ends, on a busy machine
SLOW = pytest.mark.slow
DAMAGE = pytest.mark.parametrize("damage", [flip, pytest.param(truncate, marks=SLOW)])


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Project:
    """The two stages, never run."""
    project = clone(tmp_path_factory.mktemp("faults") / "project", {"seed": 1})
    (project.folder / "spell.py").write_text(SCRIPT)
    with (project.folder / "dvc.yaml").open("w") as file:
        yaml.dump({"stages": STAGES}, file)
    project.commit("two stages")
    return project


@pytest.fixture(scope="module")
def wanted(template, tmp_path_factory) -> dict[str, bytes]:
    """What an undisturbed run makes."""
    whole = template.copy(tmp_path_factory.mktemp("whole") / "project")
    whole.dvc("repro")
    return content(whole)


@pytest.fixture
def fresh(template, tmp_path) -> Project:
    return template.copy(tmp_path / "project")


@pytest.fixture
def ran(fresh) -> Project:
    """A project whose stages have run."""
    fresh.dvc("repro")
    fresh.commit("ran")
    return fresh


def content(project: Project) -> dict[str, bytes]:
    """All that the stages made, with the lock file."""
    return {name: project.read(name) for name in (*MADE, "dvc.lock")}


def repro(project: Project, *arguments: str) -> subprocess.CompletedProcess:
    return project.run(sys.executable, "-m", "dvc", "repro", *arguments, check=False)


def begin(project: Project, pause: float) -> subprocess.Popen:
    """Start `dvc repro` and wait until its first stage is at work."""
    running = project.begin("repro", PAUSE=str(pause))
    while not (project.folder / ".begun").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.01)
    return running


def ends_well(project: Project, wanted: dict[str, bytes]) -> str:
    """The next run has the bytes of an undisturbed one and leaves nothing behind; what it said."""
    done = repro(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(project) == wanted
    assert not half_files(project.folder)
    return done.stdout


def test_a_second_repro_is_refused_with_the_first_ones_number_and_harms_nothing(fresh, wanted):
    first = begin(fresh, pause=1.0)
    second = repro(fresh)
    assert second.returncode != 0
    assert f"(PID {first.pid})" in second.stderr
    assert "busy, it is being blocked by" in second.stderr
    said, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, said
    assert content(fresh) == wanted
    assert "up to date" in ends_well(fresh, wanted)


def test_ctrl_c_ends_dvc_and_its_stage_and_leaves_nothing_half_written(fresh, wanted):
    running = begin(fresh, pause=PATIENCE)
    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode != 0
    # 130 is what a shell says of it, -2 what Python does where the shell gave way to the stage
    assert re.search("failed to run: python spell.py words, exited with (130|-2)", said)
    assert "Traceback" not in said
    wait_until_gone(fresh.folder, 5)
    assert not half_files(fresh.folder)
    assert not (fresh.folder / "words").exists()
    ends_well(fresh, wanted)


def test_when_dvc_alone_is_killed_its_stage_ends_and_the_next_run_is_whole(fresh, wanted):
    """Also while that stage still runs: each writes beside, and renames."""
    running = begin(fresh, pause=0.5)
    running.kill()
    running.wait()
    assert alive(fresh.folder)
    said = repro(fresh)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "had been killed. Auto removed it from the lock file" in said.stderr
    wait_until_gone(fresh.folder, PATIENCE)
    assert "up to date" in ends_well(fresh, wanted)


@SLOW
def test_when_the_stage_alone_is_killed_dvc_says_so_and_the_next_run_is_whole(fresh, wanted):
    running = begin(fresh, pause=PATIENCE)
    for pid, command in alive(fresh.folder).items():
        if "spell.py" in command:
            os.kill(pid, signal.SIGKILL)
    said, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode != 0
    assert "failed to run: python spell.py words, exited with -9" in said
    ends_well(fresh, wanted)


@DAMAGE
@pytest.mark.parametrize("name", ["words/3", pytest.param("total", marks=SLOW)])
def test_a_damaged_file_of_the_workspace_comes_back_from_the_cache(ran, wanted, damage, name):
    damage(ran.folder / name)
    assert "modified" in ran.dvc("status")
    said = ends_well(ran, wanted)
    assert "is cached - skipping run, checking out outputs" in said
    assert "Running stage" not in said


@DAMAGE
def test_a_damaged_file_of_the_cache_is_found_by_validate_and_made_again(ran, wanted, damage):
    """DVC itself trusts it, so that the damage reaches the workspace."""
    path = in_cache(ran, "total")
    damage(path)
    (ran.folder / "total").unlink()
    ran.dvc("checkout")
    assert ran.read("total") != wanted["total"]
    assert "up to date" in ran.dvc("status")
    validate = (sys.executable, "-m", "spinlock.cli", "validate")
    found = ran.run(*validate, ".dvc/cache", check=False)
    assert found.returncode == 1
    name = path.relative_to(ran.folder)
    assert f"{name} is damaged: remove it, then `dvc pull` or `dvc repro` brings it" in found.stdout
    path.unlink()
    assert "Running stage 'count'" in ends_well(ran, wanted)
    assert ran.run(*validate, ".dvc/cache").returncode == 0


def in_cache(project: Project, name: str) -> Path:
    digest = bytes_of.md5(project.folder / name)
    return project.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[str, Any]]:
    """The address of a server, and a client of the bucket there."""
    with buckets.serving(KEYS) as found:
        yield found


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name, value in KEYS.environment.items():
        monkeypatch.setenv(name, value)


def at(project: Project, url: str) -> None:
    local = f"['remote \"shared\"']\n    endpointurl = {url}\n"
    (project.folder / ".dvc" / "config.local").write_text(local)


def colleague(project: Project, folder: Path, url: str) -> Project:
    """A fresh clone."""
    folder.mkdir()
    other = Project(folder)
    other.git("clone", "-q", str(project.folder), ".")
    at(other, url)
    return other


@DAMAGE
def test_a_damaged_file_of_the_remote_is_not_taken(ran, wanted, bucket, tmp_path, damage):
    """The others are; the next run makes it again, and its owner can put it right."""
    url, client = bucket
    at(ran, url)
    ran.dvc("push")
    digest = bytes_of.md5(ran.folder / "total")
    key = f"files/md5/{digest[:2]}/{digest[2:]}"
    bad = tmp_path / "bad"
    bad.write_bytes(wanted["total"])
    damage(bad)
    client.put_object(Bucket=s3.BUCKET, Key=key, Body=bad.read_bytes())

    other = colleague(ran, tmp_path / "colleague", url)
    pulled = other.run(sys.executable, "-m", "dvc", "pull", check=False)
    assert pulled.returncode != 0
    assert "Checkout failed for following targets:\ntotal" in pulled.stderr
    assert not (other.folder / "total").exists()
    assert other.read("words/3") == wanted["words/3"]
    said = ends_well(other, wanted)
    assert "Running stage 'count'" in said
    assert "Running stage 'spell'" not in said

    client.delete_object(Bucket=s3.BUCKET, Key=key)
    ran.dvc("push")
    healed = client.get_object(Bucket=s3.BUCKET, Key=key)["Body"].read()
    assert healed == wanted["total"]


def test_a_server_that_goes_in_the_midst_of_a_push_keeps_whole_files_only(
    ran, wanted, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # or the client tries again for a minute
    folder = tmp_path / "s3"
    with s3.serving(folder, KEYS) as server:
        at(ran, server.url)
        pushing = subprocess.Popen(
            [sys.executable, "-m", "dvc", "push"], cwd=ran.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        while not whole_objects(server.folder):
            assert pushing.poll() is None, pushing.communicate()
            time.sleep(0.001)
        server.process.kill()
        said, _ = pushing.communicate(timeout=PATIENCE)
    assert pushing.returncode != 0
    assert "failed to push data to the cloud" in said
    assert "Could not connect to the endpoint URL" in said
    assert "Traceback" not in said
    before = whole_objects(folder)
    assert 0 < len(before) < len(MADE) + 1

    with s3.serving(tmp_path / "again", KEYS) as server:
        subprocess.run(["cp", "-a", f"{folder}/.", server.folder], check=True)
        at(ran, server.url)
        ran.dvc("push")
        assert len(whole_objects(server.folder)) == len(MADE) + 1  # and the list of `words`
        other = colleague(ran, tmp_path / "colleague", server.url)
        other.dvc("pull")
        assert {name: other.read(name) for name in MADE} == {n: wanted[n] for n in MADE}
        assert "Running stage" not in ends_well(other, wanted)


def whole_objects(folder: Path) -> set[str]:
    """Objects of the server with the bytes that name them; it writes others beside, hidden."""
    found = set()
    for path in (folder / s3.BUCKET / "files").rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            name = f"{path.parent.name}{path.name}"
            assert bytes_of.md5(path) == name.removesuffix(".dir"), "a part was left as a whole"
            found.add(name)
    return found
