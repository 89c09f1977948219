"""From rollouts to `data/features.h5`: layout, masks, workers, growth, and what is reported."""

import numpy as np
import pytest
import torch

from operator_cases import variety
from spinlock import artifacts, store
from spinlock.features import extract, files, names, report, shards
from spinlock.features.architecture import architecture
from spinlock.features.config import Config
from spinlock.rollout import shards as rollout_shards
from spinlock.rollout.config import Config as RolloutConfig
from spinlock.rollout.index import open_rollouts
from spinlock.rollout.stream import rollouts
from spinlock.sampling import table

CONFIG = Config(summary_groups=("temporal",), temporal_groups=("spatial", "spectral"))
STEPS, REALIZATIONS = 16, 2


def roll(operators, folder, kept="all"):
    config = RolloutConfig(
        steps=STEPS, realizations=REALIZATIONS, bound=1e3, store=kept, precision="float32",
        shard_size=2,
    )  # fmt: skip
    plan = rollout_shards.plan(operators, config)
    paths = store.fill(plan, rollout_shards.compute, folder / "store", 1, "rollouts")
    rollout_shards.assemble(operators, config, paths, folder / "rollouts")
    return open_rollouts(folder / "rollouts")


def describe(operators, index, folder, workers=1):
    plan = shards.plan(operators, index, CONFIG, 2)
    paths = store.fill(plan, shards.compute, folder / "store", workers, "features")
    return plan, shards.read(paths)


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
        "summary/aggregated": ("N D", (n, 108)),
        "summary/per_trajectory": ("N R D", (n, REALIZATIONS, 36)),
        "temporal": ("N T D", (n, STEPS, 51)),
        "temporal/per_trajectory": ("N R T D", (n, REALIZATIONS, STEPS, 51)),
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
        assert source.columns("features/temporal/features") == names.names("temporal")
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
        for r, step in enumerate(rollout.diverged_at.tolist()):
            summary = torch.from_numpy(described.summary[row, r])
            temporal = torch.from_numpy(described.temporal[row, r])
            if step:
                assert summary.isnan().all()
                assert temporal.isnan().all()
            else:
                own = rollout.u[r]
                assert torch.equal(summary, extract.summary(own, rollout.u0))
                torch.testing.assert_close(
                    temporal, extract.temporal(own), rtol=0, atol=0, equal_nan=True
                )


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
    other = Config(summary_groups=("temporal",), temporal_groups=("spatial",))
    assert {s.key for s in shards.plan(few, index, other, 2)}.isdisjoint(s.key for s in small)


def test_aggregates_are_over_the_realizations(made):
    _, _, described = made
    whole = files.aggregated(described)
    row = int(np.flatnonzero(described.valid)[0])
    np.testing.assert_allclose(
        whole["summary"][row, :36], described.summary[row].mean(0), rtol=1e-5, atol=1e-6
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
    folder, _, described = made
    stored = files.aggregated(described)
    for row, rollout in enumerate(rollouts(operators, folder / "rollouts")):
        if described.valid[row]:
            found = extract.extract(rollout.u, rollout.u0)
            for family, values in found.items():
                np.testing.assert_array_equal(values.numpy(), stored[family][row])


def test_metrics_count_what_is_missing_and_never_find_an_infinite_value(operators, made):
    _, _, described = made
    found = report.metrics(operators, described)
    assert found["extract/num_operators"] == len(operators)
    assert found["extract/num_valid"] == int(described.valid.sum())
    for family, count in (("initial", 14), ("summary", 108), ("temporal", 51)):
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
