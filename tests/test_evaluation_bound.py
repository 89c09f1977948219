"""The least error of a number of bits, were the columns Gaussian."""

import numpy as np
import pytest

from code_cases import target
from spinlock.evaluation import bound, codes
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=200, min_operators=8)
FIT = Fit(seed=0, purpose="test", num_init=2)


def least(fitted, rows, bits, part=None):
    part = rows.category if part is None else part
    return bound.gaussian(bound.coordinates(fitted, rows, part), bits, HOW)


@pytest.mark.parametrize(
    ("variances", "bits", "expected"),
    [
        ([1.0], 1, 0.25),
        ([4.0, 1.0], 1, 2.0),  # all to the first, down to the second
        ([4.0, 1.0], 2, 1.0),
        ([1.0, 1.0, 1.0], 3, 0.75),
        ([4.0, 0.01], 1, 1.01),  # under the water
        ([2.0, 1.0], 0, 3.0),
        ([1.0, 0.0, 0.0], 3, 2.0**-6),
        ([0.0, 0.0], 5, 0.0),
    ],
)
def test_the_water_stands_where_the_theorem_says(variances, bits, expected):
    for order in (variances, variances[::-1]):
        assert bound.distortion(np.array(order), bits) == pytest.approx(expected, abs=1e-12)


def test_no_other_division_of_the_bits_loses_less():
    rng = np.random.default_rng(0)
    variances = rng.gamma(0.5, size=(5, 12))
    found = bound.distortion(variances, 7.0)
    for _ in range(200):
        bits = 7.0 * rng.dirichlet(np.full(12, 0.3), size=5)
        assert ((variances * 2.0 ** (-2 * bits)).sum(1) >= found).all()
    assert (bound.distortion(variances, 8.0) < found).all()


def test_no_code_of_gaussian_rows_goes_below_it():
    rng = np.random.default_rng(1)
    mixed = np.diag([3.0, 2.0, 1.0, 0.5]) @ rng.normal(size=(4, 4))
    train, rows = (target(rng.normal(size=(2000, 4)) @ mixed) for _ in range(2))
    for bits in (2, 6, 12):
        coded = codes.pca_waterfill(train, rows, bits, FIT)
        lost = np.square(coded.values - rows.values).mean()
        best = least(train, rows, bits).value
        assert best < lost < np.sqrt(3) * np.pi / 2 * best  # Panter and Dite 1951


def test_a_code_that_knows_more_than_second_moments_does():
    signs = target(np.random.default_rng(2).choice([-1.0, 1.0], size=(400, 1)))
    assert least(signs, signs, 1).value == pytest.approx(0.25, rel=0.02)
    assert codes.pca_waterfill(signs, signs, 1, FIT).values == pytest.approx(signs.values)


def test_categories_cost_what_they_share():
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(500, 1))
    cells = np.concatenate([shared, shared], axis=1)
    apart = target(cells, category=np.array([0, 1]))
    together = least(apart, apart, 2, part=np.zeros(2, dtype=int)).value
    assert together == pytest.approx(np.square(cells).mean() / 16, rel=0.02)
    assert least(apart, apart, 2).value == pytest.approx(4 * together, rel=0.02)


def test_errors_weigh_as_columns_do_and_what_no_axis_has_is_lost():
    rng = np.random.default_rng(4)
    train = target(rng.normal(size=(300, 1)) * [[1.0, 0.0]], weight=np.array([1.0, 3.0]))
    rows = target(rng.normal(size=(50, 2)), weight=train.weight)
    found = least(train, rows, 20)
    lost = 3 * np.square(rows.values[:, 1]).mean() / 4
    assert found.value == pytest.approx(lost, rel=1e-6)
    interval = found.interval()
    assert interval.low < found.value < interval.high
    assert interval.count == 50


def test_of_some_operators_it_is_that_of_those_alone():
    rng = np.random.default_rng(5)
    train, rows = (target(rng.normal(size=(n, 3))) for n in (40, 30))
    few = np.array([3, 1, 7, 8, 2, 9, 20, 21])
    whole = bound.coordinates(train, rows, rows.category)
    assert bound.gaussian(whole.take(few), 4, HOW).value == pytest.approx(
        least(train, rows.take(few), 4).value
    )
