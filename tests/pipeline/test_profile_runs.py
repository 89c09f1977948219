"""A profile reaches the stages as it is written, by way of a real `dvc exp run`."""

import json
import shutil
import sys

import pytest
from project import ROOT, clone, yaml

from spinlock import params, profiles

pytestmark = pytest.mark.pipeline

STAGE = {"see": {"cmd": "cp params.yaml seen.yaml", "deps": ["params.yaml"], "outs": ["seen.yaml"]}}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project with one stage, which copies the parameters that it sees."""
    made = clone(tmp_path_factory.mktemp("profiles") / "project", {})
    with (made.folder / "dvc.yaml").open("w") as file:
        yaml.dump({"stages": STAGE}, file)
    made.commit("one stage")
    return made


@pytest.mark.parametrize("name", ["mvp_1k", "production_100k", "space_rich"])
def test_a_run_sees_the_parameters_with_the_changes_of_the_profile(project, name):
    project.git("checkout", "-q", "params.yaml")
    project.run(sys.executable, "-m", "spinlock.profiles", "run", name)
    overlay = params.read(ROOT / "profiles" / f"{name}.yaml")
    expected = profiles.merge(params.read(ROOT / "params.yaml"), overlay)
    seen = params.read(project.folder / "seen.yaml")
    assert json.dumps(seen, sort_keys=True) == json.dumps(expected, sort_keys=True)


def test_a_wrong_profile_stops_before_dvc_with_one_line(project):
    """Refused by the name of its key, with the parameters as they were."""
    before = project.read("params.yaml")
    shutil.copy(ROOT / "profiles" / "smoke.yaml", project.folder / "profiles" / "wrong.yaml")
    with (project.folder / "profiles" / "wrong.yaml").open("a") as file:
        file.write("generator:\n  steps: 3\n")
    done = project.run(sys.executable, "-m", "spinlock.profiles", "run", "wrong", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("profiles: params.yaml with profiles/wrong.yaml: generator: ")
    assert len(done.stderr.splitlines()) == 1
    assert project.read("params.yaml") == before
