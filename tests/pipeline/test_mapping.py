"""A mapping file is a dependency of `discover-categories` while it is in use, and only then."""

import pytest
from project import Project, clone, yaml

pytestmark = pytest.mark.pipeline

CHANGES = ("discover_categories.method=mapping", "discover_categories.mapping_file=mine.json")
SET = [word for change in CHANGES for word in ("-S", change)]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """That stage alone, with a command that copies what it depends on, run without a mapping."""
    made = clone(tmp_path_factory.mktemp("mapping") / "project", {})
    stage = yaml.load((made.folder / "dvc.yaml").read_text())["stages"]["discover-categories"]
    (named,) = [dep for dep in stage["deps"] if "mapping_file" in dep]
    stage = {
        "cmd": f"cat '{named}' params.yaml > out",
        "deps": [named],
        "params": ["discover_categories"],
        "outs": ["out"],
    }
    with (made.folder / "dvc.yaml").open("w") as file:
        yaml.dump({"stages": {"discover-categories": stage}}, file)
    (made.folder / "mappings" / "mine.json").write_text("one")
    made.dvc("repro")
    made.commit("run")
    return made


@pytest.fixture(autouse=True)
def _as_it_was(project):
    yield
    project.git("checkout", "-q", ".")
    project.dvc("checkout", "--force")


def edit(project: Project, text: str) -> None:
    (project.folder / "mappings" / "mine.json").write_text(text)


def test_without_one_an_edit_of_any_mapping_runs_nothing(project):
    assert project.would_run() == []
    edit(project, "two")
    assert project.would_run() == []


def test_with_one_an_edit_of_it_runs_the_stage(project):
    project.dvc("exp", "run", *SET)
    assert project.read("out").startswith(b"one")
    assert project.would_run() == []
    edit(project, "two")
    assert project.would_run() == ["discover-categories"]
    project.dvc("exp", "run")
    assert project.read("out").startswith(b"two")


def test_one_that_is_not_there_is_named(project):
    done = project.run("dvc", "exp", "run", "-S", "discover_categories.mapping_file=no.json",
                       check=False)  # fmt: skip
    assert done.returncode != 0
    assert "mappings/no.json" in done.stderr
