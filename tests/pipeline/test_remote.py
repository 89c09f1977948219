"""A team's remote: what one pushes another pulls, and whoever has other keys gets nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import buckets
import pytest
from project import ROOT, Project, clone, yaml

import s3

pytestmark = pytest.mark.pipeline

KEYS = s3.Keys()
STAGES = {
    "spell": {
        "cmd": "mkdir -p words models && cp params.yaml words/one && date +%N > words/two "
        "&& date +%N > models/tokenizer.pt",
        "deps": ["README.md"],
        "params": ["seed"],
        "outs": ["words", "models/tokenizer.pt"],
    },
    "count": {
        "cmd": "cat words/* > models/noa.pt && wc -l < models/noa.pt > score.json "
        "&& cp score.json curve.csv",
        "deps": ["words", "models/tokenizer.pt"],
        "outs": ["models/noa.pt"],
        "metrics": [{"score.json": {"cache": False}}],
        "plots": [{"curve.csv": {"cache": False}}],
    },
}  # the clock shows whether a stage ran or its files were brought
CACHED = ("words/one", "words/two", "models/tokenizer.pt", "models/noa.pt")
MADE = (*CACHED, "score.json", "curve.csv")


@pytest.fixture(scope="module")
def paths_server() -> Iterator[str]:
    """Moto's server: quick, and it takes any keys."""
    with buckets.serving(KEYS) as (url, _):
        yield url


@pytest.fixture
def strict_server(tmp_path: Path) -> Iterator[s3.Server]:
    """Rclone's server, which checks signatures; empty for each test."""
    with s3.serving(tmp_path / "strict" / "s3", KEYS) as server:
        yield server
    assert server.process.poll() is not None


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two small stages with every kind of output, run for seeds 1 and 2; the workspace has 1."""
    project = clone(tmp_path_factory.mktemp("remote") / "first", {"seed": 1})
    published = yaml.load((ROOT / "dvc.yaml").read_text())["artifacts"]
    with (project.folder / "dvc.yaml").open("w") as file:
        yaml.dump({"stages": STAGES, "artifacts": published}, file)
    project.dvc("repro")
    project.commit("seed 1")
    project.git("clone", "-q", "--bare", ".", str(project.folder.with_name("bare.git")))
    project.git("remote", "add", "origin", str(project.folder.with_name("bare.git")))
    project.dvc("exp", "run", "-n", "second", "-S", "seed=2")
    project.seed_2 = made(project)
    project.git("checkout", "-q", ".")
    project.dvc("checkout", "--force")
    return project


def made(project: Project) -> list[bytes]:
    return [project.read(name) for name in MADE]


def colleague(first: Project, tmp_path) -> Project:
    """A fresh clone, by way of the bare repository."""
    project = Project(tmp_path / "colleague")
    project.folder.mkdir()
    project.git("clone", "-q", str(first.folder.with_name("bare.git")), ".")
    return project


def at(project: Project, url: str) -> None:
    """What `dvc remote modify --local shared endpointurl URL` does, for this clone alone."""
    local = f"['remote \"shared\"']\n    endpointurl = {url}\n"
    (project.folder / ".dvc" / "config.local").write_text(local)


def said(project: Project, *command: str, keys: s3.Keys = KEYS) -> subprocess.CompletedProcess:
    """Run a module of Python in the project, with these keys."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.environment.items():
            patch.setenv(name, value)
        return project.run(sys.executable, "-m", *command, check=False)


def done(project: Project, *command: str) -> str:
    result = said(project, *command)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_committed_remote_is_on_the_loopback_and_has_no_keys():
    config = (ROOT / ".dvc" / "config").read_text()
    assert "remote = shared" in config
    assert "url = s3://spinlock\n" in config
    assert "endpointurl = http://127.0.0.1:" in config
    assert not [word for word in ("key", "secret", "token", "password") if word in config]
    assert "/config.local" in (ROOT / ".dvc" / ".gitignore").read_text().splitlines()


def test_all_runs_are_shared_and_nothing_is_computed_again(first, paths_server, tmp_path):
    at(first, paths_server)
    assert done(first, "spinlock.sharing", "push").splitlines()[-1].startswith("push: 4 runs")

    other = colleague(first, tmp_path)
    at(other, paths_server)
    assert done(other, "spinlock.sharing", "pull").splitlines()[-1].startswith("pull: 4 runs")
    assert made(other) == made(first)
    assert "Running stage" not in other.dvc("repro")

    other.overlay({"seed": 2})
    ran = other.dvc("repro")
    assert ran.count("is cached - skipping run") == len(STAGES)
    assert "Running stage" not in ran
    assert made(other) == first.seed_2 != made(first)


