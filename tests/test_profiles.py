"""Profiles: right together with params.yaml, what the specification says, and written for DVC."""

import dataclasses
import json
import re

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from spinlock import params, profiles
from spinlock.noa import config as noa
from spinlock.refusals import Refusal
from spinlock.sampling import build, report, space
from spinlock.sampling.config import Config
from spinlock.sampling.theta import RULES

SPACES = {
    "space_cnn12": {
        "num_layers", "base_channels", "kernel_size", "dropout_rate", "noise_scale",
        "spatial_correlation", "update_policy", "dt", "alpha",
    },
    "space_15": set(RULES) - {"encoder_levels", "mode_share", "afno_blocks", "blocks_per_level"},
    "space_u_afno13": {
        "base_channels", "encoder_levels", "mode_share", "afno_blocks", "blocks_per_level",
        "activation", "dropout_rate", "noise_scale", "noise_schedule", "spatial_correlation",
        "update_policy", "dt", "alpha",
    },
    "space_rich": set(RULES),
}  # fmt: skip
RUNS = {
    "baseline_10k": "space_15",
    "mvp_1k": "space_cnn12",
    "production_100k": "space_cnn12",
    "noa_phase1": "space_cnn12",
}
SMALL = ("smoke", "idle_agent", "short_agent")  # for tests, and for experiments
LONG = ("noa_long", "learning_curve", "operators_2048")  # of the space of params.yaml
WIDENING = {"cnn": 4, "u_afno": 8}  # widest hidden width over the first
keys = st.text("abc", min_size=1, max_size=2)
leaves = st.one_of(st.none(), st.integers(), st.lists(st.integers(), max_size=2))
trees = st.dictionaries(
    keys, st.recursive(leaves, lambda below: st.dictionaries(keys, below, max_size=3)), max_size=3
)


@pytest.fixture(autouse=True)
def _in_the_project(root, monkeypatch):
    monkeypatch.chdir(root)


def merged(name: str) -> dict:
    return profiles.merge(params.read(), profiles.load(name))


def sample(name: str, **changes: object) -> Config:
    tree = merged(name)
    return params.parse("sample", {"sample": tree["sample"] | changes}, Config)


@pytest.mark.parametrize("name", [*SPACES, *RUNS, *LONG, *SMALL])
def test_it_is_right_together_with_params_yaml(name):
    assert name in profiles.names()
    assert profiles.load(name)


def test_these_are_all():
    assert set(profiles.names()) == {*SPACES, *RUNS, *LONG, *SMALL}


@pytest.mark.parametrize("name", SPACES)
def test_a_space_varies_what_it_says_and_all_of_it_can_act(name):
    config = sample(name, num_operators=256, block_size=16)
    assert {d.name for d in space.varying(config.dimensions)} == SPACES[name]
    assert not report.warnings(build.build(0, config))


@pytest.mark.parametrize("name", SPACES)
def test_the_widest_operator_of_a_space_is_exactly_max_width(name):
    config = sample(name)
    types = space.extremes(space.named(config.dimensions, "operator_type"))
    base = max(space.extremes(space.named(config.dimensions, "base_channels")))
    assert config.max_width == base * max(WIDENING[kind] for kind in types)


@pytest.mark.parametrize(("name", "of"), RUNS.items())
def test_a_run_has_the_space_that_it_names(name, of):
    ours, theirs = sample(name), sample(of)
    assert ours.dimensions == theirs.dimensions
    assert ours.max_width == theirs.max_width


@pytest.mark.parametrize(("name", "of"), RUNS.items())
def test_a_run_is_made_of_whole_blocks(name, of):
    """So the shares of the initial conditions are exact."""
    config = sample(name)
    assert config.num_operators % config.block_size == 0
    assert config.block_size % len(config.ic_mix) == 0


