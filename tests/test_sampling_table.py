import dataclasses
import math
import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest
from ruamel.yaml import YAML

from sampling_space import SEED, choice, config, dimensions, fixed, linear, section
from spinlock import artifacts
from spinlock.refusals import Refusal
from spinlock.sampling import report, table
from spinlock.sampling.build import build
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import RULES

BASIS_OF_4 = {"kind": "basis", "num_sets": 4}


def assert_equal(one: Operators, other: Operators) -> None:
    for field in dataclasses.fields(Operators):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right, field.name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weights": BASIS_OF_4},
        {"weights": {"kind": "independent", "num_sets": 1}},
        {"held_out": {"ic_variants": [], "update_policies": [], "theta_corner": []}},
    ],
)
def test_what_is_written_is_read(tmp_path, changes):
    operators = build(SEED, config(**changes))
    table.write(tmp_path / "o.h5", operators, {"sample": section(**changes)})
    assert_equal(table.read(tmp_path / "o.h5"), operators)


def test_a_subset_keeps_its_ids_and_is_read_as_it_was(tmp_path):
    operators = build(SEED, config()).take([5, 3, 400])
    assert operators.ids.tolist() == [5, 3, 400]
    table.write(tmp_path / "o.h5", operators, {})
    assert_equal(table.read(tmp_path / "o.h5"), operators)
    assert len(operators.take([])) == 0


def test_the_same_operators_give_the_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        table.write(tmp_path / name, build(SEED, config()), {"seed": SEED})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_theta_in_the_file_is_named_and_reads_without_us(tmp_path):
    operators = build(SEED, config())
    table.write(tmp_path / "o.h5", operators, {})
    with artifacts.reading(tmp_path / "o.h5", "operators") as source:
        theta = source.get("parameters/theta", "N P")
        units = dict(
            zip(source.columns("parameters/theta"), source.units("parameters/theta"), strict=True)
        )
        column = source.columns("parameters/theta").index("kernel_size")
        assert source.columns("parameters/unit")[0] == "num_layers"
        assert set(source.get("metadata/grid_sizes", "N")) == {32}
    assert theta[:, column].tolist() == [t.kernel_size for t in operators.theta]
    assert units["update_policy"] == "residual | convex"
    assert units["schedule_period"] == "steps"


def test_a_table_that_no_operator_can_have_made_is_refused(tmp_path):
    path = tmp_path / "o.h5"
    table.write(path, build(SEED, config()), {})
    with h5py.File(path, "r+") as file:
        file["parameters/theta"][0, list(RULES).index("update_policy")] = 2
    with pytest.raises(Refusal, match=r"update_policy: expected an index of residual \| convex"):
        table.read(path)
    with h5py.File(path, "r+") as file:
        file["parameters/theta"].attrs["columns"] = '["depth"]'
    with pytest.raises(Refusal, match="expected columns operator_type, .*; got depth"):
        table.read(path)


def test_the_shape_of_the_basis_is_that_of_the_whole_space():
    few = build(SEED, config()).take([0])
    assert [few.largest(name) for name in ("num_layers", "base_channels", "kernel_size")] == [
        5,
        16,
        7,
    ]


def test_rows_of_a_split_or_group_and_of_nothing_else():
    operators = build(SEED, config())
    everyone = [operators.rows(name) for name in table.SPLITS]
    assert sorted(np.concatenate(everyone)) == list(range(512))
    assert {operators.ic_types[i] for i in operators.rows("ic_variant:band_limited_high")} == {
        "band_limited_high"
    }
    with pytest.raises(ValueError, match="expected one of train, .*theta_corner; got 'held'"):
        operators.rows("held")


def test_features_of_theta_are_its_values_and_zero_with_a_flag_where_inactive():
    operators = build(SEED, config(weights=BASIS_OF_4))
    values, names, kinds = table.theta_features(operators)
    columns = dict(zip(names, values.T, strict=True))
    assert len(names) == len(kinds) == values.shape[1]
    assert not {"activation", "schedule_period", "noise_scale.active"} & set(names)
    for i, theta in enumerate(operators.theta[:50]):
        residual = theta.update_policy == "residual"
        assert columns["noise_scale"][i] == math.log10(theta.noise_scale)
        assert columns[f"kernel_size={theta.kernel_size}"][i] == 1
        assert columns["dt"][i] == (math.log10(theta.dt) if residual else 0)
        assert columns["dt.active"][i] == columns["update_policy=residual"][i] == residual
        assert columns["alpha"][i] == (0 if residual else theta.alpha)
        z = [columns[f"weights_z.{j}"][i] for j in range(4)]
        assert np.linalg.norm(z) == pytest.approx(1)


