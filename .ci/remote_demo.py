"""`make remote-demo`: what a team gains from a remote, shown on a real S3 server on the loopback.

One of the team runs the pipeline, runs it again with another parameter, and shares both. A second
clones and pulls: nothing is left to run. A third clones and asks for that other parameter: it comes
from the run-cache. The files are those of the default run if they are here, else a smoke run of one
or two minutes. All of it happens in a temporary folder; the project is only read.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

import s3

ROOT = Path(__file__).parents[1]
PREFIX = "spinlock-demo-"
PERSON = "remote-demo"
COPIES = 5  # of the data that are on the disk at most, at one time
CHANGES = {"smoke": "train_vqvae.codebook_size=8", "default": "evaluate.num_bootstraps=500"}
ASIDE = (
    "TMPDIR", "XDG_CACHE_HOME",
    "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR",
)  # fmt: skip
COMPARED = "metrics/evaluate.json"


class Clone:
    """Somebody's clone of the project, with a cache of their own."""

    def __init__(self, source: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        folder.mkdir()
        self.run("git", "clone", "--quiet", str(source), ".")
        self.configure("cache.type", "reflink,hardlink,copy")

    def run(self, *command: str) -> str:
        """Run a command here; its output. It dies with us."""
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate()
        except BaseException:
            _kill(process)
            raise
        if process.returncode:
            raise SystemExit(f"remote-demo: failed: {' '.join(command)}\n{said}")
        return said

    def dvc(self, *arguments: str) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments)

    def python(self, module: str, *arguments: str) -> str:
        return self.run(sys.executable, "-m", module, *arguments)

    def configure(self, key: str, value: str) -> None:
        """Set what only this clone sees, in `.dvc/config.local`."""
        self.dvc("config", "--local", key, value)

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def forget_changes(self) -> None:
        """Back to the commit."""
        self.run("git", "checkout", "--quiet", ".")
        self.dvc("checkout", "--force")

    def cache(self) -> list[Path]:
        return [path for path in (self.folder / ".dvc" / "cache").rglob("*") if path.is_file()]


def _kill(process: subprocess.Popen) -> None:
    """End a process and all that it started, workers too."""
    for how, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            continue


def main() -> None:
    """Run the demonstration; whatever happens, the folder and the server go."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupted)
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as work:
        demonstrate(Path(work))


def _interrupted(number: int, frame: object) -> None:
    """Leave by way of every `finally`, and be deaf to a second signal until that is done."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    print("remote-demo: interrupted; takes everything away again", file=sys.stderr)
    sys.exit(128 + number)


def demonstrate(work: Path) -> None:
    """The three people, one after the other."""
    keys = s3.Keys()
    environment = _environment(work, keys)
    stored = list(_stored_files()) if _lock_is_current() else []
    profile = "default" if stored else "smoke"
    change = CHANGES[profile]
    _check_space(work, sum(path.stat().st_size for path in stored))
    _say(f"profile {profile}, in {work}, which goes at the end")

    first = Clone(ROOT, work / "first", environment)
    ran = _ran(_fill(first, profile))
    _say(f"1. one runs the pipeline: {ran or 'no'} stages ran" + (", all were there" * (not ran)))
    ran = _ran(first.dvc("exp", "run", "--set-param", change))
    wanted = (first.folder / COMPARED).read_bytes()
    first.forget_changes()
    _say(f"   and again with {change}: {ran} stages ran")

    with s3.serving(work / "s3", keys) as server:
        _say(f"2. an S3 server that checks signatures: {server.url}")
        endpoint = ("remote.shared.endpointurl", server.url)
        first.configure(*endpoint)
        first.python("spinlock.sharing", "push")
        _say(f"3. pushed files and run-cache; the server holds {_size(server.objects())}")

        second = Clone(first.folder, work / "second", environment)
        second.configure(*endpoint)
        second.dvc("pull")
        _say(f"4. another clones and pulls {_size(second.cache())}")
        _expect("dvc repro", second.dvc("repro"))

        third = Clone(first.folder, work / "third", environment)
        third.configure(*endpoint)
        third.python("spinlock.sharing", "pull")
        _say(f"5. a third clones and pulls all runs, {_size(third.cache())}")
        _expect(f"dvc exp run -S {change}", third.dvc("exp", "run", "--set-param", change))
    if (third.folder / COMPARED).read_bytes() != wanted:
        raise SystemExit(f"remote-demo: {COMPARED} is not what the first one got")
    _say(f"   {COMPARED} is the first one's to the byte")
    _say("zero stages ran in the clones")


def _environment(work: Path, keys: s3.Keys) -> dict[str, str]:
    """Keys and names for our processes; nothing is read from or written to the user's folders."""
    aside = work / "aside"
    aside.mkdir()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **keys.environment,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "src",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(ASIDE, str(aside)),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{role}_NAME": PERSON for role in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{role}_EMAIL": f"{PERSON}@localhost" for role in ("AUTHOR", "COMMITTER")},
    }


def _lock_is_current() -> bool:
    check = [sys.executable, str(ROOT / ".ci" / "lock_is_current.py")]
    return not subprocess.run(check, cwd=ROOT, capture_output=True, check=False).returncode


def _cache_folder() -> Path:
    said = subprocess.run(
        [sys.executable, "-m", "dvc", "cache", "dir"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Path(said.stdout.strip())


def _stored_files() -> Iterator[Path]:
    """Every file in the cache that dvc.lock names; none if one of them is missing."""
    objects = _cache_folder() / "files" / "md5"
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())
    outs = [out for stage in lock["stages"].values() for out in stage["outs"]]
    hashes = [out["md5"] for out in outs if out["path"].startswith(("data/", "models/"))]
    found: list[Path] = []
    while hashes:
        value = hashes.pop()
        path = objects / value[:2] / value[2:]
        if not path.is_file():
            return
        if value.endswith(".dir"):
            hashes += [entry["md5"] for entry in json.loads(path.read_text())]
        found.append(path)
    yield from found


def _check_space(work: Path, size: int) -> None:
    free = shutil.disk_usage(work).free
    if free < COPIES * size:
        raise SystemExit(
            f"remote-demo: {work} has {free / 1e9:.1f} GB free, {COPIES * size / 1e9:.1f} GB are "
            "needed; TMPDIR names another place"
        )


def _fill(clone: Clone, profile: str) -> str:
    """Run the smoke pipeline, or take over the files of the default run; what DVC said."""
    if profile == "default":
        clone.dvc("remote", "add", "--local", "here", str(_cache_folder()))
        clone.dvc("pull", "--remote", "here")
        clone.dvc("remote", "remove", "--local", "here")
        clone.dvc("commit", "--force")  # makes records of the runs
        return clone.dvc("repro")
    said = clone.python("spinlock.profiles", "run", profile)
    clone.commit(f"profile {profile}")
    return said


def _ran(said: str) -> int:
    return sum(line.startswith("Running stage '") for line in said.splitlines())


def _expect(what: str, said: str) -> None:
    """Say how many stages ran; stop if any did."""
    cached = sum("is cached - skipping run" in line for line in said.splitlines())
    if ran := _ran(said):
        raise SystemExit(f"remote-demo: {what}: {ran} stages ran, none should\n{said}")
    _say(f"   {what}: 0 stages ran" + (f", {cached} came from the run-cache" if cached else ""))


def _size(files: list[Path]) -> str:
    size = sum(path.stat().st_size for path in files)
    return f"{len(files)} files, {size / 1e6:.1f} MB"


def _say(line: str) -> None:
    print(f"remote-demo: {line}", flush=True)


if __name__ == "__main__":
    main()
