"""Experiments: each run is right with params.yaml and changes it; nothing wrong is queued."""

import itertools
import json
from dataclasses import replace

import pytest

from spinlock import comparison, experiments, params, profiles
from spinlock.refusals import Refusal

NAMES = (
    "agent", "architecture", "categories", "codes",
    "columns", "features", "initial_conditions", "losses",
    "options", "seeds", "tokenizer_seeds",
)  # fmt: skip
GOOD = """\
# A question?
profile: null
until: null
metrics: [vqvae/quality]
runs:
  many: {train_vqvae: {codebook_size: 32}}
"""


@pytest.fixture(autouse=True)
def _in_the_project(root, monkeypatch):
    monkeypatch.chdir(root)


def test_these_are_all_and_each_says_what_it_asks():
    assert profiles.names(experiments.FOLDER) == NAMES
    assert all("?" in line for line in profiles.listed(experiments.FOLDER).splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_every_run_is_right_and_changes_something(name):
    experiment = experiments.load(name)
    start = experiment.runs.get(experiments.BASELINE, {})
    before = profiles.merge(params.read(), start)
    for run, overlay in experiment.runs.items():
        changed = profiles.merge(before, overlay) != before
        assert changed == (run != experiments.BASELINE), run


@pytest.mark.parametrize("name", NAMES)
def test_no_two_runs_are_the_same(name):
    runs = experiments.load(name).runs.values()
    merged = [json.dumps(profiles.merge(params.read(), own), sort_keys=True) for own in runs]
    assert len(set(merged)) == len(merged)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tokenizer_seeds"])
def test_choices_are_compared_on_validation(name):
    """And on operators that were held out, never on test; of seeds none is chosen."""
    for metric in experiments.load(name).metrics:
        assert metric.startswith(("val/", "held_out/", "vqvae/", "categories/")), metric


def test_the_ablations_of_the_specification_are_declared():
    """Section 12: families of features and initial conditions, losses, codes per level, λ."""
    assert {"k4", "k8", "k16", "k32", "k64"} < set(experiments.load("codes").runs)
    losses = params.read()["train_vqvae"]["losses"]
    off = [run["train_vqvae"]["losses"] for run in experiments.load("losses").runs.values()
           if "train_vqvae" in run]  # fmt: skip
    beside = {"orthogonality_target", "topographic_pre", "topographic_pairs", "symbols_temperature"}
    weights = set(losses) - beside
    tried = {
        name for one in off for name, weight in one.items() if (weight == 0) != (losses[name] == 0)
    }
    assert tried >= weights
    extract = params.read()["extract"]
    features = experiments.load("features").runs.values()
    for key in ("summary_groups", "temporal_groups"):
        kept = [run["extract"][key] for run in features if key in run.get("extract", {})]
        for group in extract[key]:
            assert [other for other in extract[key] if other != group] in kept, group
    mixes = experiments.load("initial_conditions").runs.values()
    out = [set(run["sample"]["held_out"]["ic_variants"]) for run in mixes
           if "held_out" in run.get("sample", {})]  # fmt: skip
    for family in params.read()["sample"]["ic_mix"]:
        assert set(family["variants"]) in out, family
    assert {"direct", "no_latent_loss", "no_commitment_loss"} < set(experiments.load("agent").runs)


def test_a_profile_of_the_user_takes_the_place_of_the_files():
    ours = experiments.load("codes", "smoke").runs
    assert ours["baseline"] == profiles.load("smoke")
    assert ours["k8"] == profiles.merge(
        profiles.load("smoke"), {"train_vqvae": {"codebook_size": 8}}
    )
    assert "baseline" not in experiments.load("seeds").runs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("codebook_size", "codebook"), "wrong.yaml: runs.many: train_vqvae.codebook: unknown key"),
        (("train_vqvae", "vqvae"), "wrong.yaml: runs.many: vqvae: unknown section"),
        (("32", "-1"), "train_vqvae.codebook_size: expected greater than or equal to 1, got -1"),
        (("vqvae/quality", "vqvae/qualty"), "wrong.yaml: metrics: no stage writes 'vqvae/qualty'"),
        (("profile: null", "profile: smok"), "no profile 'smok', did you mean 'smoke'?"),
        (("profile: null\n", ""), "wrong.yaml: profile: missing"),
        (("until: null", "until: train"), "wrong.yaml: until: expected null or one of sample, "),
        (("metrics: [vqvae/quality]", "metrics: []"), "wrong.yaml: metrics: "),
        (("runs:", "run:"), "wrong.yaml: run: unknown key; known: profile, until, metrics, runs"),
        (("many: {train_vqvae: {codebook_size: 32}}", "many: 3"), "runs.many: expected "),
        (("many", "'a b'"), "runs.a b: expected a name of small letters"),
    ],
)
def test_a_wrong_experiment_is_one_line_before_anything_is_queued(
    tmp_path, monkeypatch, capsys, change, said
):
    (tmp_path / "wrong.yaml").write_text(GOOD.replace(*change))
    monkeypatch.setattr(experiments, "FOLDER", tmp_path)
    monkeypatch.setattr(comparison, "collect", lambda: pytest.fail("DVC was asked"))
    monkeypatch.setattr("sys.argv", ["experiments", "queue", "wrong"])
    assert experiments.main() == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_an_unknown_experiment_is_refused_with_the_nearest():
    with pytest.raises(Refusal, match="no experiment 'loses', did you mean 'losses'"):
        experiments.load("loses")


