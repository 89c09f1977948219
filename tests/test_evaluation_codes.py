"""Equal-bit codes where the best answer is known, and where it must be bad."""

import numpy as np
import pytest

from code_cases import target
from spinlock.evaluation import codes
from spinlock.evaluation.codes import Fit

FIT = Fit(seed=5, purpose="test", num_init=2)
ALL = {"axes": None, "dims": (None, None, None)}
BEAM = codes.ResidualBeam(width=8, jitter=0.0, **ALL)
CODES = (codes.pca_kmeans, codes.residual_kmeans, BEAM, codes.product)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def error(values, rows):
    return np.square(values - rows).mean()


def test_as_many_codes_as_distinct_points_lose_nothing():
    points = normal(6, 4)
    rows = points[np.random.default_rng(1).integers(6, size=100)]
    found = codes.residual_kmeans(rows, rows, [6], FIT)
    np.testing.assert_allclose(found.values, rows, atol=1e-12)
    assert len(np.unique(found.tokens)) == 6


@pytest.mark.parametrize("code", CODES)
def test_a_grid_of_points_is_coded_without_error(code):
    axis = np.array([-1.0, 0.0, 1.0])
    grid = np.stack(np.meshgrid(3 * axis, axis, indexing="ij"), -1).reshape(-1, 2)
    rotation = np.linalg.qr(normal(5, 2))[0]
    rows = grid @ rotation.T + 2.0
    found = code(rows, rows, [3, 3], FIT)
    np.testing.assert_allclose(found.values, rows, atol=1e-9)
    assert found.tokens.shape == (9, 2)
    assert found.tokens.max() < 3


@pytest.mark.parametrize("code", CODES)
def test_more_codes_lose_less_and_one_code_loses_the_variance(code):
    rows = normal(200, 4)
    lost = [error(code(rows, rows, [size, size], FIT).values, rows) for size in (1, 2, 8, 32)]
    assert lost[0] == pytest.approx(rows.var(0).mean())
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] < lost[0] / 2


@pytest.mark.parametrize("code", CODES)
def test_rows_that_were_not_fitted_move_nothing(code):
    train, rows = normal(50, 4), normal(9, 4, seed=1)
    together = code(train, np.concatenate([rows, 100 * rows]), [4, 4], FIT)
    alone = code(train, rows, [4, 4], FIT)
    np.testing.assert_array_equal(together.values[:9], alone.values)
    np.testing.assert_array_equal(together.tokens[:9], alone.tokens)


def test_a_wider_beam_loses_less_than_the_nearest_code_level_after_level():
    rows = normal(300, 6)
    narrow = codes.ResidualBeam(width=1, jitter=0.0, **ALL)
    greedy = codes.residual_kmeans(rows, rows, [8, 8, 8], FIT)
    np.testing.assert_allclose(narrow(rows, rows, [8, 8, 8], FIT).values, greedy.values)
    assert error(BEAM(rows, rows, [8, 8, 8], FIT).values, rows) < error(greedy.values, rows)


def test_a_beam_along_few_axes_loses_more_where_it_is_fitted_and_less_on_noisy_others():
    """Two directions carry the rows, and thirty are noise that no code can afford."""
    rng = np.random.default_rng(4)
    scale = np.r_[3.0, 2.0, np.full(30, 0.4)]
    train, rows = (rng.standard_normal((n, 32)) * scale for n in (60, 400))
    few = codes.ResidualBeam(width=8, jitter=0.0, axes=2, dims=(2, 2))
    for other, better, worse in ((train, BEAM, few), (rows, few, BEAM)):
        least, most = (error(c(train, other, [12, 12], FIT).values, other) for c in (better, worse))
        assert least < most


def test_codes_of_a_level_lie_along_its_leading_axes():
    rows = normal(300, 6) * [5.0, 4.0, 3.0, 0.1, 0.1, 0.1]
    one = codes.ResidualBeam(width=1, jitter=0.0, axes=6, dims=(1,))(rows, rows, [8], FIT)
    assert np.linalg.matrix_rank(one.values - rows.mean(0), tol=1e-6) == 1


