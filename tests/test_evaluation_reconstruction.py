"""Reconstruction scores of perfect, mean and partial guesses."""

import numpy as np
import pytest

from spinlock.evaluation import reconstruction
from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import Bootstrap

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
    found = reconstruction.column_r2(guess, truth)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], [1, 0], atol=1e-12)


def test_effective_rank_of_isotropic_single_and_no_directions():
    rng = np.random.default_rng(1)
    assert reconstruction.effective_rank(rng.standard_normal((20_000, 7))) == pytest.approx(
        7, rel=0.01
    )
    line = rng.standard_normal((100, 1)) * np.arange(1.0, 6.0)
    assert reconstruction.effective_rank(line) == pytest.approx(1)
    assert reconstruction.effective_rank(np.ones((10, 3))) == 0