@pytest.mark.slow
def test_dvc_alone_sends_records_without_their_files(first, strict_server, tmp_path):
    """Why `spinlock.sharing` exists; when DVC sends them too, it can go."""
    at(first, strict_server.url)
    done(first, "dvc", "push", "--run-cache")
    other = colleague(first, tmp_path)
    at(other, strict_server.url)
    done(other, "dvc", "pull", "--run-cache")
    other.overlay({"seed": 2})
    assert other.would_run() == list(STAGES)


def test_an_experiment_travels_through_a_bare_repository(first, paths_server, tmp_path):
    at(first, paths_server)
    done(first, "dvc", "exp", "push", "origin", "second")
    other = colleague(first, tmp_path)
    at(other, paths_server)
    done(other, "dvc", "exp", "pull", "origin", "second")
    other.dvc("exp", "apply", "second")
    assert made(other) == first.seed_2
    assert "Running stage" not in other.dvc("repro")


def test_tokenizer_and_agent_are_got_by_name(first, paths_server, tmp_path):
    """From the bare repository, without a clone, in the version that a tag gives to a commit."""
    at(first, paths_server)
    done(first, "dvc", "push")
    repository = str(first.folder.with_name("bare.git"))
    config = str(first.folder / ".dvc" / "config.local")
    for name, path in {"tokenizer": "models/tokenizer.pt", "agent": "models/noa.pt"}.items():
        first.git("tag", "--annotate", f"{name}@v1.0.0", "--message", "the first")
        first.git("push", "-q", "origin", f"{name}@v1.0.0")
        get = ("dvc", "artifacts", "get", repository, name, "--config", config)
        done(Project(tmp_path), *get, "--out", f"{name}.pt")
        assert (tmp_path / f"{name}.pt").read_bytes() == first.read(path)


def test_wrong_keys_fail_clearly_and_leave_nothing_behind(first, strict_server, tmp_path):
    wrong_secret, wrong_pair = s3.Keys(access=KEYS.access), s3.Keys()
    at(first, strict_server.url)
    refused(first, wrong_secret, "spinlock.sharing", "push")
    assert strict_server.objects() == []

    done(first, "dvc", "push")
    before = strict_server.objects()
    assert before
    other = colleague(first, tmp_path)
    at(other, strict_server.url)
    refused(other, wrong_secret, "dvc", "pull")
    refused(other, wrong_pair, "spinlock.sharing", "pull")
    assert not [p for p in (other.folder / ".dvc" / "cache").rglob("*") if p.is_file()]
    assert not [name for name in CACHED if (other.folder / name).exists()]
    assert other.git("status", "--porcelain") == ""
    assert strict_server.objects() == before

    done(other, "dvc", "pull")
    assert made(other) == made(first)


def refused(project: Project, keys: s3.Keys, *command: str) -> None:
    """The command fails, says that the keys are wrong, and tells none."""
    result = said(project, *command, keys=keys)
    assert result.returncode != 0
    assert "ERROR: " in result.stderr
    assert any(word in result.stderr for word in ("Forbidden", "Check your key"))
    assert "Traceback" not in result.stderr
    assert keys.secret not in result.stdout + result.stderr


def test_keys_are_never_written_to_a_file_of_git(first):
    held = [first.folder / name for name in first.git("ls-files").splitlines()]
    content = b"".join(path.read_bytes() for path in held if path.is_file())
    assert KEYS.access.encode() not in content
    assert KEYS.secret.encode() not in content


def demo(tmp_path) -> tuple[list[str], Mapping[str, str]]:
    """The command behind `make remote-demo`, with a temporary folder that we can look into."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    return [sys.executable, str(ROOT / ".ci" / "remote_demo.py")], environment


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_behind(tmp_path, how):
    command, environment = demo(tmp_path)
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while not list(tmp_path.glob("spinlock-demo-*/first/.dvc/config.local")):
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(how)
    assert running.wait(timeout=30) != 0
    assert not list(tmp_path.iterdir())
    alive = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in alive


@pytest.mark.slow
def test_the_demonstration_runs_zero_stages_and_leaves_nothing_behind(tmp_path):
    command, environment = demo(tmp_path)
    before = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "came from the run-cache" in shown.stdout
    assert shown.stdout.endswith("remote-demo: zero stages ran in the clones\n")
    assert not list(tmp_path.iterdir())
    after = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert after == before
