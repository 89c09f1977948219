"""Headlines are the values; every number is in the table of scores."""

import pytest

from spinlock.evaluation import tables

METRICS = {
    "noa/vrmse_8": 0.5,
    "noa/vrmse_8_mean": 0.6,
    "noa/vrmse_8_low": 0.4,
    "noa/vrmse_8_high": 0.7,
    "noa/vrmse_2_to_5": 0.3,
    "noa/spectral_error_low": 0.1,
    "val/noa/vrmse_8": 0.55,
    "held_out/theta_corner/noa/vrmse_8": 0.9,
    "held_out/theta_corner/noa/residual/vrmse_8": 0.8,
    "held_out/theta_corner/tokenizer/quality": 0.7,
}


def test_headlines_are_values_without_their_ends_and_details():
    assert set(tables.headlines(METRICS)) == {
        "noa/vrmse_8",
        "val/noa/vrmse_8",
        "held_out/theta_corner/noa/vrmse_8",
        "held_out/theta_corner/tokenizer/quality",
    }


@pytest.mark.parametrize("prefix", ["", "val/"])
@pytest.mark.parametrize(
    "name",
    [
        *("tokenizer/quality", "tokenizer/reconstruction", "tokenizer/bits"),
        *("tokenizer/reconstruction_pca_kmeans", "tokenizer/reconstruction_residual_kmeans"),
        *("tokenizer/reconstruction_product", "tokenizer/reconstruction_pca_waterfill"),
        *("tokenizer/identity_within", "tokenizer/identity_between", "tokenizer/topo_tokens"),
        *("noa/vrmse_64", "noa/vrmse_64_persistence", "noa/vrmse_8_policy_alone"),
        *("noa/vrmse_1_noise_floor", "noa/residual/vrmse_1", "noa/convex/vrmse_32"),
    ],
)
def test_the_names_that_others_rely_on_are_headlines(prefix, name):
    # specification, section 16
    assert prefix + name in tables.headlines({prefix + name: 1.0})


@pytest.mark.parametrize(
    "name",
    [
        *("tokenizer/quality_product", "tokenizer/topo_tokens_minus_product"),
        *("tokenizer/reconstruction_train_mean", "tokenizer/identity_gain_initial"),
        *("tokenizer/leakage_ic_null_95", "noa/mse_8_persistence", "noa/convex/mse_8"),
        *("noa/residual/vrmse_8_noise_floor", "val/noa/token_kappa_persistence"),
    ],
)
def test_what_nobody_compares_is_in_the_table_alone(name):
    metrics = {name: 1.0}
    assert not tables.headlines(metrics)
    assert tables.scores(metrics)[0]["value"] == 1.0


def test_the_table_holds_every_number():
    rows = {row["metric"]: row for row in tables.scores(METRICS)}
    assert rows["noa/vrmse_8"] == {
        "metric": "noa/vrmse_8",
        "value": 0.5,
        "mean": 0.6,
        "low": 0.4,
        "high": 0.7,
    }
    # a name that ends like an interval but has no score of its own is a score
    assert rows["noa/spectral_error_low"]["value"] == 0.1
    numbers = [
        v for row in rows.values() for k, v in row.items() if k != "metric" and v is not None
    ]
    assert sorted(numbers) == sorted(METRICS.values())


def test_curves_side_by_side_are_the_medians_of_one_policy():
    curves = [
        {"step": step, "predictor": predictor, "policy": policy, "median": step * scale}
        for policy, scale in (("all", 1.0), ("convex", 2.0))
        for predictor in ("agent", "persistence")
        for step in (1, 2)
    ]
    assert tables.wide(curves, "convex") == [
        {"step": 1, "agent": 2.0, "persistence": 2.0},
        {"step": 2, "agent": 4.0, "persistence": 4.0},
    ]
