"""Paired, independent and recentered resamples of statistics whose spread is known."""

import numpy as np
import pytest

from spinlock.evaluation.intervals import Bootstrap, interval, resamples
from spinlock.evaluation.resampling import Estimate, flat, nothing, one_hot, share_entropy, times

HOW = Bootstrap(seed=1, num_resamples=2000, min_operators=8)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def mean(values, how=HOW):
    return Estimate(
        float(values.mean()), times(len(values), how) @ values / len(values), len(values)
    )


def width(found):
    return found.high - found.low


def test_times_count_the_rows_of_each_resample():
    found, rows = times(30, HOW), resamples(HOW.seed, 30, HOW.num_resamples)
    assert (found.sum(1) == 30).all()
    np.testing.assert_array_equal(found[7], np.bincount(rows[7], minlength=30))


def test_the_interval_of_a_mean_is_that_of_the_report():
    values = normal(100)
    found, expected = mean(values).interval(), interval(values, "mean", HOW)
    assert found.value == pytest.approx(expected.value)
    assert found.low == pytest.approx(expected.low, abs=0.01)
    assert found.high == pytest.approx(expected.high, abs=0.01)


def test_what_two_codes_have_in_common_cancels_in_a_paired_difference():
    shared, own = normal(200), 0.01 * normal(200, seed=1)
    one, two = mean(shared + 0.05 + own), mean(shared)
    assert one.interval().low < two.interval().high  # the intervals overlap
    paired = one.minus(two).interval()
    assert 0 < paired.low < 0.05 < paired.high
    assert width(paired) == pytest.approx(2 * 1.96 * own.std() / np.sqrt(200), rel=0.1)
    assert mean(3 * shared + 9).over(mean(shared + 3)).drawn == pytest.approx(3)


@pytest.mark.parametrize("count", [200, 150])
def test_a_gap_between_two_groups_has_the_variance_of_both(count):
    one, two = mean(normal(200)), mean(normal(count, seed=1))
    found = one.gap(two).interval()
    expected = 2 * 1.96 * np.sqrt(1 / 200 + 1 / count)
    assert width(found) == pytest.approx(expected, rel=0.15)
    assert one.gap(one).interval().low < 0 < one.gap(one).interval().high


def test_repeated_operators_use_fewer_codes_and_recentering_mends_it():
    symbols = np.random.default_rng(0).integers(40, size=60)
    shown = one_hot(symbols, 40)
    used = Estimate(float((shown.sum(0) > 0).sum()), ((times(60, HOW) @ shown) > 0).sum(1), 60)
    plain, moved = used.interval(), used.centered()
    assert plain.high < used.value
    assert moved.low < used.value < moved.high
    assert width(moved) == pytest.approx(width(plain))


def test_what_is_not_defined_has_no_interval():
    nowhere = Estimate(float("nan"), np.full(10, np.nan), 3)
    assert nowhere.interval().value is None
    assert (
        flat("x", nowhere.interval()) == nothing("x") == {"x": None, "x_low": None, "x_high": None}
    )


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number():
    counts = np.array([[3.0, 3, 3, 0], [0, 0, 0, 0], [5, 0, 0, 0]])
    np.testing.assert_allclose(share_entropy(counts), [np.log(3), 0, 0])
