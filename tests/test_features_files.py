"""From rollouts to `data/features.h5`: layout, masks, workers, growth, and what is reported."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from operator_cases import variety
from spinlock import artifacts, store
from spinlock.cleaning import raw
from spinlock.features import extract, files, names, report, shards
from spinlock.features.architecture import architecture
from spinlock.features.config import Config
from spinlock.refusals import Refusal
from spinlock.rollout import shards as rollout_shards
from spinlock.rollout.config import Config as RolloutConfig
from spinlock.rollout.engine import roll_out
from spinlock.rollout.index import Index, open_rollouts
from spinlock.rollout.last_step import last_step
from spinlock.rollout.stream import rollouts
from spinlock.sampling import table
from spinlock.validation.validate import validate

CONFIG = Config(
    further_draws=0,
    max_operators=None,
    summary_groups=names.DEFAULT_SUMMARY,
    temporal_groups=names.DEFAULT_TEMPORAL,
)
SUMMARY, TEMPORAL = (
    len(names.names("summary", CONFIG.summary_groups)),
    len(names.names("temporal", CONFIG.temporal_groups)),
)
STEPS, REALIZATIONS = 16, 2


def roll(operators, folder, kept="all", steps=STEPS, realizations=REALIZATIONS):
    config = RolloutConfig(
        steps=steps, realizations=realizations, bound=1e3, store=kept, precision="float32",
        shard_size=2,
    )  # fmt: skip
    plan = rollout_shards.plan(operators, config)
    paths = store.fill(plan, rollout_shards.compute, folder / "store", 1, "rollouts")
    rollout_shards.assemble(operators, config, paths, folder / "rollouts")
    return open_rollouts(folder / "rollouts")


def describe(operators, index, folder, workers=1, config=CONFIG):
    plan = shards.plan(operators, index, config, 2)
    paths = store.fill(plan, shards.compute, folder / "store", workers, "features")
    return plan, shards.read(paths, operators)


@pytest.fixture(scope="module")
def operators():
    return variety()


@pytest.fixture(scope="module")
def made(operators, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    index = roll(operators, folder)
    _, described = describe(operators, index, folder)
    files.write(folder / "features.h5", operators, described, index, CONFIG)
    return folder, index, described


def test_the_layout_is_that_of_the_specification(operators, made):
    folder, _, described = made
    n = len(operators)
    shapes = {
        "summary/aggregated": ("N D", (n, 3 * SUMMARY)),
        "summary/per_trajectory": ("N R D", (n, REALIZATIONS, SUMMARY)),
        "temporal": ("N T D", (n, STEPS, TEMPORAL)),
        "temporal/per_trajectory": ("N R T D", (n, REALIZATIONS, STEPS, TEMPORAL)),
        "initial/aggregated": ("N D", (n, 14)),
        "architecture/aggregated": ("N D", None),
    }
    with artifacts.reading(folder / "features.h5", "features") as source:
        for group, (axes, shape) in shapes.items():
            name = f"features/{group}/features"
            values, mask = source.get(name, axes), source.mask(name, axes)
            assert shape is None or values.shape == shape
            assert values.dtype == np.float32
            assert np.array_equal(mask, np.isfinite(values))
            assert len(source.columns(name)) == len(source.units(name)) == values.shape[-1]
        assert source.columns("features/temporal/features") == names.names(
            "temporal", CONFIG.temporal_groups
        )
        assert np.array_equal(source.get("inputs/fields", "N C H W"), described.fields)
        assert source.get("metadata/split", "N").tolist() == list(operators.split)
        assert source.get("metadata/valid", "N").tolist() == described.valid.tolist()
        assert np.array_equal(
            source.get("parameters/params", "N P"), table.theta_features(operators)[0]
        )


def test_features_are_those_of_the_stream_and_diverged_realizations_have_none(operators, made):
    _, index, described = made
    assert described.diverged.any()
    assert not described.diverged.all()
    for row, rollout in enumerate(rollouts(operators, index.folder)):
        assert torch.equal(torch.from_numpy(described.initial[row]), extract.initial(rollout.u0))
        u0 = rollout.u0.expand(REALIZATIONS, *rollout.u0.shape)
        groups = CONFIG.summary_groups, CONFIG.temporal_groups
        step = last_step(operators, row, index)
        summary, temporal = extract.describe(rollout.u, u0, *groups, step)
        alone = extract.temporal(rollout.u[0])
        for r, diverged_at in enumerate(rollout.diverged_at.tolist()):
            missing = np.full_like(described.summary[row, r], np.nan)
            wanted = missing if diverged_at else summary[r].numpy()
            np.testing.assert_array_equal(described.summary[row, r], wanted)
            if diverged_at:
                assert np.isnan(described.temporal[row, r]).all()
            else:
                np.testing.assert_array_equal(described.temporal[row, r], temporal[r].numpy())
        if not rollout.diverged_at[0]:
            np.testing.assert_array_equal(described.temporal[row, 0], alone.numpy())


def test_one_step_and_one_realization_have_what_needs_no_more(operators, tmp_path):
    index = roll(operators, tmp_path, steps=1, realizations=1)
    _, described = describe(operators, index, tmp_path)
    files.write(tmp_path / "features.h5", operators, described, index, CONFIG)
    found = report.metrics(operators, described, described.take(slice(0)), CONFIG)
    whole = files.aggregated(described)
    valid = described.valid
    assert valid.any()
    for family in ("summary", "temporal"):
        assert found[f"extract/{family}_nonfinite"] == 0
    assert np.isfinite(whole["initial"]).all()
    assert np.isfinite(whole["summary"][valid]).any()
    assert np.isnan(whole["summary"][:, SUMMARY:]).all()
    spread = names.aggregated(names.names("summary", CONFIG.summary_groups))[SUMMARY:]
    assert all(found[f"extract/masked/{name}"] == valid.sum() for name in spread)


def further(operators, index, folder, config):
    plan, again = shards.plan_further(operators, index, config, 2)
    paths = store.fill(plan, shards.compute, folder / "store", 1, "features")
    return again, shards.read(paths, again)


def test_further_draws_are_of_training_operators_from_another_start(operators, made, tmp_path):
    _, index, described = made
    operators = replace(operators, split=("train", "test") * (len(operators) // 2))
    config = replace(CONFIG, further_draws=2)
    again, found = further(operators, index, tmp_path, config)
    train = operators.rows("train")
    assert 0 < len(train) < len(operators)
    assert again.ids.tolist() == [*operators.ids[train], *operators.ids[train]]
    for row, operator in enumerate([*train, *train]):
        draw = 1 + row // len(train)
        rollout = roll_out(operators, operator, index, draw=draw)
        assert not np.array_equal(found.fields[row], described.fields[operator])
        step = last_step(operators, operator, index, draw=draw)
        expected = shards.describe(rollout, config, step)
        for name, values in expected.items():
            np.testing.assert_array_equal(getattr(found, name)[row], values)


def test_further_draws_do_not_depend_on_batches_and_a_partial_set_has_few(
    operators, made, tmp_path
):
    _, index, _ = made
    config = replace(CONFIG, further_draws=1)
    _, whole = further(operators, index, tmp_path / "a", config)
    plan, again = shards.plan_further(operators, index, config, 100)
    paths = store.fill(plan, shards.compute, tmp_path / "b", 1, "features")
    np.testing.assert_array_equal(shards.read(paths, again).summary, whole.summary)
    some = replace(config, max_operators=int(operators.rows("train")[1]) + 1)
    assert len(shards.plan_further(operators, index, some, 2)[1]) == 2


def test_a_key_holds_all_that_a_shard_is_made_of(operators, made):
    """Of the data the stored rollouts, each of them; of a further draw what replays it."""
    _, index, _ = made
    config = replace(CONFIG, further_draws=1)

    def keys(index=index, config=config) -> tuple[list[str], list[str]]:
        plans = (
            shards.plan(operators, index, config, len(operators)),
            shards.plan_further(operators, index, config, len(operators))[0],
        )
        return tuple([shard.key for shard in plan] for plan in plans)

    def changed(**changes: object) -> Index:
        return replace(index, contents=replace(index.contents, **changes))

    stored, drawn = keys()
    assert keys() == (stored, drawn)
    assert not set(stored) & set(drawn)
    for place, entry in enumerate(index.contents.shards):
        others = list(index.contents.shards)
        others[place] = replace(entry, sha256="0" * 64)
        one, two = keys(changed(shards=tuple(others)))
        assert one != stored
        assert two == drawn
    one, two = keys(changed(precision="bfloat16"))
    assert one != stored
    assert two != drawn


def test_without_further_draws_the_file_has_no_rows(operators, made, tmp_path):
    _, index, described = made
    plan, again = shards.plan_further(operators, index, CONFIG, 2)
    assert not plan
    path = tmp_path / "further.h5"
    files.write(path, again, described.take(slice(0)), index, CONFIG, files.FURTHER)
    found = raw.read(path, raw.FURTHER)
    assert len(found.aggregated) == len(found.metadata.rows("train")) == 0
    assert found.names["summary"] == names.aggregated(names.names("summary", CONFIG.summary_groups))
    assert not [check for check in validate(path) if check.problems]
    with pytest.raises(Refusal, match="further-features"):
        raw.read(path)


def test_a_partial_set_keeps_all_rows_and_describes_the_first(operators, made, tmp_path):
    _, index, described = made
    config = replace(CONFIG, max_operators=3)
    plan, partial = describe(operators, index, tmp_path, config=config)
    assert sum(len(shard.work.operators) for shard in plan) == 3
    assert len(partial.valid) == len(operators)
    assert np.array_equal(partial.valid[:3], described.valid[:3])
    assert not partial.valid[3:].any()
    assert np.array_equal(partial.initial, described.initial)
    assert np.array_equal(partial.fields, described.fields)
    assert np.array_equal(partial.summary[:3], described.summary[:3], equal_nan=True)
    assert np.isnan(partial.summary[3:]).all()
    whole, _ = describe(operators, index, tmp_path)
    assert plan[0].key == whole[0].key  # a larger set computes only the difference


def test_stored_or_replayed_one_worker_or_two_the_features_are_the_same(operators, made, tmp_path):
    _, _, described = made
    few = operators.take(slice(0, 4))
    _, found = describe(few, roll(few, tmp_path, kept="none"), tmp_path, workers=2)
    for name in shards.AXES:
        expected = getattr(described, name)[:4]
        assert np.array_equal(getattr(found, name), expected, equal_nan=expected.dtype.kind == "f")


def test_a_larger_table_keeps_the_shards_of_the_smaller(operators, made, tmp_path):
    few = operators.take(slice(0, 4))
    index = roll(few, tmp_path)
    _, whole, _ = made
    small, large = (shards.plan(o, i, CONFIG, 2) for o, i in ((few, index), (operators, whole)))
    assert [shard.key for shard in small] == [shard.key for shard in large[:2]]
    other = replace(CONFIG, temporal_groups=("spatial",))
    assert {s.key for s in shards.plan(few, index, other, 2)}.isdisjoint(s.key for s in small)


def test_aggregates_are_over_the_realizations(made):
    _, _, described = made
    whole = files.aggregated(described)
    row = int(np.flatnonzero(described.valid)[0])
    np.testing.assert_allclose(
        whole["summary"][row, :SUMMARY], described.summary[row].mean(0), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        whole["temporal"][row], described.temporal[row].mean(0), rtol=1e-5, atol=1e-6
    )


def test_architecture_counts_weights_and_sees_its_field(operators):
    values, columns, units = architecture(operators)
    assert values.shape == (len(operators), len(columns))
    assert len(units) == len(columns)
    field = values[:, columns.index("architecture.size.receptive_field")]
    kernels = [t.kernel_size for t in operators.theta]
    layers = [t.num_layers for t in operators.theta]
    expected = [
        min(1 + n * (k - 1), operators.grid_size) for n, k in zip(layers, kernels, strict=True)
    ]
    assert field.tolist() == expected


def test_one_call_describes_a_rollout_as_the_file_does(operators, made):
    folder, index, described = made
    stored = files.aggregated(described)
    for row, rollout in enumerate(rollouts(operators, folder / "rollouts")):
        if described.valid[row]:
            found = extract.extract(rollout.u, rollout.u0, last_step(operators, row, index))
            for family, values in found.items():
                np.testing.assert_array_equal(values.numpy(), stored[family][row])


def test_metrics_count_what_is_missing_and_never_find_an_infinite_value(operators, made):
    _, _, described = made
    diverged = described.diverged[[0, 1, 2]]
    diverged[:, 0] = [False, True, True]
    drawn = replace(described.take(slice(3)), diverged=diverged)
    found = report.metrics(operators, described, drawn, CONFIG)
    assert found["extract/num_operators"] == len(operators)
    assert found["extract/num_valid"] == int(described.valid.sum())
    assert found["extract/num_further"] == 3
    assert found["extract/num_further_valid"] == int((~diverged.any(1)).sum()) < 3
    for family, count in (("initial", 14), ("summary", 3 * SUMMARY), ("temporal", TEMPORAL)):
        assert found[f"extract/{family}_columns"] == count
        assert found[f"extract/{family}_nonfinite"] == 0
    missing = np.isnan(files.aggregated(described)["summary"][described.valid]).sum()
    assert found["extract/summary_masked"] == missing


def test_effective_rank_is_one_for_copies_and_all_for_independent_columns():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 1))
    assert report.effective_rank(np.hstack([x, -2 * x, x + 5])) == pytest.approx(1)
    independent = rng.standard_normal((4000, 5))
    assert report.effective_rank(independent) == pytest.approx(5, rel=0.01)
    constant = np.hstack([independent, np.ones((4000, 1))])
    assert report.effective_rank(constant) == pytest.approx(5, rel=0.01)
    assert report.effective_rank(np.ones((5, 2))) is None


def test_a_column_varies_if_two_of_its_values_differ():
    rows = np.array([[1.0, 1.0, np.nan, np.nan], [1.0, 2.0, np.nan, 3.0]])
    assert report.varying(rows).tolist() == [False, True, False, False]
