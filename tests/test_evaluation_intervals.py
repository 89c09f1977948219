"""Intervals over operators cover what they estimate and refuse what is too small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinlock.evaluation.intervals import Bootstrap, curve, interval, over_operators

HOW = Bootstrap(seed=1, num_resamples=400, min_operators=8)


@pytest.mark.parametrize(("statistic", "width"), [("mean", 3.92), ("median", 4.91)])
def test_width_is_that_of_the_normal_law(statistic, width):
    values = np.random.default_rng(0).standard_normal(400)
    found = interval(values, statistic, HOW)
    assert found.high - found.low == pytest.approx(width / 20, rel=0.25)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    found = [interval(rng.exponential(size=60), "mean", HOW) for _ in range(100)]
    assert 85 <= sum(i.low <= 1.0 <= i.high for i in found) <= 100


def test_fewer_than_the_smallest_group_is_null_with_its_count():
    found = interval(np.array([1.0] * 7 + [np.nan] * 20), "median", HOW)
    assert (found.value, found.low, found.high, found.count) == (None, None, None, 7)


@given(st.lists(st.floats(-10, 10) | st.just(np.nan), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_statistics_leave_missing_values_out(values):
    array = np.array(values)
    finite = array[~np.isnan(array)]
    for statistic, oracle in (("mean", np.mean), ("median", np.median)):
        found = over_operators(array, statistic)
        if len(finite):
            assert found == pytest.approx(oracle(finite), abs=1e-12)
        else:
            assert np.isnan(found)


def test_an_infinite_score_moves_the_median_as_any_bad_score():
    values = np.array([1.0, 2.0, 3.0] * 3 + [np.inf])
    found = interval(values, "median", HOW)
    assert found.value == 2.0
    assert interval(values, "mean", HOW).value == np.inf
    assert interval(np.full(10, np.inf), "median", HOW).value == np.inf


def test_each_column_of_a_curve_is_its_own_interval():
    values = np.random.default_rng(2).standard_normal((20, 3))
    values[:15, 2] = np.nan
    centre, low, high, count = curve(values, "median", HOW)
    assert list(count) == [20, 20, 5]
    assert np.isnan([centre[2], low[2], high[2]]).all()
    single = interval(values[:, 1], "median", HOW)
    assert (single.value, single.low, single.high) == (centre[1], low[1], high[1])


def test_the_same_seed_gives_the_same_interval_and_another_seed_does_not():
    values = np.random.default_rng(3).standard_normal(50)
    assert interval(values, "mean", HOW) == interval(values, "mean", HOW)
    other = Bootstrap(seed=2, num_resamples=400, min_operators=8)
    assert interval(values, "mean", HOW).low != interval(values, "mean", other).low
