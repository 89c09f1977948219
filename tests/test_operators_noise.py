"""Noise fields have unit variance and the correlation they are asked for."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import table, theta
from spinlock.operators import noise
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
