"""Field errors on cases whose value is known, and where they must be bad."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spinlock.evaluation import fields
from spinlock.fourier import power_spectrum
from spinlock.noa import validation

sizes = st.sampled_from([8, 16, 24])
seeds = st.integers(0, 10**6)


def field(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def vrmse(predicted, truth):
    squared = (predicted - truth).square().mean((-1, -2))
    return fields.vrmse(squared, truth.var((-1, -2), correction=0))


def deviation_power(u):
    return fields.band_power(u)[..., 1:]


def octaves(predicted, truth):
    return fields.spectral_octaves(deviation_power(predicted), deviation_power(truth))


def spectral_error(predicted, truth):
    return fields.spectral_error(deviation_power(predicted - truth), deviation_power(truth))


def wave(size, k):
    x = torch.arange(size, dtype=torch.float64) / size
    return torch.sin(2 * torch.pi * k * x)[None].expand(size, size).clone()


@given(size=sizes, seed=seeds)
@settings(max_examples=20, deadline=None)
def test_vrmse_is_zero_for_the_truth_and_one_for_its_mean(size, seed):
    u = 5 + field(3, size, size, seed=seed)
    assert (vrmse(u, u) == 0).all()
    mean = u.mean((-1, -2), keepdim=True).expand_as(u)
    torch.testing.assert_close(vrmse(mean, u), torch.ones(3).double(), atol=1e-5, rtol=0)


def test_vrmse_on_hand_made_fields():
    u = wave(16, 2)  # variance 1/2
    assert vrmse(u + 1, u).item() == pytest.approx(2**0.5, rel=1e-6)
    assert vrmse(-u, u).item() == pytest.approx(2.0, rel=1e-6)
    assert vrmse(torch.zeros_like(u) + 1, torch.zeros_like(u)).item() == pytest.approx(1e-7**-0.5)


def test_vrmse_is_the_wells_but_for_its_unbiased_variance():
    """The formulas of `the_well.benchmark.metrics`: MSE / (std² + 1e-7), std over the grid."""
    u, predicted = 2 + field(4, 16, 16), field(4, 16, 16, seed=1)
    mse = torch.mean((predicted - u) ** 2, dim=(-2, -1))
    theirs = torch.sqrt(mse / (torch.std(u, dim=(-2, -1)) ** 2 + 1e-7))
    torch.testing.assert_close(vrmse(predicted, u), theirs * (256 / 255) ** 0.5)


@given(scale=st.floats(0.5, 100), shift=st.floats(-5, 5), seed=seeds)
@settings(max_examples=20, deadline=None)
def test_vrmse_does_not_depend_on_units(scale, shift, seed):
    u, v = field(2, 12, 12, seed=seed).unbind(0)
    torch.testing.assert_close(
        vrmse(scale * v + shift, scale * u + shift), vrmse(v, u), rtol=1e-5, atol=0
    )


@given(size=sizes, seed=seeds)
@settings(max_examples=20, deadline=None)
def test_bands_share_out_the_mean_square(size, seed):
    u = field(2, size, size, seed=seed)
    torch.testing.assert_close(fields.band_power(u).sum(-1), u.square().mean((-1, -2)))
    torch.testing.assert_close(power_spectrum(u).sum((-1, -2)), fields.band_power(u).sum(-1))
    variance = u.var((-1, -2), correction=0)
    torch.testing.assert_close(deviation_power(u + 3).sum(-1), variance)


@pytest.mark.parametrize(("k", "band"), [(1, 0), (2, 0), (3, 1), (6, 1), (7, 2), (15, 2)])
def test_a_wave_lies_in_the_band_of_its_wavenumber(k, band):
    power = deviation_power(wave(32, k))  # edges 2.52 and 6.35
    assert power.argmax().item() == band
    assert power.sum().item() == pytest.approx(power[band].item(), rel=1e-9)


def test_a_spectrum_scaled_by_two_is_one_octave_off_in_every_band():
    u = field(32, 32, seed=3)
    doubled = (u - u.mean()) * 2**0.5 + u.mean()
    found, error = octaves(doubled, u), spectral_error(doubled, u)
    torch.testing.assert_close(found, torch.ones(3).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(error, torch.full((3,), 2**0.5 - 1).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(octaves(u, doubled), found)


def test_a_shifted_pattern_has_the_right_spectrum_and_the_wrong_phase():
    u = field(32, 32, seed=4)
    moved = u.roll((5, 9), (0, 1))
    torch.testing.assert_close(octaves(moved, u), torch.zeros(3).double())
    assert (spectral_error(moved, u) > 0.5).all()


def test_quiescent_channels_do_not_count():
    u = torch.zeros(2, 2, 8, 8)
    u[:, 0] = field(2, 8, 8).float()
    predicted = u + 0.1
    found = fields.score(predicted, u)
    assert (found.quiescent == 0.5).all()
    torch.testing.assert_close(found.vrmse, vrmse(predicted[:, 0], u[:, 0]))
    torch.testing.assert_close(
        found.spectral_error, spectral_error(predicted[:, 0], u[:, 0]), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(found.mse, torch.full((2,), 0.01))


def test_training_chooses_the_agent_by_the_same_error():
    u, predicted = field(2, 5, 3, 8, 8, seed=6).float().unbind(0)
    found = validation.vrmse(predicted[None], u[None])[0]
    torch.testing.assert_close(fields.score(predicted, u).vrmse, found, rtol=1e-4, atol=0)


def test_missing_truth_has_no_error_and_a_broken_prediction_an_infinite_one():
    u = field(3, 2, 8, 8).float()
    predicted = u.clone()
    predicted[1, 0, 3, 3] = torch.nan
    predicted[2, :, 0, 0] = torch.inf
    truth = u.clone()
    truth[2] = torch.nan
    found = fields.score(predicted, truth)
    assert found.vrmse[0] == 0
    assert found.vrmse[1] == torch.inf
    assert found.vrmse[2].isnan()
    assert found.mse[1] == torch.inf
    assert found.mse[2].isnan()
    assert found.spectral_error[1].isinf().all()
    assert found.spectral_octaves[2].isnan().all()


def test_valid_time_is_the_first_step_above_the_threshold():
    curve = torch.tensor([[0.1, 0.6, 0.2], [0.6, 0.1, 0.1], [0.1, 0.1, 0.5]])
    assert fields.valid_steps(curve, 0.5).tolist() == [2, 1, 4]
    assert fields.valid_steps(torch.tensor([torch.nan, torch.inf]), 0.5).item() == 2


def test_bounded_means_finite_and_small():
    u = torch.zeros(2, 1, 4, 4)
    assert fields.bounded(u, 1.0)
    for bad in (2.0, -2.0, torch.nan, torch.inf):
        v = u.clone()
        v[1, 0, 0, 0] = bad
        assert not fields.bounded(v, 1.0)


def test_a_truth_that_ends_early_is_valid_no_longer_than_it_lasts():
    curve = torch.tensor([[0.1, 0.2, torch.nan, torch.nan], [torch.nan] * 4])
    found = fields.valid_steps(curve, 0.5)
    assert found[0] == 3
    assert found[1].isnan()
