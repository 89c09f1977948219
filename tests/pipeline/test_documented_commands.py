"""What README and docs/ say is done: every command on a smoke run, every dataset of its files."""

import csv
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest
from project import Project
from shared import smoke_run

from documentation import PAGES, blocks, read
from spinlock.documents import load_checkpoint

pytestmark = pytest.mark.pipeline

WALK = "docs/walkthrough.md"
ORDER = sorted(PAGES, key=lambda page: page != WALK)  # what it ran, the others look up
COMMITTED = "127.0.0.1:9000"  # the remote; taken by something else, perhaps, where tests run
SHOWN = ("0,8,32,64", "0,4,8,16")  # steps of a picture, and those that the small set has
LIMIT = 400  # seconds for a page


@dataclass(frozen=True)
class Clone:
    """A run with the environment that `make setup` gives it, and a port for its remote."""

    project: Project
    remote: str
    start: str  # the commit

    def follow(self, script: str) -> None:
        """Run a page's commands as a reader would, in one shell; it and its servers end here."""
        someone = {f"GIT_{role}_NAME": "somebody" for role in ("AUTHOR", "COMMITTER")}
        someone |= {f"GIT_{role}_EMAIL": "somebody@localhost" for role in ("AUTHOR", "COMMITTER")}
        folder = self.project.folder
        script = script.replace(COMMITTED, self.remote).replace(*SHOWN)
        programs = f"{folder / '.venv' / 'bin'}:{Path(sys.executable).parent}"
        process = subprocess.Popen(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=folder,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
                **someone,
                "PATH": f"{programs}:{os.environ['PATH']}",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "DVC_GLOBAL_CONFIG_DIR": str(folder / ".dvc" / "tmp"),
                "DVC_SYSTEM_CONFIG_DIR": str(folder / ".dvc" / "tmp"),
                "PYTHONPATH": str(folder / "src"),
            },
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=LIMIT)
        finally:
            os.killpg(process.pid, signal.SIGKILL) if _alive(process.pid) else None
        assert process.returncode == 0, said[-4000:]


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def cloned(tmp_path_factory) -> Clone:
    """A smoke run that looks as if `make setup` had been there."""
    project = smoke_run(tmp_path_factory, tmp_path_factory.mktemp("documentation") / "project")
    programs = project.folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f"export PATH={shlex.quote(str(programs))}:$PATH\n")
    (programs / "spinlock").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m spinlock.cli "$@"\n'
    )
    (programs / "spinlock").chmod(0o755)
    (project.folder / ".venv" / ".ready").touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        remote = "127.0.0.1:{1}".format(*free.getsockname())
    config = project.folder / ".dvc" / "config"
    config.write_text(config.read_text().replace(COMMITTED, remote))
    project.commit("another port")
    return Clone(project, remote, project.git("rev-parse", "HEAD").strip())


@pytest.fixture
def clean(cloned) -> Iterator[Clone]:
    """As the run left it, but for DVC's cache."""
    yield cloned
    cloned.project.git("checkout", "-q", "-f", "-B", "main", cloned.start)
    cloned.project.git("clean", "-qfd")
    cloned.project.dvc("checkout", "--force")


@pytest.mark.parametrize("page", ORDER)
def test_commands_run(page, clean):
    """All of a page, in its order, but for what it says is not run and another test lists."""
    parts = [
        block.text if block.language == "sh" else f"python - <<'END'\n{block.text}END\n"
        for block in blocks(read(page))
        if block.language in ("sh", "python") and not block.why_not_run
    ]
    if parts:
        clean.follow("\n".join(parts))


# docs/files.md, against the files of the run.

HEADING = re.compile(r"^## `(.+?)`$", re.MULTILINE)
KINDS = {"f": "float", "i": "int", "S": "text", "b": "bool"}


def sections() -> dict[str, str]:
    """The parts of docs/files.md that are about one file."""
    text = re.sub(r"^## (?!`).*", "## `~`", read("docs/files.md"), flags=re.MULTILINE)
    _, *rest = HEADING.split(text)
    return {name: part for name, part in zip(rest[::2], rest[1::2], strict=True) if name != "~"}


