"""Least uncertainty, shot noise and fringes."""

import numpy as np
import pytest

from initial_condition_cases import analytic, fields, modes, strongest, wave_vectors
from spinlock.initial_conditions import quantum

SIZES = [32, 64]


def spread(weights, values, axis):
    """Standard deviation of `values` along an axis under [H, W] weights."""
    marginal = weights.sum(1 - axis) / weights.sum()
    mean = (marginal * values).sum()
    return np.sqrt((marginal * (values - mean) ** 2).sum())


def uncertainty(u):
    """σ_x σ_k along both axes, and σ_x."""
    psi = analytic(u, *strongest(u))
    probability = np.abs(psi) ** 2
    peak = np.unravel_index(probability.argmax(), probability.shape)
    size = len(u)
    centered = np.roll(probability, (size // 2 - peak[0], size // 2 - peak[1]), (0, 1))
    momentum = np.fft.fftshift(np.abs(modes(psi)) ** 2)
    x, k = np.arange(size) / size, np.arange(size) - size // 2
    widths = [spread(centered, x, axis) for axis in (0, 1)]
    return [width * spread(momentum, k, axis) for axis, width in enumerate(widths)], widths


@pytest.mark.parametrize("size", SIZES)
def test_wave_packets_have_the_least_uncertainty(size):
    found = [uncertainty(u) for u in fields("quantum_wave_packet", 120, size)]
    products, widths = np.array([a for a, _ in found]), np.array([b for _, b in found])
    np.testing.assert_allclose(products, 1 / (4 * np.pi), rtol=0.001)
    np.testing.assert_allclose(widths[:, 0], widths[:, 1], rtol=0.02)
    assert widths.min() > 0.98 * quantum.PACKET_WIDTH[0]
    assert widths.max() < 1.02 * quantum.PACKET_WIDTH[1]


def quanta(size, count=600):
    """2 ω |û|² / s² of every mode and the brightest one's index, by the formula's own unit."""
    u = fields("coherent_state", count, size)
    k = np.hypot(*wave_vectors(size))
    inside = (k >= 1) & (k < 8)
    bright = (k >= 2) & (k < 4)
    half = (1 / k[inside]).sum() / 2 + quantum.QUANTA * (1 / k[bright]).mean()
    return np.abs(modes(u)) ** 2 * np.where(inside, k, 0) * 2 * half, k


@pytest.mark.parametrize("size", SIZES)
def test_coherent_states_are_one_bright_mode_with_the_noise_of_the_vacuum(size):
    """The mean n̄ + 1 and the variance 2 n̄ + 1 of |√n̄ + ξ|², not a thermal mode's n̄²."""
    found = quanta(size)[0].reshape(600, -1).max(1)
    assert found.mean() == pytest.approx(quantum.QUANTA + 1, rel=0.04)
    assert found.var() == pytest.approx(2 * quantum.QUANTA + 1, rel=0.2)


@pytest.mark.parametrize("size", SIZES)
def test_the_vacuum_has_one_half_quantum_in_every_mode(size):
    """E|û_k|² ∝ 1 / 2ω, whatever the bright mode holds."""
    found, k = quanta(size)
    found[found > 20] = np.nan
    mean = np.nanmean(found, 0)
    for low in range(1, 8):
        assert mean[(low <= k) & (k < low + 1)].mean() == pytest.approx(1, rel=0.08)


@pytest.mark.parametrize("size", SIZES)
def test_interference_has_fringes_at_differences_of_equal_wave_vectors_only(size):
    y, x = wave_vectors(size)
    squares = y**2 + x**2
    shells = [np.argwhere(squares == square) for square in quantum.SHELLS]
    allowed = []
    for shell in shells:
        on = np.zeros((size, size), dtype=bool)
        on[tuple(((shell[:, None] - shell[None]) % size).reshape(-1, 2).T)] = True
        allowed.append(on)
    for u in fields("interference_pattern", 120, size):
        power = np.abs(modes(u)) ** 2
        assert max(power[on].sum() for on in allowed) == pytest.approx(power.sum())
        assert u.min() >= -1 - 1e-12
        assert abs(u.mean()) < 1e-12


def test_interference_contrast_is_that_of_its_number_of_waves():
    u = fields("interference_pattern", 600)
    variance = u.var((1, 2))
    assert variance.mean() == pytest.approx(np.mean([1 - 1 / j for j in range(2, 7)]), rel=0.04)
    young = (np.abs(modes(u)) > 1e-9).sum((1, 2)) == 2
    assert 60 < young.sum() < 180  # two waves in five
    np.testing.assert_allclose(variance[young], 0.5)
