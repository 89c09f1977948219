"""An experiment queued, run and compared by real commands, on three stages that take no time."""

import json
import sys

import pytest
from project import Project, clone, yaml

pytestmark = pytest.mark.pipeline

MEASURE = (
    "import json, sys; from spinlock import params; tree = params.read(); "
    "k = tree['train_vqvae']['codebook_size'] * tree['train_noa']['warmup']; "
    "json.dump({sys.argv[1]: k / 4}, open(sys.argv[2], 'w'))"
)
STAGES = {
    "learn": {
        "cmd": f'python -c "{MEASURE}" vqvae/quality metrics/learn.json',
        "params": ["train_vqvae", "train_noa"],
        "metrics": [{"metrics/learn.json": {"cache": False}}],
    },
    "judge": {
        "cmd": f'python -c "{MEASURE}" val/tokenizer/topo_tokens metrics/judge.json',
        "deps": ["metrics/learn.json"],
        "params": ["train_vqvae"],
        "metrics": [{"metrics/judge.json": {"cache": False}}],
    },
}
LISTED = {
    "profile": None,
    "until": None,
    "metrics": ["vqvae/quality", "val/tokenizer/topo_tokens"],
    "runs": {f"k{k}": {"train_vqvae": {"codebook_size": k}} for k in (8, 48)},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    made = clone(tmp_path_factory.mktemp("experiments") / "project", {})
    for path in (made.folder / "experiments").iterdir():
        path.unlink()
    for name, content in {"dvc": {"stages": STAGES}, "experiments/codes": LISTED}.items():
        with (made.folder / f"{name}.yaml").open("w") as file:
            yaml.dump(content, file)
    text = (made.folder / "experiments" / "codes.yaml").read_text()
    (made.folder / "experiments" / "codes.yaml").write_text(f"# How many?\n{text}")
    (made.folder / "metrics").mkdir()
    made.dvc("repro")
    made.commit("three stages")
    return made


def say(project: Project, *words: str, status: int = 0) -> str:
    done = project.run(sys.executable, "-m", "spinlock.experiments", *words, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_list_is_queued_once_run_and_compared_with_the_commit(project):
    assert say(project, "queue", "codes").startswith("codes: queued 2 runs; ")
    assert say(project, "queue", "codes").startswith("codes: queued 0 runs, 2 were there; ")
    assert say(project, "table", "codes").splitlines()[2].split() == ["k8", "queued"]
    project.dvc("exp", "run", "--run-all")
    assert [line.split() for line in say(project, "table", "codes").splitlines()] == [
        ["run", "quality", "(val)", "topo_tokens", "(val)"],
        ["baseline", "600", "600"],
        ["k8", "200", "(-4e+02)", "200", "(-4e+02)"],
        ["k48", "1200", "(+6e+02)", "1200", "(+6e+02)"],
    ]
    assert say(project, "table", "codes", "--md").splitlines()[1] == "| --- | ---: | ---: |"
    assert json.loads(project.read("metrics/learn.json")) == {"vqvae/quality": 600}


def test_an_experiment_that_stopped_early_shows_no_number_of_the_commit_as_its_own(project):
    project.dvc("exp", "run", "-n", "early", "-S", "train_vqvae.codebook_size=12", "learn")
    project.git("checkout", "-q", ".")
    rows = {line.split()[0]: line.split()[1:] for line in say(project, "table").splitlines()}
    assert rows["early"][-1] == "codebook_size=12"
    assert rows["early"][0] == "300"
    assert rows["commit"].count("600") == 2
    assert rows["codes-k48"].count("1200") == 2
    assert not {"600", "1200"} & set(rows["early"])


@pytest.mark.slow
def test_a_profile_is_compared_with_itself(project):
    """Queued with all its changes: the baseline is a run too."""
    said = say(project, "queue", "codes", "--profile", "idle_agent")
    assert said.startswith("codes-idle_agent: queued 3 runs; ")
    project.dvc("exp", "run", "--run-all")
    shown = say(project, "table", "codes", "--profile", "idle_agent").splitlines()
    assert shown[1].split() == ["baseline", "6", "6"]


def test_a_wrong_key_queues_nothing(project):
    listed = project.folder / "experiments" / "codes.yaml"
    text = listed.read_text()
    listed.write_text(text.replace("codebook_size: 48", "codebok_size: 48"))
    said = say(project, "queue", "codes", status=2)
    assert said.count("\n") == 1
    assert "experiments/codes.yaml: runs.k48: train_vqvae.codebok_size: unknown key" in said
    assert "queued" not in said
    listed.write_text(text)
