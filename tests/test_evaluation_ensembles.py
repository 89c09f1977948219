"""Scores of ensembles on cases with known values."""

import math

import pytest
import torch

import evaluation_case as case
import noa_cases
from spinlock.evaluation import ensembles
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=2)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_crps_of_one_member_is_the_absolute_error():
    members, truth = normal(1, 50), normal(50, seed=1)
    torch.testing.assert_close(ensembles.crps(members, truth), (members[0] - truth).abs())


@pytest.mark.parametrize("count", [2, 3, 8])
def test_fair_crps_of_the_right_distribution_does_not_depend_on_the_number_of_members(count):
    r"""For a standard normal truth and members it is $1 / \sqrt π$ (Gneiting & Raftery 2007)."""
    found = ensembles.crps(normal(count, 200_000), normal(200_000, seed=9)).mean()
    assert float(found) == pytest.approx(1 / math.sqrt(math.pi), rel=0.02)


def test_the_right_distribution_is_better_than_its_mean_and_than_a_wrong_one():
    members, truth = normal(8, 100_000), normal(100_000, seed=9)
    right = float(ensembles.crps(members, truth).mean())
    for wrong in (0 * members[:1], 0.3 * members, 3 * members, members + 1):
        assert float(ensembles.crps(wrong, truth).mean()) > right


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_spread_over_skill_is_one_where_truth_and_members_are_alike(scale):
    """Members of variance s² about a mean that the truth differs from by variance 1."""
    count = 4
    members, truth = scale * normal(count, 3, 2, 64, 64), normal(3, 2, 64, 64, seed=5)
    expected = math.sqrt((1 + 1 / count) * scale**2 / (1 + scale**2 / count))
    found = ensembles.spread_over_skill(members, truth)
    torch.testing.assert_close(found, torch.full((3,), expected), rtol=0.05, atol=0)


def test_one_member_has_no_spread():
    assert ensembles.spread_over_skill(normal(1, 3, 1, 4, 4), normal(3, 1, 4, 4)).isnan().all()


def test_metrics_have_a_value_for_every_kind_and_null_beyond_the_rollout(tmp_path):
    sources, agent = case.sources(tmp_path), noa_cases.agent()
    operators = sources.operators.take(sources.operators.rows("test")[:3])
    found = [ensembles.score(agent, sources.index, 3, operators.take([row])) for row in range(3)]
    metrics = ensembles.metrics(found, (1, 4, 99), HOW)
    assert metrics["ensemble_count"] == 3
    assert metrics["crps_4"] > 0
    assert metrics["crps_4_deterministic"] > metrics["crps_4_truth"] > 0
    assert metrics["spread_skill_4"] > 0
    assert metrics["spread_skill_4_truth"] is None  # of two realizations one is left
    assert "spread_skill_4_deterministic" not in metrics
    assert metrics["crps_99"] is None
    assert ensembles.metrics([], (1,), HOW)["crps_1"] is None