def run(name: str, state: str = "success", **metrics: float) -> comparison.Run:
    named = {key.replace("__", "/"): value for key, value in metrics.items()}
    return comparison.Run(name=name, state=state, params={}, metrics=named)


def test_a_table_has_short_names_validation_first_and_differences():
    before = run("commit", vqvae__bits=0.5, val__a__error=0.25)
    rows = comparison.rows(
        ["vqvae/bits", "val/a/error"],
        ("baseline", before),
        {
            "more": run("x-more", vqvae__bits=0.75, val__a__error=0.125),
            "same": run("x-same", vqvae__bits=0.5),
            "later": run("x-later", state="queued"),
            "never": None,
        },
    )
    assert rows == [
        ["run", "error (val)", "bits"],
        ["baseline", "0.25", "0.5"],
        ["more", "0.125 (-0.12)", "0.75 (+0.25)"],
        ["same", "–", "0.5 (=)"],
        ["later", "queued", ""],
        ["never", "not queued", ""],
    ]
    assert comparison.text(rows).splitlines()[2] == "more      0.125 (-0.12)  0.75 (+0.25)"
    assert comparison.markdown(rows).splitlines()[:2] == [
        "| run | error (val) | bits |",
        "| --- | ---: | ---: |",
    ]


def test_short_names_tell_metrics_apart():
    names = ["a/x/error", "b/x/error", "a/y"]
    assert comparison.short(names) == ["a/x/error", "b/x/error", "y"]
    for one, two in itertools.combinations(comparison.short(comparison.COMPARED), 2):
        assert one != two


def test_the_header_says_which_numbers_are_of_validation():
    metrics = (
        "vqvae/bits", "held_out/ic_variant:a/noa/vrmse_8", "vqvae/utilization", "vqvae/topo_pre",
        "noa/val_loss", "noa/trajectory_loss", "val/noa/vrmse_8", "val/tokenizer/utilization",
    )  # fmt: skip
    header, *_ = comparison.rows(metrics, ("baseline", None), {})
    assert header == [
        "run", "topo_pre (val)", "val_loss", "val/noa/vrmse_8", "val/tokenizer/utilization",
        "bits", "ic_variant:a/noa/vrmse_8", "vqvae/utilization", "trajectory_loss",
    ]  # fmt: skip


def test_the_table_of_all_shows_nothing_twice_and_fits_a_screen(root, monkeypatch):
    """Two numbers that are equal to the last digit are the same one under two names."""
    written = {}
    for path in (root / "metrics").glob("*.json"):
        written |= json.loads(path.read_text())
    assert len({written[name] for name in comparison.COMPARED}) == len(comparison.COMPARED)
    assert "vqvae/bits" in comparison.COMPARED
    before = comparison.Run(name="commit", state="success", params={"one": {"k": 1}},
                            metrics=written)  # fmt: skip
    worse = {key: v * 0.98765 for key, v in written.items() if isinstance(v, float)}
    after = replace(before, name="sixteen", params={"one": {"k": 16}}, metrics=worse)
    monkeypatch.setattr(comparison, "commit", lambda: before)
    monkeypatch.setattr(comparison, "collect", lambda: [after])
    lines = comparison.text(comparison.everything()).splitlines()
    assert max(map(len, lines)) <= 120


LOCK = {
    "one": {
        "deps": [{"path": "code.py", "md5": "c"}],
        "params": {"params.yaml": {"one": {"k": 1}}},
        "outs": [{"path": "data", "md5": "d1"}, {"path": "m1.json", "md5": "m"}],
    },
    "two": {"deps": [{"path": "data", "md5": "d1"}], "outs": [{"path": "m2.json", "md5": "m"}]},
    "three": {"deps": [{"path": "m2.json", "md5": "m"}], "outs": [{"path": "m3.json", "md5": "m"}]},
}  # fmt: skip


def own(lock: dict, k: int = 1) -> set[str]:
    return {path for path in comparison.own_files(lock, {"one": {"k": k}}) if path != "data"}


def test_a_metric_counts_only_if_its_stage_saw_what_came_before_it():
    assert own(LOCK) == {"m1.json", "m2.json", "m3.json"}
    again = {**LOCK, "one": {**LOCK["one"], "outs": [{"path": "data", "md5": "d2"},
                                                     {"path": "m1.json", "md5": "m"}]}}  # fmt: skip
    assert own(again) == {"m1.json"}
    assert own(LOCK, k=2) == set()


def test_the_table_of_all_says_what_differs_between_them_and_no_more(monkeypatch):
    def at(name: str, **params: int) -> comparison.Run:
        return replace(run(name), params={"one": params})

    many = {f"p{number}": 1 for number in range(5)}
    profile = dict.fromkeys(many, 2)
    monkeypatch.setattr(comparison, "commit", lambda: at("commit", k=1, **many))
    runs = [at("small", k=1, **profile), at("large", k=8, **profile)]
    monkeypatch.setattr(comparison, "collect", lambda: runs)
    ends = [(row[0], row[-1]) for row in comparison.everything()]
    assert ends == [("run", "changed"), ("commit", ""), ("small", ""), ("large", "k=8")]
    monkeypatch.setattr(comparison, "collect", lambda: runs[1:])
    assert comparison.everything()[-1][-1] == "k=8 p0=2 and 4 more"
