"""Noise fields have unit variance and the correlation they are asked for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import table, theta
from spinlock.operators import draws, noise
from spinlock.operators.build import build
from spinlock.randomness import stream

lengths = st.floats(0, 0.5)
sizes = st.integers(4, 33)


@given(size=sizes, length=lengths)
def test_the_filter_keeps_the_expected_variance(size, length):
    response = noise.transfer(size, length)
    impulse = torch.zeros(size, size)
    impulse[0, 0] = 1.0
    kernel = noise.filtered(impulse, response)
    # Parseval: white noise through a kernel has the variance of the sum of its squares.
    assert float(kernel.square().sum()) == pytest.approx(1, abs=1e-4)


def test_length_zero_is_white():
    torch.testing.assert_close(noise.transfer(8, 0.0), torch.ones(8, 5))


@pytest.mark.parametrize("length", [0.05, 0.1])
def test_autocorrelation_is_the_gaussian_of_the_correlation_length(length):
    size = 64
    impulse = torch.zeros(size, size)
    impulse[0, 0] = 1.0
    kernel = noise.filtered(impulse, noise.transfer(size, length))
    for cells in (1, 3, 6):
        correlation = float((kernel * kernel.roll(cells, -1)).sum())
        expected = math.exp(-((cells / size) ** 2) / (2 * length**2))
        assert correlation == pytest.approx(expected, abs=2e-3)


def test_measured_variance_is_that_of_the_scale():
    operators = table(theta(noise_scale=0.3, spatial_correlation=0.15), grid_size=16)
    chance = build(operators, 0, "float32").chance
    fields = torch.cat([chance.at(step, 400, 4, 0).noise for step in range(1, 401)])
    # 4800 fields; about 5 independent patches each
    assert float(fields.square().mean()) == pytest.approx(0.09, rel=0.03)
    assert float(fields.mean()) == pytest.approx(0, abs=0.01)


@given(seed=st.integers(0, 2**31), channels=st.integers(1, 5), width=st.integers(1, 9))
def test_folded_noise_has_the_covariance_of_noise_on_every_hidden_channel(seed, channels, width):
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(channels, width, 1, 1, generator=generator)
    folded = noise.mixing(output)[:, :, 0, 0]
    plain = output[:, :, 0, 0]
    torch.testing.assert_close(folded @ folded.T, plain @ plain.T, atol=1e-4, rtol=1e-4)


def test_noise_enters_the_output_with_the_law_of_the_hidden_block():
    operator = build(
        table(theta(noise_scale=0.5, spatial_correlation=0.0, dropout_rate=0.0)), 0, "float32"
    )
    u = torch.zeros(200, 3, 8, 8)  # the hidden features of zero are zero
    out = operator.apply(u, operator.chance.at(1, 1, 200, 0))
    found = torch.cov(out.transpose(0, 1).flatten(1))
    plain = operator.output[:, :, 0, 0]
    torch.testing.assert_close(found, 0.25 * plain @ plain.T, atol=0.04, rtol=0.1)


def test_every_field_is_its_own_draw():
    chance = build(table(theta(spatial_correlation=0.0)), 0, "float32").chance
    fields = torch.cat([chance.at(step, 3, 2, draw).noise for step in (1, 2) for draw in (0, 1)])
    correlation = torch.corrcoef(fields.flatten(1)) - torch.eye(len(fields))
    assert correlation.abs().max() < 0.4  # 192 numbers each


def test_a_field_is_a_function_of_its_indices_alone():
    chance = build(table(theta(spatial_correlation=0.0)), 0, "float32").chance
    field = chance.at(5, 9, 3, 0).noise[2] / 0.1
    rng = stream(7, "noise/0", 0, realization=2, step=5)
    expected = rng.standard_normal((3, 8, 8), dtype=np.float32)
    torch.testing.assert_close(field, torch.from_numpy(expected))


def many(steps=60, **changes):
    """Noise of many steps and realizations, unit scale unless changed: 240 · F fields of 256."""
    parameters = theta(**{"noise_scale": 1.0, "spatial_correlation": 0.0} | changes)
    chance = build(table(parameters, grid_size=16), 0, "float32").chance
    return torch.cat([chance.at(step, steps, 4, 0).noise for step in range(1, steps + 1)]).double()


def excess_kurtosis(x):
    return float(x.pow(4).mean() / x.square().mean() ** 2 - 3)


@pytest.mark.parametrize(("kind", "expected"), [("gaussian", 0), ("laplace", 3)])
def test_white_noise_has_the_variance_and_the_tails_of_its_type(kind, expected):
    x = many(noise_type=kind)  # 184 320 numbers
    assert float(x.mean()) == pytest.approx(0, abs=0.01)
    assert float(x.square().mean()) == pytest.approx(1, abs=0.03)
    assert excess_kurtosis(x) == pytest.approx(expected, abs=0.3)


def test_filtered_laplace_noise_keeps_the_variance_and_loses_its_tails():
    x = many(noise_type="laplace", spatial_correlation=0.1)
    assert float(x.square().mean()) == pytest.approx(1, abs=0.06)
    # kurtosis of a sum of independent numbers: weighted with the fourth powers of the filter
    impulse = torch.zeros(16, 16)
    impulse[0, 0] = 1.0
    kernel = noise.filtered(impulse, noise.transfer(16, 0.1))
    expected = 3 * float(kernel.pow(4).sum())
    assert excess_kurtosis(x) == pytest.approx(expected, abs=0.15)
    assert expected < 0.5


def test_laplace_noise_keeps_the_covariance_of_the_hidden_block():
    operator = build(table(theta(noise_type="laplace", spatial_correlation=0.0)), 0, "float32")
    fields = operator.enter(torch.zeros(1), 3 * many(noise_type="laplace").float(), operator.mixing)
    plain = operator.output[:, :, 0, 0]
    found = torch.cov(fields.transpose(0, 1).flatten(1)) / 9
    torch.testing.assert_close(found, plain @ plain.T, atol=0.03, rtol=0.05)


@pytest.mark.parametrize("operator_type", ["cnn", "u_afno"])
def test_multiplicative_noise_scales_the_mean_output_exactly(operator_type):
    parameters = theta(noise_type="multiplicative", noise_scale=0.7, operator_type=operator_type)
    operator = build(table(parameters), 0, "float32")
    drawn = operator.chance.at(1, 4, 2, 0)
    u = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mean = operator.apply(u, draws.Draws(noise=torch.zeros(2, 1, 8, 8), masks=drawn.masks))
    assert drawn.noise.shape == (2, 1, 8, 8)
    assert torch.equal(operator.apply(u, drawn), mean * (1 + drawn.noise))
    zero = torch.zeros_like(u)  # the hidden features of zero are zero
    assert not operator.apply(zero, drawn).any()


@given(steps=st.integers(1, 300), period=st.floats(1, 1e4))
def test_annealing_falls_in_a_straight_line_to_zero(steps, period):
    shares = [noise.annealing(step, steps, period) for step in range(steps + 1)]
    assert (shares[0], shares[-1]) == (1, 0)
    np.testing.assert_allclose(np.diff(shares), -1 / steps, atol=1e-12)


@given(step=st.integers(1, 1000), period=st.floats(2, 200))
def test_the_periodic_schedule_is_the_raised_sine_of_its_period(step, period):
    share = noise.periodic(step, 1000, period)
    assert 0 <= share <= 1
    assert share == pytest.approx((1 + math.sin(2 * math.pi * step / period)) / 2)
    # half a period later it is the rest
    assert noise.periodic(step, 7, period) + noise.periodic(
        step + period / 2, 7, period
    ) == pytest.approx(1)


def test_the_constant_schedule_is_constant():
    assert {noise.constant(step, 9, 50.0) for step in range(1, 10)} == {1.0}


@pytest.mark.parametrize("schedule", ["annealing", "periodic"])
@pytest.mark.parametrize("kind", ["gaussian", "laplace", "multiplicative"])
def test_a_schedule_scales_the_noise_of_each_step(schedule, kind):
    scheduled, constant = (
        build(
            table(theta(noise_type=kind, noise_schedule=name, schedule_period=5.0)), 0, "float32"
        ).chance
        for name in (schedule, "constant")
    )
    for step in range(1, 7):
        share = noise.SCHEDULES[schedule](step, 6, 5.0)
        torch.testing.assert_close(
            scheduled.at(step, 6, 2, 0).noise, share * constant.at(step, 6, 2, 0).noise
        )
    if schedule == "annealing":
        assert not scheduled.at(6, 6, 2, 0).noise.any()
