"""Where the agent fails: correlations and shares with known values."""

import numpy as np
import pytest

from spinlock.evaluation import failures


def test_an_error_that_grows_with_a_parameter_has_a_correlation_of_one():
    values = np.stack([np.arange(10.0), -np.exp(np.arange(10.0)), np.ones(10)], axis=1)
    rows = failures.by_parameter(np.arange(10.0) ** 3, values, ["up", "down", "fixed"])
    found = {row["parameter"]: row["correlation"] for row in rows}
    assert found == {"up": pytest.approx(1), "down": pytest.approx(-1)}


def test_the_strongest_stands_first_and_unknown_errors_are_left_out():
    rng = np.random.default_rng(0)
    error = rng.normal(size=200)
    values = np.stack([rng.normal(size=200), error + 0.1 * rng.normal(size=200)], axis=1)
    rows = failures.by_parameter(error, values, ["noise", "cause"])
    assert [row["parameter"] for row in rows] == ["cause", "noise"]
    assert abs(rows[1]["correlation"]) < 0.2
    error[50:] = np.nan
    again = failures.by_parameter(error, values, ["noise", "cause"])
    assert again == failures.by_parameter(error[:50], values[:50], ["noise", "cause"])


def test_spearman_shares_ranks_and_is_zero_for_a_constant():
    assert failures.spearman(np.array([1.0, 1, 2, 2]), np.array([1.0, 1, 5, 5])) == pytest.approx(1)
    assert failures.spearman(np.ones(4), np.arange(4.0)) == 0


def test_agreement_is_counted_by_category_without_initial_ones():
    real = np.zeros((10, 5), dtype=int)
    other = real.copy()
    other[:5, 1:3] = 1
    rows = failures.by_category(
        {"agent": other, "truth": real},
        real,
        np.array([0, 1, 1, 2, 2]),
        ["initial", "moved", "still"],
        np.array([True, False, False]),
    )
    assert rows == [
        {"category": "moved", "agent": 0.5, "truth": 1.0},
        {"category": "still", "agent": 1.0, "truth": 1.0},
    ]