@pytest.mark.parametrize("name", SPACES)
def test_the_first_operators_of_a_large_set_are_the_small_set(name):
    """Section 4: prefix stability, here of every column of the table."""
    small, large = (
        build.build(20251121, sample(name, num_operators=count, weights=weights))
        for count in (256, 1024)
        for weights in [{"kind": "basis", "num_sets": 4}]
    )
    first = large.take(slice(0, 256))
    for field in dataclasses.fields(small):
        ours, theirs = getattr(small, field.name), getattr(first, field.name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert ours.tobytes() == theirs.tobytes(), field.name
        else:
            assert ours == theirs, field.name


@pytest.mark.parametrize("name", [*SPACES, *RUNS, *LONG, *SMALL])
def test_what_dvc_parses_is_what_the_profile_says(name):
    """By Hydra's own parser: applying the overrides one by one gives the merged parameters."""
    parse = OverridesParser.create().parse_override
    tree = params.read()
    for text in profiles.overrides(profiles.load(name)):
        override = parse(text)
        change = override.value()
        for key in reversed(override.key_or_group.split(".")):
            change = {key: change}
        tree = profiles.merge(tree, change)
    assert json.dumps(tree, sort_keys=True) == json.dumps(merged(name), sort_keys=True)


@given(words=st.text(max_size=8))
def test_any_word_survives_the_way_through_hydra(words):
    (text,) = profiles.overrides({"a": [words]})
    assert OverridesParser.create().parse_override(text).value() == [words]


@given(tree=trees, overlay=trees)
def test_merging_keeps_what_is_not_named_and_does_not_change_its_arguments(tree, overlay):
    before = json.dumps([tree, overlay])
    once = profiles.merge(tree, overlay)
    assert json.dumps([tree, overlay]) == before
    assert profiles.merge(tree, {}) == tree
    assert profiles.merge(once, overlay) == once
    assert all(once[key] == tree[key] for key in set(tree) - set(overlay))


def test_lists_are_replaced_and_sections_merged():
    tree = {"a": {"x": [1, 2], "y": 1}, "b": 1}
    assert profiles.merge(tree, {"a": {"x": [3]}}) == {"a": {"x": [3], "y": 1}, "b": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sample:\n  operators: 3", "sample.operators: unknown key, did you mean"),
        ("generator:\n  steps: 3", "generator: unknown section"),
        ("generate:\n  steps: 1e-3", "generate.steps: expected a valid integer, got 0.001"),
        ("sample:\n  grid_size: 30", "sample.grid_size: must be a multiple of 4"),
        ("sample:\n  split: {tarin: 12}", "sample.split.tarin: unknown key, did you mean 'train'"),
        ("runtime:\n  store: '${oc.env:HOME}'", "runtime.store=.* asks Hydra to look something up"),
    ],
)
def test_a_wrong_profile_is_refused_by_the_name_of_its_key(tmp_path, monkeypatch, text, said):
    (tmp_path / "wrong.yaml").write_text(text)
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    with pytest.raises(Refusal, match=said):
        profiles.load("wrong")


def test_an_unknown_profile_is_refused_with_the_nearest():
    with pytest.raises(Refusal, match="no profile 'mvp', did you mean 'mvp_1k'"):
        profiles.load("mvp")


def test_further_arguments_reach_dvc():
    *before, last = profiles.command({"a": {"b": 1}}, ["--queue"])
    assert before[1:] == ["-m", "dvc", "exp", "run", "-S", "a.b=1"]
    assert last == "--queue"


@pytest.mark.parametrize("name", [*SPACES, *RUNS, *LONG])
def test_the_head_of_a_profile_states_time_disk_and_memory(name):
    """As `benchmarks/costs.py` prints them."""
    head = (profiles.FOLDER / f"{name}.yaml").read_text().split("\nsample:")[0]
    for what in ("time, generate", "time, extract", "time, train-noa", "disk, rollouts", "memory,"):
        assert f"#   {what}" in head, what


@pytest.mark.parametrize("name", [*SPACES, *RUNS, *LONG])
def test_the_stated_time_of_the_agent_is_that_of_its_curriculum(name):
    """To the rounding of the milliseconds of which it is calculated."""
    head = (profiles.FOLDER / f"{name}.yaml").read_text().split("\nsample:")[0]
    (step,) = map(float, re.findall(r"(\d+) ms a step of a window", head))
    (stated,) = map(float, re.findall(r"time, train-noa: ([\d.]+) h on 1 core", head))
    merged = profiles.merge(params.read(params.PATH), profiles.load(name))
    agent = params.parse("train_noa", merged, noa.Config, name)
    windows = agent.batch_size * sum(phase.horizon * phase.updates for phase in agent.curriculum)
    hours = windows * step / 3.6e6
    assert stated == pytest.approx(hours, rel=0.5 / step + 0.01)


def test_every_profile_says_what_it_is_for(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["profiles", "list"])
    assert profiles.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(profiles.names())
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)
