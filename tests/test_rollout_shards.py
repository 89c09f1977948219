"""Shards: the same bytes however they are made, and the same rollouts stored or replayed."""

import hashlib
import json
import multiprocessing
import os
from dataclasses import replace

import h5py
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

import operator_cases
from operator_cases import table, theta, variety
from spinlock import params, pool, store
from spinlock.features import shards as feature_shards
from spinlock.features.names import DEFAULT_SUMMARY, DEFAULT_TEMPORAL
from spinlock.refusals import Refusal
from spinlock.rollout import shards
from spinlock.rollout.config import Block, Config, stored_steps
from spinlock.rollout.index import open_rollouts
from spinlock.rollout.metrics import discrepancy_ratio, metrics
from spinlock.rollout.stream import rollouts
from spinlock.sampling import quality

CONFIG = Config(
    steps=5, realizations=2, bound=1000.0, store="all", precision="float32", shard_size=2
)
TABLES = {
    name: getattr(operator_cases, name)
    for name in ("variety", "variety_u_afno")
    if hasattr(operator_cases, name)
}
STORES = {
    "all": "all",
    "none": "none",
    "operators": (Block(operators=3, steps=None),),
    "steps": (Block(operators=None, steps=2),),
    "both": (Block(operators=1, steps=None), Block(operators=4, steps=3)),
}
EXPLOSIVE = theta(normalization="none", activation="relu", update_policy="residual", dt=1.0)


def make(operators, config, root, workers=1):
    plan = shards.plan(operators, config)
    paths = store.fill(plan, shards.compute, root / "store", workers, "shards")
    shards.assemble(operators, config, paths, root / "rollouts")
    return root / "rollouts"


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def equal(first, second):
    return first.operator == second.operator and all(
        np.array_equal(a.numpy(), b.numpy(), equal_nan=True)
        for a, b in (
            (first.u0, second.u0),
            (first.u, second.u),
            (first.diverged_at, second.diverged_at),
        )
    )


@pytest.fixture
def folder(tmp_path):
    return make(variety(), CONFIG, tmp_path)


@pytest.fixture
def forked(monkeypatch):
    """Start workers at once; the stages start fresh interpreters."""
    monkeypatch.setattr(pool, "get_context", lambda _: multiprocessing.get_context("fork"))


@pytest.mark.parametrize("kept", STORES)
@pytest.mark.parametrize("name", TABLES)
def test_stored_or_replayed_the_rollouts_are_the_same(tmp_path, name, kept):
    operators, config = TABLES[name](), replace(CONFIG, store=STORES[kept])
    folder = make(operators, config, tmp_path)
    again = list(rollouts(operators, None, config))
    assert all(equal(a, b) for a, b in zip(rollouts(operators, folder), again, strict=True))
    index = open_rollouts(folder)
    assert all(equal(index.read(operators, row), again[row]) for row in (5, 0, 3))


@pytest.mark.parametrize("name", TABLES)
def test_features_do_not_show_what_was_stored(tmp_path, name):
    """The bytes of the feature shards, by their digests."""
    operators, found = TABLES[name](), {}
    groups = {"summary_groups": DEFAULT_SUMMARY, "temporal_groups": DEFAULT_TEMPORAL}
    config = feature_shards.Config(further_draws=0, max_operators=None, **groups)
    for kept, how in STORES.items():
        folder = make(operators, replace(CONFIG, store=how), tmp_path / kept)
        plan = feature_shards.plan(operators, open_rollouts(folder), config, 4)
        paths = store.fill(plan, feature_shards.compute, tmp_path / kept / "store", 1, "features")
        found[kept] = [store.digest_of(path) for path in paths]
    assert all(digests == found["all"] for digests in found.values())


