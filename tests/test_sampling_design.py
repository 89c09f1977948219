import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinlock import randomness
from spinlock.refusals import Refusal
from spinlock.sampling import design, quality

seeds = st.integers(0, 2**31)


def random_points(seed: int, count: int, dimensions: int) -> np.ndarray:
    return randomness.stream(seed, "test").random((count, dimensions))


@given(seed=seeds, small=st.integers(1, 70), more=st.integers(0, 70), dims=st.integers(1, 12))
def test_the_first_points_of_a_larger_design_are_the_smaller_design(seed, small, more, dims):
    larger = design.points(seed, small + more, dims)
    assert larger.shape == (small + more, dims)
    np.testing.assert_array_equal(larger[:small], design.points(seed, small, dims))


@given(seed=seeds, block=st.integers(0, 7))
def test_every_aligned_block_of_a_power_of_two_fills_all_strata(seed, block):
    points = design.points(seed, 256, 9)[32 * block : 32 * (block + 1)]
    assert quality.strata_coverage(points) == 1.0


def test_another_seed_gives_another_design():
    assert not np.array_equal(design.points(1, 8, 3), design.points(2, 8, 3))


def test_coefficients_of_the_basis_are_uniform_on_the_sphere():
    z = design.weights(design.points(3, 1024, 4), 4)
    assert z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(z.T @ z / len(z), np.eye(4) / 4, atol=0.02)


def test_the_corner_of_the_cube_is_a_finite_point_of_the_sphere():
    assert np.isfinite(design.weights(np.zeros((1, 4)), 4)).all()


def test_one_weight_set_is_plus_one_and_independent_weights_have_no_coefficients():
    np.testing.assert_array_equal(design.weights(np.zeros((5, 0)), 1), np.ones((5, 1)))
    assert design.weights(np.zeros((5, 0)), 0).shape == (5, 0)


@pytest.mark.parametrize(("count", "dims"), [(40, 1), (64, 3), (128, 8)])
def test_discrepancy_of_random_points_has_the_expectation_of_the_formula(count, dims):
    found = [quality.discrepancy(random_points(s, count, dims)) for s in range(400)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - quality.expected_discrepancy(count, dims)) < 4 * error


def test_discrepancy_is_the_squared_formula_of_hickernell():
    x = random_points(5, 7, 3) - 0.5
    a = 1 + np.abs(x) / 2
    pairs = a[:, None] + np.abs(x)[None] / 2 - np.abs(x[:, None] - x[None]) / 2
    value = (13 / 12) ** 3 - 2 * np.prod(a - x**2 / 2, -1).mean() + np.prod(pairs, -1).mean()
    assert quality.discrepancy(x + 0.5) == pytest.approx(value)


@pytest.mark.parametrize(("dims", "count", "least"), [(12, 1024, 4.0), (12, 512, 3.0), (9, 512, 5)])
def test_sobol_points_beat_random_ones_by_the_known_factor(dims, count, least):
    found = [quality.discrepancy(design.points(seed, count, dims)) for seed in range(5)]
    assert quality.expected_discrepancy(count, dims) / np.median(found) > least


def test_the_percentile_of_random_designs_is_exceeded_by_one_in_a_hundred():
    limit = quality.random_percentile(1, 512, 6)  # scaled from 256 points
    above = [quality.discrepancy(random_points(s, 512, 6)) > limit for s in range(200)]
    assert np.mean(above) < 0.04
    assert limit > quality.expected_discrepancy(512, 6)


def test_a_clumped_design_is_refused_from_64_points_on():
    clumped = 0.8 * random_points(1, 80, 4)
    quality.refuse_poor(quality.measure(1, clumped[:63]), 63)
    with pytest.raises(Refusal, match="design of 80 points has a centered discrepancy of"):
        quality.refuse_poor(quality.measure(1, clumped), 80)
    quality.refuse_poor(quality.measure(1, design.points(1, 80, 4)), 80)


def test_scores_of_known_configurations():
    line = np.linspace(0, 0.99, 8)[:, None] * np.ones((1, 2))
    assert quality.max_abs_correlation(line) == pytest.approx(1)
    assert quality.max_abs_correlation(line[:, :1]) is None
    assert quality.min_distance(line) == pytest.approx(0.99 / 7 * np.sqrt(2))
    assert quality.min_distance(line[:1]) is None
    assert quality.strata_coverage(np.full((8, 2), 0.3)) == 1 / 8


def test_the_least_distance_is_found_across_chunks():
    points = random_points(2, 1100, 3)
    points[1099] = points[3] + [1e-6, 0, 0]
    assert quality.min_distance(points) == pytest.approx(1e-6)