def test_no_feature_of_theta_is_constant():
    only = dimensions(fixed("update_policy", "residual"))
    values, names, _ = table.theta_features(build(SEED, config(dimensions=only)))
    assert (values.std(axis=0) > 0).all()
    assert "alpha" not in names
    assert "dt.active" not in names


def test_noise_regimes_are_thirds_of_the_log_range():
    operators = build(SEED, config())
    for regime, theta in zip(table.noise_regimes(operators), operators.theta, strict=True):
        third = (math.log10(theta.noise_scale) + 5) / 5 * 3
        assert regime == ("low", "mid", "high")[int(third)]
    single = build(
        SEED,
        config(
            dimensions=dimensions(fixed("noise_scale", 0.1)),
            held_out={"ic_variants": [], "update_policies": [], "theta_corner": []},
        ),
    )
    assert set(table.noise_regimes(single)) == {"mid"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        ({"dimensions": dimensions(fixed("update_policy", "convex"))}, "dt varies but cannot act"),
        ({"dimensions": dimensions(fixed("update_policy", "residual"))}, "alpha varies but cannot"),
        ({"dimensions": dimensions(linear("schedule_period", 50, 200))}, "schedule_period varies"),
        (
            {"dimensions": dimensions(linear("mode_share", 0.25, 1))},
            "no operator has operator_type",
        ),
        (
            {
                "dimensions": dimensions(
                    choice("operator_type", "cnn", "u_afno"),
                    fixed("encoder_levels", 4),
                    linear("mode_share", 0.25, 1),
                )
            },
            "mode_share varies but cannot act: the finest bottleneck has 2 cells a side",
        ),
        (
            {"dimensions": dimensions(fixed("operator_type", "u_afno"), fixed("kernel_size", 3))},
            "num_layers varies but cannot act: no operator has operator_type cnn",
        ),
        ({"dimensions": dimensions(linear("spatial_correlation", 0, 0.03))}, "below one cell"),
        ({"max_width": 8}, "base_channels varies but cannot act: every width is max_width 8"),
        ({"max_width": 12}, "base_channels acts in part: all above max_width 12 are the same"),
    ],
)
def test_a_dimension_that_cannot_act_is_named(changes, sentence):
    found = report.warnings(build(SEED, config(**changes)))
    if sentence is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert sentence in found[0]


def test_an_empty_held_out_group_is_named():
    held_out = section()["held_out"] | {
        "theta_corner": [{"name": n, "above": 0.99} for n in ("dt", "alpha", "noise_scale")]
    }
    found = report.warnings(build(SEED, config(held_out=held_out)))
    assert found == ("held-out group theta_corner is empty",)


def test_metrics_count_what_is_there():
    operators = build(SEED, config())
    scores = report.metrics(operators, config())
    assert sum(scores[f"sample/{name}"] for name in table.SPLITS) == 512
    assert scores["sample/share_grf"] == scores["sample/share_localized"] == 0.25
    assert scores["sample/held_out_theta_corner"] == len(operators.rows("theta_corner"))
    assert scores["sample/num_varying"] == 9
    assert scores["sample/discrepancy_ratio"] < 0.3


def test_the_choice_of_one_dimension_may_be_numbers(tmp_path):
    space = dimensions(choice("num_layers", 2, 4), choice("noise_scale", 0.01, 0.1))
    held_out = section()["held_out"] | {"theta_corner": []}
    operators = build(SEED, config(dimensions=space, held_out=held_out))
    assert {t.num_layers for t in operators.theta} == {2, 4}
    table.write(tmp_path / "o.h5", operators, {})
    assert_equal(table.read(tmp_path / "o.h5"), operators)


def test_the_stage_writes_the_table_and_its_metrics(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    with Path("params.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"seed": SEED, "sample": section(max_width=8)}, file)
    stage = runpy.run_path(str(root / "stages" / "sample.py"))
    said = stage["main"](Path("data/o.h5"), Path("metrics/sample.json")).splitlines()
    assert said[0] == (
        "sample: warning: base_channels varies but cannot act: every width is max_width 8"
    )
    assert said[-1].startswith("sample: 512 operators")
    assert len(table.read(Path("data/o.h5"))) == 512
    assert artifacts.read_json(Path("metrics/sample.json"))["sample/num_operators"] == 512