@pytest.mark.parametrize("kept", STORES)
def test_what_diverged_is_the_same_stored_or_replayed(tmp_path, kept):
    """One realization before the last stored step, others after it."""
    operators = table(*variety().theta[:2], EXPLOSIVE, EXPLOSIVE, replace(EXPLOSIVE, dt=0.5))
    config = replace(CONFIG, store=STORES[kept], bound=4.0, realizations=4)
    read = list(rollouts(operators, make(operators, config, tmp_path)))
    assert all(equal(a, b) for a, b in zip(read, rollouts(operators, None, config), strict=True))
    steps = torch.cat([r.diverged_at for r in read])
    assert {0, 1, 2, 3, 4, 5} & set(steps.tolist()) >= {0, 1, 2, 3}


@pytest.mark.parametrize("kept", STORES)
def test_on_disk_is_what_the_store_says_and_no_more(tmp_path, kept):
    folder = make(variety(), replace(CONFIG, store=STORES[kept]), tmp_path)
    index = open_rollouts(folder)
    for entry in index.contents.shards:
        with h5py.File(folder / entry.file) as file:
            assert file["operator"][:].tolist() == [*range(entry.first, entry.first + entry.count)]
            for operator in file["operator"][:].tolist():
                found = file["u"].shape[2] if "u" in file else 0
                assert found == index.stored_steps(operator)
    expected = {
        "all": [5, 5, 5, 5, 5, 5],
        "none": [0, 0, 0, 0, 0, 0],
        "operators": [5, 5, 5, 0, 0, 0],
        "steps": [2, 2, 2, 2, 2, 2],
        "both": [5, 3, 3, 3, 0, 0],
    }
    assert [index.stored_steps(i) for i in range(6)] == expected[kept]


def test_stored_steps_are_read_and_not_replayed(tmp_path):
    """Replaced on disk by what nobody would roll out, with the index signed anew."""
    folder = make(variety(), replace(CONFIG, store=STORES["steps"]), tmp_path)
    with h5py.File(folder / "shard-00000.h5", "r+") as file:
        file["u"][:] = 0.25
    _sign(folder)
    read, again = (next(rollouts(variety(), place, CONFIG)) for place in (folder, None))
    assert (read.u[:, :2] == 0.25).all()
    assert not torch.equal(read.u[:, 2], again.u[:, 2])


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("some", "generate.store: expected 'all' or 'none', got \"some\""),
        ([], "generate.store: expected .*at least 1 item"),
        ([{"operators": 0, "steps": 1}], "generate.store.0.operators: expected greater"),
        ([{"operators": 4}], "generate.store.0.steps: missing"),
        ([{"operators": 4, "step": 1}], "generate.store.0.step: unknown key, did you mean"),
        ([{"operators": None, "steps": None}], "all operators and all steps is written `all`"),
        ([{"operators": 4, "steps": 5}], "expected fewer than generate.steps = 5, or null"),
        (
            [{"operators": 4, "steps": 2}, {"operators": 5, "steps": None}],
            "a block lies in another: {operators: 4, steps: 2} in {operators: 5, steps: null}",
        ),
    ],
)
def test_a_subset_that_cannot_be_meant_is_refused(kept, said):
    tree = {"steps": 5, "realizations": 2, "bound": 1.0, "precision": "float32", "shard_size": 2}
    with pytest.raises(Refusal, match=said):
        params.parse("generate", {"generate": {**tree, "store": kept}}, Config)


@given(
    blocks=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
    operator=st.integers(0, 9),
)
def test_a_step_is_stored_if_a_block_holds_it(blocks, operator):
    subset = tuple(Block(operators=n, steps=k) for n, k in blocks)
    count = stored_steps(subset, 7, operator)
    for step in range(1, 8):
        assert (step <= count) == any(operator < n and step <= k for n, k in blocks)


def test_any_rows_come_in_the_order_asked(folder):
    operators = variety().take([4, 0, 3])
    found = list(rollouts(operators, folder))
    assert [r.operator for r in found] == [4, 0, 3]
    again = rollouts(operators, None, CONFIG)
    assert all(equal(a, b) for a, b in zip(found, again, strict=True))


def test_another_draw_is_replayed_although_rollouts_are_stored(folder):
    first = next(rollouts(variety(), folder))
    second = next(rollouts(variety(), folder, draw=1))
    assert not torch.equal(first.u0, second.u0)


