"""Every initial condition is what its name says: measured by oracles that know no generator."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spinlock import randomness
from spinlock.initial_conditions import families, measure, spectral
from spinlock.refusals import Refusal

variants = st.sampled_from(list(families.VARIANTS))


def drawn(variant, seed, channels=3, grid_size=32):
    rng = randomness.stream(seed, "initial_condition/0", 0)
    return families.draw(variant, channels, grid_size, rng)


def many(variant, count, grid_size=32):
    return torch.stack([drawn(variant, seed, 3, grid_size) for seed in range(count)])


def mode_power(fields):
    """Mean of |û_k|² over everything but the wavenumber, and |k|, by the full transform."""
    modes = np.abs(np.fft.fft2(fields.double().numpy(), norm="forward")) ** 2
    k = np.fft.fftfreq(fields.shape[-1], 1 / fields.shape[-1])
    return modes.reshape(-1, *modes.shape[-2:]).mean(0), np.hypot(k[:, None], k[None, :])


@given(variant=variants, seed=st.integers(0, 99), channels=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_fields_are_finite_float32_and_their_channels_differ(variant, seed, channels):
    u0 = drawn(variant, seed, channels)
    assert u0.shape == (channels, 32, 32)
    assert u0.dtype == torch.float32
    assert torch.isfinite(u0).all()
    assert (measure.variance(u0) > 1e-3).all()
    assert all((u0[a] != u0[b]).any() for a in range(channels) for b in range(a))


@pytest.mark.parametrize("variant", families.VARIANTS)
@pytest.mark.parametrize("size", [32, 64])
def test_every_variant_is_of_order_one_not_flat_and_new_in_every_draw(variant, size):
    u0 = many(variant, 8, size)
    deviation = measure.variance(u0).sqrt()
    assert 0.1 < deviation.min() <= deviation.max() < 3
    assert u0.abs().max() < 20
    assert measure.non_flatness(u0).min() > 0.15
    every = u0.flatten(0, 1).flatten(1)
    assert len(every.unique(dim=0)) == len(every)
    assert torch.equal(u0, many(variant, 8, size))


@given(variant=variants, seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_same_stream_is_the_same_function_on_a_finer_grid(variant, seed):
    coarse, fine = drawn(variant, seed, 2, 32), drawn(variant, seed, 2, 96)
    torch.testing.assert_close(fine[:, ::3, ::3], coarse, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("label", ["grf_0.25", "grf_0.5", "grf_1", "grf_2", "grf_4"])
def test_random_fields_have_their_variance_in_the_mean_and_scatter_about_it(label):
    ratio = measure.variance(many(label, 200)) / float(label.removeprefix("grf_"))
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / math.sqrt(ratio.numel()) < 0.04
    assert 0.08 < ratio.std() < 0.25


def test_random_fields_have_the_covariance_of_their_formula():
    power, k = mode_power(many("grf_1", 400))
    for low, high in [(1, 2), (2, 4), (4, 7), (7, 10), (10, 13)]:
        shell = (low <= k) & (k < high)
        law = (k**2 + 9) ** -2.0
        law = law / law[(k >= 1) & (k < 13)].sum()
        assert power[shell].sum() == pytest.approx(law[shell].sum(), rel=0.06)
    assert power[(k < 1) | (k >= 13)].sum() < 1e-12


def test_random_fields_are_normal_at_a_point():
    values = many("grf_1", 400)[:, :, 5, 7].double().flatten()
    assert abs((values**4).mean() / (values**2).mean() ** 2 - 3) < 0.6


@pytest.mark.parametrize(("band", "edges"), spectral.BANDS.items())
def test_band_limited_power_lies_in_its_band_and_is_white_there(band, edges):
    fields = many(f"band_limited_{band}", 200)
    assert measure.band_purity(fields, edges).min() > 0.999
    power, k = mode_power(fields)
    inside = power[(edges[0] <= k) & (k < edges[1])]
    assert power.sum() == pytest.approx(1.0, rel=0.05)
    assert inside.min() > 0.6 * inside.mean()
    assert inside.max() < 1.5 * inside.mean()


@given(seed=st.integers(0, 500))
@settings(max_examples=40, deadline=None)
def test_sinusoids_are_one_to_five_waves_of_integer_wavenumber(seed):
    power, k = mode_power(drawn("sinusoids", seed, 1))
    present = power > 1e-9
    assert 2 <= present.sum() <= 10  # a real wave has two modes
    assert k[present].min() >= 1
    assert k[present].max() <= 6


def test_sinusoids_have_every_number_of_waves_and_unit_variance():
    fields = many("sinusoids", 200)
    waves = (torch.fft.fft2(fields.double(), norm="forward").abs() > 1e-5).sum((-2, -1)) // 2
    assert set(waves.flatten().tolist()) == {1, 2, 3, 4, 5}
    assert measure.variance(fields).mean() == pytest.approx(1.0, rel=0.05)


def test_localized_fields_are_one_to_six_peaks_on_an_empty_domain():
    counts = []
    for field in many("localized", 100, 64).flatten(0, 1).abs().numpy():
        peaks = (field == ndimage.maximum_filter(field, 5, mode="wrap")) & (field > 0.9)
        counts.append(int(peaks.sum()))
        assert (field > 0.6).mean() < 0.4
    assert set(counts) == {1, 2, 3, 4, 5, 6}


def test_localized_blobs_have_no_seam():
    fields = many("localized", 200).double()
    steps = (fields.roll(-1, -1) - fields).square().mean((0, 1, 2))
    assert steps[-1] == pytest.approx(float(steps.mean()), rel=0.35)


def test_purity_and_non_flatness_know_bad_cases():
    white = torch.from_numpy(np.random.Generator(np.random.Philox(0)).normal(size=(20, 64, 64)))
    assert measure.non_flatness(white).max() < 0.1
    share = math.pi * (8**2 - 4**2) / 64**2
    purity = measure.band_purity(white, (4.0, 8.0))
    assert purity.mean() == pytest.approx(share, rel=0.1)


def test_a_wave_outside_the_band_counts_by_its_power():
    x = torch.arange(32) / 32
    field = torch.cos(2 * math.pi * 5 * x) + 0.5 * torch.cos(2 * math.pi * 10 * x) + 3
    purity = measure.band_purity(field.expand(32, 32), (4.0, 8.0))
    assert float(purity) == pytest.approx(1 / 1.25)


def test_metrics_name_each_variant_that_is_present_and_take_the_worst_purity():
    u0 = torch.stack([drawn("band_limited_low", 0), drawn("band_limited_high", 0)])
    found = measure.metrics(u0, ["band_limited_low", "band_limited_low"])
    assert found["generate/ic_band_purity_band_limited_low"] < 1e-6
    assert set(measure.metrics(u0[:1], ["grf_1"])) == {
        "generate/ic_variance_grf_1",
        "generate/ic_non_flatness_grf_1",
    }


def test_families_partition_the_variants():
    counted = [families.family(variant) for variant in families.VARIANTS]
    several = {"gaussian_random_field": 5, "band_limited": 3}
    assert {name: counted.count(name) for name in counted} == {
        name: several.get(name, 1) for name in counted
    }
    assert all(families.family(name) == name for name in set(counted) - set(several))


def test_unknown_variants_and_coarse_grids_are_refused_in_one_line():
    with pytest.raises(Refusal, match="'grf_3'.*grf_4.*localized"):
        drawn("grf_3", 0)
    with pytest.raises(Refusal, match=r"sample\.grid_size.* 12 cycles.* 24 points, got 16"):
        drawn("band_limited_high", 0, 1, 16)
