"""`baseline_10k`, made in full without rollouts: its design and its initial conditions."""

import dataclasses
import statistics

import numpy as np
import pytest

from spinlock import params, profiles
from spinlock.initial_conditions import families, measure
from spinlock.rollout import engine
from spinlock.sampling import build, labels, quality, report
from spinlock.sampling.config import Config

SEEDS = 20
COUNT, FREE = 10_000, 15


@pytest.fixture(scope="module")
def profile(root):
    """Root seed and section `sample`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        tree = profiles.merge(params.read(), profiles.load("baseline_10k"))
    return params.parse("seed", tree, int), params.parse("sample", tree, Config)


@pytest.fixture(scope="module")
def operators(profile):
    return build.build(*profile)


def test_it_is_10_000_operators_of_15_parameters(operators):
    assert operators.unit.shape == (COUNT, FREE)
    assert operators.grid_size == 128


def test_families_have_exact_shares_in_every_block_and_variants_as_even_as_whole_numbers(
    profile, operators
):
    _, config = profile
    names = np.array(operators.ic_types).reshape(-1, config.block_size)
    family = np.vectorize(labels.family_of(config.ic_mix).get)(names)
    for own in config.ic_mix:
        assert ((family == own.family).sum(1) == config.block_size // len(config.ic_mix)).all()
        per_block = np.stack([(names == variant).sum(1) for variant in own.variants])
        assert (np.ptp(per_block, axis=0) <= 1).all()
        assert np.ptp(per_block.sum(1)) <= 1


def test_labels_are_no_function_of_theta(profile, operators):
    """Another space with the same seed has the same labels; and they look independent."""
    seed, config = profile
    other = dataclasses.replace(config, dimensions=config.dimensions[::-1])
    elsewhere = build.build(seed, other)
    assert elsewhere.theta != operators.theta
    assert elsewhere.ic_types == operators.ic_types
    assert report.label_metrics(operators, config)["sample/ic_theta_p_value"] > 0.01


@pytest.mark.slow
def test_labels_look_independent_of_theta_over_seeds(profile):
    """The least of 15 p-values times 15 is below 0.05 once in twenty seeds."""
    seed, config = profile
    tables = (build.build(seed + i, config) for i in range(SEEDS))
    found = [report.label_metrics(table, config)["sample/ic_theta_p_value"] for table in tables]
    assert sum(p < 0.05 for p in found) <= 3  # more: once in 60 times, were they independent
    assert statistics.median(found) > 0.1


@pytest.mark.parametrize("grid_size", [32, pytest.param(128, marks=pytest.mark.slow)])
def test_initial_conditions_are_what_their_labels_promise(operators, grid_size):
    """All 10 000. A draw is the same function on every grid, so the coarse one says as much."""
    variances: dict[str, list[float]] = {}
    coarse = dataclasses.replace(operators, grid_size=grid_size)
    for index, variant in enumerate(operators.ic_types):
        u0 = engine.initial_condition(coarse, index)
        variances.setdefault(variant, []).extend(measure.variance(u0).tolist())
        band = families.lookup(variant).band
        if band is not None:
            assert (measure.band_purity(u0, band) >= 0.95).all(), index
        assert (measure.non_flatness(u0) > 0.05).all(), index
    for variant, found in variances.items():
        expected = families.lookup(variant).variance
        if expected is not None:
            assert np.mean(found) == pytest.approx(expected, rel=0.02), variant
    assert {families.lookup(f"grf_{v}").variance for v in ("0.25", "0.5", "1", "2", "4")} == {
        0.25, 0.5, 1, 2, 4,
    }  # fmt: skip


def test_the_design_is_five_times_better_than_random_points(operators):
    found = quality.discrepancy(operators.unit)
    assert found < 0.21 * quality.expected_discrepancy(COUNT, FREE)
    assert quality.max_abs_correlation(operators.unit) < 0.004
    rng = np.random.default_rng(0)
    random = [quality.max_abs_correlation(rng.random((COUNT, FREE))) for _ in range(20)]
    assert min(random) > 0.015


@pytest.mark.slow
def test_medians_over_seeds_are_at_the_earlier_works_level(profile):
    """Discrepancy 5.15e-4, as there; the largest |r| has a median of 0.0022, there it is 0.0016."""
    seed, config = profile
    points = [build.build(seed + i, config).unit for i in range(SEEDS)]
    assert statistics.median(map(quality.discrepancy, points)) <= 5.15e-4
    correlations = sorted(map(quality.max_abs_correlation, points))
    assert correlations[0] < 0.0016
    assert statistics.median(correlations) < 0.0025
