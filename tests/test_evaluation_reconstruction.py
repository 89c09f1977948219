"""Reconstruction scores of perfect, mean and partial guesses."""

import numpy as np
import pytest

from spinlock.evaluation import reconstruction
from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import Bootstrap, resamples

HOW = Bootstrap(seed=1, num_resamples=200, min_operators=8)


def target(seed=0):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((500, 6))
    return Target(
        values=values,
        exists=np.ones(values.shape, dtype=bool),
        weight=np.array([1.0, 1.0, 0.25, 0.25, 0.25, 0.25]),
        category=np.array([0, 1, 1, 1, 1, 1]),
        column=np.array([0, 1, 2, 2, 2, 2]),
    )


def score(values, truth):
    return reconstruction.reconstruction(reconstruction.errors(values, truth), HOW)


def test_the_truth_has_no_error_and_the_mean_the_variance():
    truth = target()
    assert score(truth.values, truth).value == 0
    found = score(np.zeros_like(truth.values), truth)
    assert found.value == pytest.approx(1, abs=0.1)
    assert found.low < 1 < found.high
    assert found.high - found.low == pytest.approx(3.92 * np.sqrt(2 / 500 / 9 * 2.25), rel=0.3)


def test_a_column_of_four_bins_weighs_as_one_column():
    truth = target()
    one, bins = truth.values.copy(), truth.values.copy()
    one[:, 1] += 1
    bins[:, 2:] += 1
    assert score(one, truth).value == pytest.approx(1 / 3)
    assert score(bins, truth).value == pytest.approx(1 / 3)
    part = reconstruction.errors(one, truth).of(np.array([False, True, True]))
    assert reconstruction.reconstruction(part, HOW).value == pytest.approx(1 / 2)


def test_missing_cells_do_not_count():
    truth = target()
    truth.exists[:, 1] = False
    truth.exists[0] = False
    wrong = truth.values.copy()
    wrong[:, 1] = 1e6
    wrong[0] = 1e6
    assert score(wrong, truth).value == 0


def test_r2_of_the_truth_of_the_mean_and_of_a_constant_column():
    truth = target()
    truth.values[:, 0] = 3.0
    guess = truth.values.copy()
    guess[:, 2:] = truth.values[:, 2:].mean(0)
    found = reconstruction.explained(guess, truth, HOW)
    assert np.isnan(found.value[0])
    assert np.isnan(found.drawn[:, 0]).all()
    np.testing.assert_allclose(found.value[1:], [1, 0], atol=1e-12)
    assert found.median(np.array([True, True, False])).value == pytest.approx(1)
    assert found.column(0).interval().value is None


@pytest.mark.filterwarnings("error")
def test_a_resample_in_which_nothing_varies_has_no_median_and_says_nothing():
    drawn = np.array([[np.nan, np.nan], [np.nan, 0.5], [0.1, 0.3]])
    found = reconstruction.Explained(np.array([0.2, 0.4]), drawn, 2).median(np.array([True, True]))
    np.testing.assert_allclose(found.drawn, [np.nan, 0.5, 0.2])
    both = reconstruction.Explained(np.array([0.2, 0.4]), drawn, 2).median(np.array([False, True]))
    np.testing.assert_allclose(both.drawn, [np.nan, 0.5, 0.3])


def test_effective_rank_of_isotropic_single_and_no_directions():
    rng = np.random.default_rng(1)
    assert reconstruction.effective_rank(rng.standard_normal((20_000, 7))) == pytest.approx(
        7, rel=0.01
    )
    line = rng.standard_normal((100, 1)) * np.arange(1.0, 6.0)
    assert reconstruction.effective_rank(line) == pytest.approx(1)
    assert reconstruction.effective_rank(np.ones((10, 3))) == 0


def test_r2_is_that_of_the_resampled_operators():
    truth = target()
    guess = truth.values + 0.5 * np.random.default_rng(3).standard_normal(truth.values.shape)
    found = reconstruction.explained(guess, truth, HOW)
    rows = resamples(HOW.seed, 500, HOW.num_resamples)[17]
    x, e = truth.values[rows, 1], (guess - truth.values)[rows, 1]
    assert found.drawn[17, 1] == pytest.approx(1 - np.square(e).sum() / (x.var() * 500))
    part = found.column(2).interval()
    assert part.low < part.value < part.high
    assert part.value == pytest.approx(0.75, abs=0.05)


def test_ranks_of_resamples_are_those_of_their_rows_and_the_interval_holds_the_value():
    values = np.random.default_rng(2).standard_normal((60, 5)) * np.array([4.0, 2, 1, 1, 0])
    found = reconstruction.rank(values, HOW)
    rows = resamples(HOW.seed, 60, HOW.num_resamples)[3]
    assert found.drawn[3] == pytest.approx(reconstruction.effective_rank(values[rows]))
    moved = found.centered()
    assert moved.low < moved.value < moved.high
    assert reconstruction.rank(np.ones((10, 3)), HOW).centered().high == 0