def rows(text: str) -> list[list[str]]:
    """Cells of the rows of a page's tables whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def names(cells: list[str]) -> list[str]:
    return re.findall(r"`([^`]+)`", cells[0])


def written(project: Project, suffix: str) -> set[str]:
    """Files that stages wrote, by the name that the page gives them."""
    found = {
        str(path.relative_to(project.folder))
        for folder in ("data", "models")
        for path in (project.folder / folder).rglob(f"*{suffix}")
    }
    return {re.sub(r"shard-\d+", "shard-NNNNN", name) for name in found}


def place(project: Project, name: str) -> Path:
    return project.folder / name.replace("NNNNN", "00000")


def datasets(project: Project, name: str) -> list[list[str]]:
    """Name, axes, type and unit of every dataset, as the page writes them."""
    found = []

    def visit(path: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            units = json.loads(node.attrs["units"]) if "units" in node.attrs else ["–"]
            kind = KINDS[node.dtype.kind]
            size = str(8 * node.dtype.itemsize) if kind in ("float", "int") else ""
            unit = units[0] if len(units) == 1 else "by column"
            found.append([path, node.attrs["axes"], f"{kind}{size}", unit, node.shape])

    with h5py.File(place(project, name)) as file:
        file.visititems(visit)
    return sorted(found)


def test_every_file_of_the_stages_has_a_section(cloned):
    for suffix in (".h5", ".json", ".pt", ".csv"):
        described = {name for name in sections() if name.endswith(suffix)}
        assert described == written(cloned.project, suffix)


@pytest.mark.parametrize("name", [name for name in sections() if name.endswith(".h5")])
def test_every_dataset_has_a_row_that_is_true(cloned, name):
    families = ("initial", "summary", "temporal")
    described = [
        [first.replace("*", family), *cells[1:4]]
        for cells in rows(sections()[name])
        for first in names(cells)
        for family in (families if "*" in first else ("",))
    ]
    real = datasets(cloned.project, name)
    assert {d[0] for d in described} == {r[0] for r in real}
    for (path, axes, kind, unit), (_, *found, shape) in zip(sorted(described), real, strict=True):
        letters = [axis.partition("=")[0] for axis in axes.split()]
        assert [" ".join(letters), kind, unit] == found, path
        for axis, size in zip(axes.split(), shape, strict=True):
            assert axis.partition("=")[2] in ("", str(size)), path


@pytest.mark.parametrize("name", [name for name in sections() if name.endswith(".h5")])
def test_its_kind_is_in_bold(cloned, name):
    with h5py.File(place(cloned.project, name)) as file:
        assert sections()[name].lstrip().startswith(f"**{file.attrs['kind']}**")
        assert set(file.attrs) == {"kind", "schema", "provenance"}


def keys(project: Project, name: str) -> set[str]:
    path = place(project, name)
    if name.endswith(".pt"):
        return set(load_checkpoint(path))
    if name.endswith(".json"):
        return set(json.loads(path.read_text()))
    return set(next(csv.reader(path.read_text().splitlines())))


@pytest.mark.parametrize("name", [name for name in sections() if not name.endswith(".h5")])
def test_every_key_and_column_has_a_row(cloned, name):
    described = [first for cells in rows(sections()[name]) for first in names(cells)]
    assert set(described) == keys(cloned.project, name)
    assert len(set(described)) == len(described)


def tables() -> dict[str, list[str]]:
    """Every table in plots/ that the page describes, with the columns that it names."""
    return {
        cells[0].strip("`"): re.findall(r"`([^`]+)`", cells[1])
        for cells in rows(read("docs/files.md"))
        if cells[0].startswith("`plots/")
    }


def test_every_table_of_plots_has_a_row_with_its_columns(cloned):
    folder = cloned.project.folder
    found = {
        str(path.relative_to(folder))
        for suffix in ("csv", "tsv")
        for path in (folder / "plots").rglob(f"*.{suffix}")
    }
    for name, columns in tables().items():
        matching = {path for path in found if Path(path).match(name)}
        assert matching, name
        found -= matching
        for path in matching:
            head = re.split(r"[,\t]", (folder / path).read_text().splitlines()[0])
            assert head[: len(columns)] == columns, path
    assert not found


def test_every_file_of_metrics_has_a_row_with_its_keys(cloned):
    described = {
        cells[0].strip("`"): tuple(
            key.removesuffix("…") for key in re.findall(r"`([^`]+)`", cells[1])
        )
        for cells in rows(read("docs/files.md"))
        if cells[0].startswith("`metrics/")
    }
    folder = cloned.project.folder
    assert set(described) == {f"metrics/{p.name}" for p in (folder / "metrics").glob("*.json")}
    for path, prefixes in described.items():
        assert all(key.startswith(prefixes) for key in json.loads((folder / path).read_text()))
