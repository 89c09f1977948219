"""Reconstruction scores of perfect, mean and partial guesses."""

import numpy as np
import pytest

from spinlock.evaluation import reconstruction
from spinlock.evaluation.codes import Target


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


ALL = np.ones(6, dtype=bool)


def test_the_truth_has_no_error_and_the_mean_the_variance():
    truth = target()
    assert (reconstruction.row_errors(truth.values, truth, ALL) == 0).all()
    mean = np.zeros_like(truth.values)
    assert reconstruction.row_errors(mean, truth, ALL).mean() == pytest.approx(1, abs=0.1)


def test_a_column_of_four_bins_weighs_as_one_column():
    truth = target()
    one, bins = truth.values.copy(), truth.values.copy()
    one[:, 1] += 1
    bins[:, 2:] += 1
    a = reconstruction.row_errors(one, truth, ALL)
    b = reconstruction.row_errors(bins, truth, ALL)
    np.testing.assert_allclose(a, 1 / 3)
    np.testing.assert_allclose(b, 1 / 3)
    np.testing.assert_allclose(reconstruction.row_errors(one, truth, truth.category == 1), 0.5)


def test_missing_cells_do_not_count():
    truth = target()
    truth.exists[:, 1] = False
    truth.exists[0] = False
    wrong = truth.values.copy()
    wrong[:, 1] = 1e6
    errors = reconstruction.row_errors(wrong, truth, ALL)
    assert np.isnan(errors[0])
    assert (errors[1:] == 0).all()


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