@pytest.mark.pipeline
def test_two_workers_make_the_same_bytes(tmp_path):
    one = make(variety(), CONFIG, tmp_path / "one")
    two = make(variety(), CONFIG, tmp_path / "two", workers=2)
    assert content(one) == content(two)


@pytest.mark.parametrize("name", TABLES)
def test_two_workers_replay_the_same_bits(tmp_path, forked, name):
    operators, config = TABLES[name](), replace(CONFIG, store=STORES["both"])
    for place in (None, make(operators, config, tmp_path)):
        alone, together = (rollouts(operators, place, config, workers=n) for n in (1, 2))
        assert all(equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_shard_size_changes_no_rollout(tmp_path, name):
    operators = TABLES[name]()
    folders = [
        make(operators, replace(CONFIG, shard_size=size), tmp_path / str(size))
        for size in (1, 4, 100)
    ]
    for same in zip(*(rollouts(operators, folder) for folder in folders), strict=True):
        assert all(equal(same[0], other) for other in same[1:])


@pytest.mark.parametrize("name", TABLES)
def test_the_order_of_work_changes_no_byte(tmp_path, name):
    """Another executor, backwards; and a run that was interrupted after each shard."""
    operators = TABLES[name]()
    plan = shards.plan(operators, CONFIG)
    whole = content(make(operators, CONFIG, tmp_path / "whole"))
    store.fill(plan, shards.compute, tmp_path / "back/store", 1, "shards", _backwards)
    assert content(make(operators, CONFIG, tmp_path / "back")) == whole
    for shard in plan[::-1]:
        store.fill([shard], shards.compute, tmp_path / "bits/store", 1, "shards")
    assert content(make(operators, CONFIG, tmp_path / "bits")) == whole


def _backwards(some, task):
    yield from map(task, reversed(some))


@pytest.mark.parametrize("name", TABLES)
def test_an_operator_is_the_same_alone_and_among_others(name):
    operators = TABLES[name]()
    together = list(rollouts(operators, None, CONFIG))
    for row in (5, 1, 2):
        (alone,) = rollouts(operators.take([row]), None, CONFIG)
        assert equal(alone, together[row])


def test_a_worker_that_dies_during_a_replay_is_one_sentence(monkeypatch, forked):
    monkeypatch.setattr(operator_cases.engine, "build", lambda *_: os._exit(9))
    with pytest.raises(Refusal, match="a worker died while operators 0 … 4 were rolled out"):
        list(rollouts(variety(), None, CONFIG, workers=2))


def test_a_smaller_set_is_the_beginning_of_a_larger_one():
    small, large = (shards.plan(operators, CONFIG) for operators in (_first(4), variety()))
    assert [s.key for s in small] == [s.key for s in large[:2]]


def test_growth_computes_only_the_new_operators_and_shrinking_none(tmp_path, monkeypatch):
    before = content(make(_first(4), CONFIG, tmp_path))
    computed = []
    monkeypatch.setattr(shards, "compute", _recorded(shards.compute, computed))
    after = content(make(variety(), CONFIG, tmp_path))
    assert computed == [[4, 5]]
    assert all(after[name] == before[name] for name in before if name.startswith("shard"))
    assert content(make(_first(4), CONFIG, tmp_path)) == before
    assert content(make(_first(2), CONFIG, tmp_path)).keys() == {"index.json", "shard-00000.h5"}
    assert computed == [[4, 5]]


def test_a_larger_subset_computes_only_what_was_not_stored(tmp_path, monkeypatch):
    computed = []
    monkeypatch.setattr(shards, "compute", _recorded(shards.compute, computed))
    for count in (2, 4):
        config = replace(CONFIG, store=(Block(operators=count, steps=None),))
        make(variety(), config, tmp_path)
    assert computed == [[0, 1], [2, 3], [4, 5], [2, 3]]
    make(variety(), CONFIG, tmp_path)
    assert computed[4:] == [[4, 5]]


def test_resumption_computes_only_what_is_missing(tmp_path, monkeypatch):
    """Of a run that ended at its third shard, and of one of which a shard was lost since."""
    plan = shards.plan(variety(), replace(CONFIG, shard_size=1))

    def interrupted(work, path):
        if work.operators.ids.tolist() == [2]:
            raise KeyboardInterrupt
        shards.compute(work, path)

    with pytest.raises(KeyboardInterrupt):
        store.fill(plan, interrupted, tmp_path, 1, "shards")
    computed = []
    record = _recorded(shards.compute, computed)
    paths = store.fill(plan, record, tmp_path, 1, "shards")
    assert computed == [[2], [3], [4], [5]]
    paths[3].unlink()
    store.fill(plan, record, tmp_path, 1, "shards")
    assert computed[4:] == [[3]]


def test_a_shard_damaged_in_the_store_does_not_reach_the_folder(tmp_path, capsys):
    whole = content(make(variety(), CONFIG, tmp_path))
    path = sorted((tmp_path / "store").glob("*.h5"))[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert content(make(variety(), CONFIG, tmp_path)) == whole
    assert f"{path}: truncated or damaged; computed again" in capsys.readouterr().err


def _first(count):
    return variety().take(slice(count))


def _recorded(compute, calls):
    def record(work, path):
        calls.append(work.operators.ids.tolist())
        compute(work, path)

    return record


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"ids": np.arange(6) + 1},
        {"weights": "independent"},
        {"max_width": 15},
        {"weights_z": -np.ones((6, 1), dtype=np.float32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_key_holds_what_the_rollouts_depend_on(change):
    keys = {s.key for s in shards.plan(variety(), CONFIG)}
    assert not keys & {s.key for s in shards.plan(replace(variety(), **change), CONFIG)}


@pytest.mark.parametrize(
    "change", [{"steps": 6}, {"realizations": 3}, {"bound": 10.0}, {"store": "none"}], ids=str
)
def test_a_key_holds_the_settings(change):
    keys = {s.key for s in shards.plan(variety(), CONFIG)}
    assert not keys & {s.key for s in shards.plan(variety(), replace(CONFIG, **change))}


def test_a_key_does_not_hold_the_splits():
    moved = replace(variety(), split=("test",) * 6)
    assert [s.key for s in shards.plan(moved, CONFIG)] == [
        s.key for s in shards.plan(variety(), CONFIG)
    ]


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        (replace(variety(), ic_types=("foam",) * 6), "unknown initial condition 'foam'"),
        (replace(variety(), ic_types=("localized",) * 5 + ("grf_1",)), "sample.grid_size"),
        (table(theta(kernel_size=7), grid_size=2), "kernel_size: expected at most 5"),
    ],
    ids=["variant", "grid", "kernel"],
)
def test_a_table_that_cannot_be_rolled_out_is_refused_at_once(operators, message):
    with pytest.raises(Refusal, match=message):
        shards.plan(operators, CONFIG)


def test_an_index_says_what_the_folder_holds(folder):
    index = open_rollouts(folder)
    assert (len(index), index.steps, index.realizations, index.bound) == (6, 5, 2, 1000.0)
    assert index.contents.shapes.u == (2, 5, 3, 8, 8)


def test_a_truncated_shard_is_refused_by_name(folder):
    path = folder / "shard-00001.h5"
    path.write_bytes(path.read_bytes()[:-100])
    assert equal(
        next(rollouts(variety(), folder)), next(rollouts(variety(), None, CONFIG))
    )  # in another shard
    with pytest.raises(Refusal, match=r"shard-00001\.h5: its bytes"):
        list(rollouts(variety(), folder))


def test_a_flipped_bit_is_refused_by_name(folder):
    path = folder / "shard-00002.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refusal, match=r"shard-00002\.h5: its bytes"):
        open_rollouts(folder).read(variety(), 5)


def test_a_missing_shard_is_refused_by_name(folder):
    (folder / "shard-00000.h5").unlink()
    with pytest.raises(Refusal, match=r"shard-00000\.h5: not found"):
        open_rollouts(folder).summary()


def test_a_foreign_shard_is_refused_by_name(folder):
    with h5py.File(folder / "shard-00000.h5", "w") as file:
        file["x"] = [1.0]
    _sign(folder)
    with pytest.raises(Refusal, match=r"shard-00000\.h5: expected rollout-shard"):
        open_rollouts(folder).read(variety(), 0)


@pytest.mark.parametrize("how", ["all", "none"])
@pytest.mark.parametrize("change", [{"seed": 8}, {"max_width": 15}], ids=str)
def test_operators_of_another_table_are_refused(tmp_path, how, change):
    folder = make(variety(), replace(CONFIG, store=how), tmp_path)
    other = replace(variety(), **change)
    with pytest.raises(Refusal, match=r"shard-00000\.h5: operator 0 was made from another"):
        open_rollouts(folder).read(other, 0)
    with pytest.raises(Refusal, match=r"shard-00000\.h5: operator 0 was made from another"):
        next(rollouts(other, folder))


def test_an_operator_beyond_the_folder_is_refused(tmp_path):
    folder = make(_first(4), CONFIG, tmp_path)
    with pytest.raises(Refusal, match="expected operators 0 … 3, got 4"):
        open_rollouts(folder).read(variety(), 4)


@pytest.mark.parametrize("value", [np.nan, np.inf, 2000.0])
def test_a_bad_value_before_divergence_is_refused_with_its_place(folder, value):
    with h5py.File(folder / "shard-00001.h5", "r+") as file:
        file["u"][1, 0, 3, 2, 0, 0] = value
    _sign(folder)
    with pytest.raises(Refusal, match=r"shard-00001\.h5: u: .* at index \[1, 0, 3\]"):
        open_rollouts(folder).read(variety(), 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "index.steps"),
        ({"steps": "5"}, "index.steps"),
        ({"store": "some"}, "index.store: expected 'all' or 'none'"),
        ({"extra": 1}, "index.extra: unknown key"),
    ],
)
def test_a_malformed_index_is_refused_with_its_key(folder, change, message):
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(Refusal, match=message):
        open_rollouts(folder)


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(Refusal, match=r"index\.json: not found"):
        open_rollouts(tmp_path)


