"""The three losses: their values, and where their gradients go."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import noa_cases
from spinlock.cleaning import raw
from spinlock.features import extract
from spinlock.noa import losses
from spinlock.noa.training import Data


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    return noa_cases.data(tmp_path_factory.mktemp("noa"))


@pytest.fixture(scope="module")
def truth(data) -> tuple[torch.Tensor, torch.Tensor]:
    """u and u0 of four training operators."""
    frames = data.train.fields[:4, 0]
    return frames[:, 1:], frames[:, 0]


@given(scale=st.floats(0.01, 100), horizon=st.integers(1, 4))
def test_one_step_of_nothing_changes_costs_one_in_the_unit_of_the_increment(scale, horizon):
    generator = torch.Generator().manual_seed(0)
    u0 = torch.randn(2, 3, 4, 4, generator=generator)
    increment = torch.randn(2, 3, 4, 4, generator=generator) * scale
    unit = increment.square().mean((1, 2, 3))
    target = u0[:, None] + increment[:, None] * torch.arange(1, horizon + 1)[:, None, None, None]
    idle = u0[:, None].expand_as(target)
    expected = torch.arange(1, horizon + 1).square().float().mean().expand(2)
    unit = unit[:, None].expand(-1, horizon)
    torch.testing.assert_close(losses.trajectory(idle, target, unit), expected)
    assert (losses.trajectory(target, target, unit) == 0).all()


def test_a_perfect_prediction_costs_nothing_in_latents(data, truth):
    u, u0 = truth
    found = losses.alignment(u, u, u0, data.space)
    assert float(found.latent) == 0
    assert float(found.code) == 0


@pytest.mark.parametrize("commit_to", ["nearest", "target"])
@pytest.mark.parametrize("name", ["latent", "commitment", "code"])
def test_the_gradient_reaches_the_prediction_and_is_finite(data, truth, commit_to, name):
    u, u0 = truth
    predicted = (u + 0.1 * torch.randn(u.shape, generator=_generator())).requires_grad_()
    found = losses.alignment(predicted, u, u0, replace(data.space, commit_to=commit_to))
    (gradient,) = torch.autograd.grad(getattr(found, name), predicted)
    assert gradient.isfinite().all()
    assert (gradient.abs().amax((1, 2, 3, 4)) > 0).all()


def test_the_gradient_exists_far_from_the_truth(data, truth):
    u, u0 = truth
    predicted = (10 * u + 5).requires_grad_()
    found = losses.alignment(predicted, u, u0, data.space)
    (gradient,) = torch.autograd.grad(found.latent + found.commitment, predicted)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_the_nearest_codes_cost_least(data, truth):
    u, u0 = truth
    predicted = u + 0.5 * torch.randn(u.shape, generator=_generator())
    one_level = data.space.tokenizer.config.num_levels == 1
    near, far = (
        losses.alignment(predicted, u, u0, replace(data.space, commit_to=to)).commitment
        for to in ("nearest", "target")
    )
    # Residual levels choose greedily: their sum is the nearest one almost always.
    assert near <= far if one_level else near <= 1.05 * far
    same = losses.alignment(u, u, u0, replace(data.space, commit_to="target")).commitment
    torch.testing.assert_close(same, losses.alignment(u, u, u0, data.space).commitment)


def test_predictions_beyond_the_bound_are_masked_and_counted(data, truth):
    u, u0 = truth
    wild = u.clone()
    wild[0, -1] = 2 * data.space.bound
    wild[1, 0, 0, 0, 0] = torch.nan
    found = losses.alignment(wild, u + 0.1, u0, data.space)
    rest = losses.alignment(u[2:], u[2:] + 0.1, u0[2:], data.space)
    assert found.masked == 2
    torch.testing.assert_close(found.latent, rest.latent)
    torch.testing.assert_close(found.commitment, rest.commitment)


def test_if_all_are_beyond_the_bound_the_losses_are_zero_with_zero_gradient(data, truth):
    u, u0 = truth
    wild = torch.full_like(u, torch.inf).requires_grad_()
    found = losses.alignment(wild, u, u0, data.space)
    (gradient,) = torch.autograd.grad(found.latent + found.commitment, wild)
    assert found.masked == len(u)
    assert (gradient == 0).all()


def test_initial_categories_do_not_count(data, truth):
    u, u0 = truth
    before = losses.alignment(u + 0.1, u, u0, data.space)
    tokenizer = data.space.tokenizer
    initial = [category.isolated for category in tokenizer.layout.categories]
    assert any(initial)
    # Statistics that would make INITIAL latents dominate, if they were counted.
    kept = tokenizer.latent_std.clone()
    tokenizer.latent_std[initial] = 1e-6
    after = losses.alignment(u + 0.1, u, u0, data.space)
    tokenizer.latent_std.copy_(kept)
    assert torch.equal(before.latent, after.latent)


def test_features_of_the_truth_are_those_of_the_data(data, truth):
    u, u0 = truth
    cleaner = data.space.tokenizer.cleaner
    found = losses.single_view(u, u0, cleaner, None)
    groups = losses.groups(cleaner.summary.names), losses.groups(cleaner.temporal.names)
    summary, temporal = extract.describe(u, u0, *groups, None)
    expected = extract.single(summary)
    assert torch.equal(found.summary.isnan(), expected.isnan())
    assert torch.equal(found.summary.nan_to_num(), expected.nan_to_num())
    assert torch.equal(found.temporal.nan_to_num(), temporal.nan_to_num())


def test_features_of_the_truth_are_those_that_the_extract_stage_wrote(tmp_path):
    """Trajectory by trajectory; operator sensitivity, which has no part in the losses, apart."""
    data = noa_cases.data(tmp_path)
    stored = raw.read(tmp_path / "f.h5")
    cleaner = data.space.tokenizer.cleaner
    for realization in range(stored.realizations):
        kept = stored.single(realization).take(stored.metadata.rows("train"))
        frames = data.train.fields[:, realization]
        found = losses.single_view(frames[:, 1:], frames[:, 0], cleaner, None)
        for family in ("initial", "summary", "temporal"):
            ours, theirs = getattr(found, family), getattr(kept, family)
            assert torch.equal(ours.isnan(), theirs.isnan())
            torch.testing.assert_close(ours, theirs, equal_nan=True, rtol=1e-3, atol=1e-4)


def test_a_frozen_tokenizer_asks_for_no_gradient(data):
    assert not any(p.requires_grad for p in data.space.tokenizer.parameters())
    assert not data.space.tokenizer.training


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