def test_jitter_loses_more_on_the_rows_fitted_to_and_less_on_others():
    train, rows = normal(60, 3), normal(400, 3, seed=1)
    jittered = codes.ResidualBeam(width=8, jitter=0.3, **ALL)
    for fitted, other, better in ((train, train, BEAM), (train, rows, jittered)):
        worse = BEAM if better is jittered else jittered
        least, most = (error(c(fitted, other, [24], FIT).values, other) for c in (better, worse))
        assert least < most


def test_categories_are_coded_apart():
    rows = normal(60, 6)
    category = np.array([0, 1, 0, 1, 1, 0])
    sizes = [[4, 4], [8]]
    whole = target(rows, category)
    found = codes.by_category(codes.residual_kmeans, whole, whole, sizes, FIT)
    assert found.tokens.shape == (60, 3)
    changed = rows.copy()
    changed[:, category == 1] = normal(60, 3, seed=9)
    other = target(changed, category)
    again = codes.by_category(codes.residual_kmeans, other, other, sizes, FIT)
    np.testing.assert_array_equal(again.values[:, category == 0], found.values[:, category == 0])
    np.testing.assert_array_equal(again.tokens[:, :2], found.tokens[:, :2])


def test_a_column_repeated_in_sixteen_bins_weighs_as_one():
    rows = normal(300, 2)
    spread = np.concatenate([rows[:, :1], np.repeat(rows[:, 1:], 16, axis=1)], axis=1)
    weight = np.array([1.0] + [1 / 16] * 16)
    plain, binned = target(rows), target(spread, weight=weight)
    one = codes.by_category(codes.residual_kmeans, plain, plain, [[8, 8]], FIT)
    two = codes.by_category(codes.residual_kmeans, binned, binned, [[8, 8]], FIT)
    np.testing.assert_array_equal(one.tokens, two.tokens)
    np.testing.assert_allclose(two.values[:, :2], one.values, atol=1e-9)


def test_bits_are_the_logarithms_of_all_codebook_sizes():
    assert codes.bits([[32, 128], [16, 256], [8]]) == pytest.approx(5 + 7 + 4 + 8 + 3)


@pytest.mark.parametrize("total", [0.9, 1.0, 7.5, 20.0])
def test_water_filling_keeps_within_its_bits_and_loses_less_with_more(total):
    rows = target(normal(100, 6) * np.array([8.0, 4.0, 2.0, 1.0, 0.5, 0.25]))
    found = codes.pca_waterfill(rows, rows, total, FIT)
    used = sum(np.ceil(np.log2(len(np.unique(token)))) for token in found.tokens.T)
    assert used <= int(total)
    more = codes.pca_waterfill(rows, rows, total + 3, FIT)
    assert error(more.values, rows.values) < error(found.values, rows.values)


def test_water_filling_spends_bits_where_the_variance_is():
    rows = target(normal(200, 3) * np.array([8.0, 8.0, 1e-3]))
    found = codes.pca_waterfill(rows, rows, 6, FIT)
    assert found.tokens.shape[1] == 2
    assert [len(np.unique(token)) for token in found.tokens.T] == [8, 8]


def test_water_filling_without_variance_gives_the_mean():
    rows = target(np.full((10, 3), 4.0))
    found = codes.pca_waterfill(rows, rows, 12, FIT)
    np.testing.assert_array_equal(found.values, rows.values)


def test_water_filling_at_several_budgets_is_that_at_each():
    train, rows = target(normal(100, 6) * np.arange(1.0, 7)), target(normal(9, 6, seed=1))
    budgets = [12, 0.5, 7.3, 500]
    several = codes.pca_waterfills(train, rows, budgets, FIT)
    for bits, found in zip(budgets, several, strict=True):
        alone = codes.pca_waterfill(train, rows, bits, FIT)
        np.testing.assert_array_equal(found.values, alone.values)
        np.testing.assert_array_equal(found.tokens, alone.tokens)
    assert several[1].tokens.shape == (9, 0)
