"""A copy of the project in a folder of its own, as a clone would be, on the smoke profile."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
yaml = YAML()


class Project:
    """A Git repository with the tracked files of this one, and a DVC cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def copy(self, folder: Path) -> "Project":
        """All of it, also what Git and DVC do not know, in a folder that must not exist."""
        return Project(Path(shutil.copytree(self.folder, folder, symlinks=True)))

    def environment(self) -> dict[str, str]:
        """Of its commands: the tests' own Python first on the path, no settings of the user."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "DVC_NO_ANALYTICS": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(self.folder / ".dvc" / "tmp"),
            "DVC_SYSTEM_CONFIG_DIR": str(self.folder / ".dvc" / "tmp"),
            "PYTHONPATH": str(self.folder / "src"),
        }

    def run(self, *command: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Run a command in the project."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True,
            check=False, **options,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def dvc(self, *arguments: str, **options) -> str:
        """Run DVC; its standard output."""
        return self.run(sys.executable, "-m", "dvc", *arguments, **options).stdout

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Start DVC in a session of its own; both outputs are one."""
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments], cwd=self.folder, text=True,
            env=self.environment() | environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def git(self, *arguments: str) -> str:
        """Run Git as somebody."""
        someone = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        return self.run("git", *someone, *arguments).stdout

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def overlay(self, changes: Mapping) -> None:
        """Change parameters in place; lists are replaced whole."""
        path = self.folder / "params.yaml"
        tree = yaml.load(path.read_text())
        _merge(tree, changes)
        with path.open("w") as file:
            yaml.dump(tree, file)

    def command(self, stage: str) -> list[str]:
        """The script and arguments of a stage."""
        words = yaml.load((self.folder / "dvc.yaml").read_text())["stages"][stage]["cmd"].split()
        return words[words.index("python") + 1 :]

    def would_run(self) -> list[str]:
        """Stages that `dvc repro` would run now, and those that read what these write."""
        changed = self._announced("repro", "--dry")
        return (
            self._announced("repro", "--dry", "--force", "--downstream", *changed)
            if changed
            else []
        )

    def _announced(self, *command: str) -> list[str]:
        lines = self.dvc(*command).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]


def clone(folder: Path, changes: Mapping | None = None) -> Project:
    """Copy the tracked files (as they are in the work tree) and start a repository there.

    Args:
        folder: where; must not exist.
        changes: an overlay of params.yaml; the smoke profile if none is given.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    project = Project(folder)
    for made in ("dvc.lock", "metrics", "plots"):
        path = folder / made
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    project.overlay(smoke() if changes is None else changes)
    project.git("init", "-q", "-b", "main")
    project.commit("start")
    return project


def smoke() -> dict:
    """The smoke profile."""
    return yaml.load((ROOT / "profiles" / "smoke.yaml").read_text())


def _merge(tree: dict, changes: Mapping) -> None:
    for key, value in changes.items():
        if key not in tree:
            raise KeyError(f"the overlay names '{key}', which params.yaml does not have")
        if isinstance(value, Mapping):
            _merge(tree[key], value)
        else:
            tree[key] = value