def test_a_part_of_a_table_is_no_folder(tmp_path):
    with pytest.raises(ValueError, match="whole table"):
        make(variety().take([1, 2]), CONFIG, tmp_path)


def test_metrics_count_what_diverged(tmp_path):
    operators = table(theta(), EXPLOSIVE, theta(), ic_types=("localized",) * 3)
    folder = make(operators, replace(CONFIG, steps=20, bound=20.0), tmp_path)
    found = metrics(operators, open_rollouts(folder))
    assert found["generate/num_operators"] == 3
    assert found["generate/num_shards"] == 2
    assert found["generate/diverged_share"] == pytest.approx(1 / 3)
    assert found["generate/num_diverged_operators"] == 1
    u0 = torch.stack([r.u0 for r in rollouts(operators, folder)]).double()
    variance = float(u0.var((-2, -1), correction=0).mean())
    assert found["generate/ic_variance_localized"] == pytest.approx(variance)


def test_discrepancy_of_the_accepted_is_that_of_their_points():
    operators = variety()
    accepted = np.array([True, False, True, True, True, True])
    points = operators.unit[accepted]
    expected = quality.discrepancy(points) / quality.expected_discrepancy(*points.shape)
    assert discrepancy_ratio(operators, accepted) == pytest.approx(expected)
    assert discrepancy_ratio(operators, ~np.ones(6, dtype=bool)) is None


def _sign(folder):
    """Make the index list the bytes that are there, as a forger would."""
    path = folder / "index.json"
    tree = json.loads(path.read_text())
    for entry in tree["shards"]:
        entry["sha256"] = hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest()
    path.write_text(json.dumps(tree))
