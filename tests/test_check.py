"""`python -m spinlock.check` reads the whole file and says the first thing that is wrong."""

import pytest
from ruamel.yaml import YAML

from spinlock import check
from spinlock.refusals import Refusal

yaml = YAML()


def changed(root, folder, change):
    """A copy of the project's params.yaml with a change made in it."""
    tree = yaml.load((root / "params.yaml").read_text())
    change(tree)
    path = folder / "params.yaml"
    with path.open("w") as file:
        yaml.dump(tree, file)
    return path


def test_the_projects_own_file_is_right(root):
    check.check(root / "params.yaml")


def _set(*keys, value):
    def change(tree):
        for key in keys[:-1]:
            tree = tree[key]
        tree[keys[-1]] = value

    return change


def _several(*changes):
    def change(tree):
        for one in changes:
            one(tree)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("sample", "operators", value=3), "sample.operators: unknown key, did you mean"),
        (_set("tune", value=3), "tune: unknown section"),
        (lambda tree: tree.pop("clean"), "clean: missing"),
        (lambda tree: tree["generate"].pop("steps"), "generate.steps: missing"),
        (_set("clean", "max_missing", value="0.1"), 'clean.max_missing: .*number, got "0.1"'),
        (_set("sample", "num_operators", value=-5), "sample.num_operators: .*got -5"),
        (_set("sample", "grid_size", value=30), "sample.grid_size: must be a multiple of 4"),
        (_set("generate", "steps", value=8), "train_noa.curriculum: horizons .*8, .*, got 16"),
        (_set("train_noa", "extra_steps", value=65), "train_noa.extra_steps .*64, got 65"),
        (_set("train_noa", "alignment", "horizon", value=65), "alignment.horizon .*64, .* got 65"),
        (_set("train_noa", "context_steps", value=60), "curriculum: horizons .*60, got 16"),
        (
            _set("extract", "further_draws", value=0),
            "clean.min_reliability: allowed null .*got 0.4",
        ),
        (
            _several(
                _set("extract", "further_draws", value=0), _set("clean", "min_reliability", value=0)
            ),
            "clean.min_reliability: allowed null .*got 0",
        ),
        (_set("train_vqvae", "temporal_bins", value=7), "temporal_bins: must divide .*64, got 7"),
        (_set("train_vqvae", "batch_size", value=3), "batch_size: must be at least 4, .* got 3"),
        (
            _set("train_vqvae", "field_channels", value=[4] * 6),
            "train_vqvae.field_channels: at most 5 layers, .* grid of 32, got 6",
        ),
        (_set("train_vqvae", "readout", "own", value=1e39), "readout.own: .*1000000000000(\\.0)?,"),
        (_set("train_vqvae", "readout", "others", value=1e-9), "readout.others: .*0.000001,"),
        (_set("train_vqvae", "reset_below", value=1e39), "reset_below: .*1000000000000(\\.0)?,"),
        (_set("train_vqvae", "field_dim", value=2**21), "field_dim: .*1048576,"),
        (
            _set("sample", "ic_mix", 2, "variants", value=["sinusoid"]),
            "sample.ic_mix: unknown initial condition 'sinusoid', did you mean",
        ),
        (
            _set("sample", "ic_mix", 2, "family", value="waves"),
            "sample.ic_mix.2.family: 'sinusoids' is of family 'sinusoids', got 'waves'",
        ),
        (_set("runtime", "device", value="tpu"), "runtime.device: .*'cpu' or 'cuda', got"),
        (_set("runtime", "workers", value=0), "runtime.workers: .*got 0"),
    ],
)
def test_what_is_wrong_is_one_line(root, tmp_path, change, said):
    path = changed(root, tmp_path, change)
    with pytest.raises(Refusal, match=said) as refusal:
        check.check(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        [_set("train_noa", "alignment", "updates", value=0),
         _set("train_noa", "alignment", "horizon", value=65)],
        [_set("train_noa", "extra_operators", value=0), _set("train_noa", "extra_steps", value=65)],
        [_set("train_noa", "context_steps", value=4), _set("train_noa", "extra_steps", value=64)],
        [_set("extract", "further_draws", value=0), _set("clean", "min_reliability", value=None)],
        [_set("extract", "further_draws", value=1)],
        [_set("train_vqvae", "single_view_weight", value=0.0),
         _set("train_vqvae", "batch_size", value=1)],
        [_set("train_vqvae", "field_channels", value=[4] * 5)],
    ],
)  # fmt: skip
def test_what_the_stage_does_not_refuse_is_right(root, tmp_path, changes):
    """Windows that are never drawn may be long; further rollouts begin at u0, as all others do."""
    check.check(changed(root, tmp_path, _several(*changes)))
