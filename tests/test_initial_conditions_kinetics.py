"""Turing's wavenumber, the phase singularities of spiral waves, the two states of a switch."""

import numpy as np
import pytest

from initial_condition_cases import fields, modes, wave_vectors
from spinlock import randomness
from spinlock.initial_conditions import kinetics

SIZES = [32, 64]


def spectrum(u):
    """Power of each mode without the mean, and the wavenumber."""
    power = np.abs(modes(u)) ** 2
    power[..., 0, 0] = 0
    return power, np.hypot(*wave_vectors(u.shape[-1]))


def mean_wavenumber(u):
    power, k = spectrum(u)
    return (power * k).sum((-2, -1)) / power.sum((-2, -1))


def grown(wavenumber, quadratic=0.0, count=6):
    rng = np.random.Generator(np.random.Philox(0))
    noise = 0.5 * rng.standard_normal((2, count, kinetics.LATTICE, kinetics.LATTICE))
    return kinetics.turing(noise, np.full(count, wavenumber), np.full(count, quadratic))


def fastest_growing(diffusion):
    """The squared wavenumber of largest growth, by brute force over the linearized equations."""
    squares = np.linspace(0, 2, 2001)
    linear = np.array([[kinetics.ACTIVATION, 1.0], [-kinetics.ACTIVATION, kinetics.INHIBITION]])
    matrices = linear - squares[:, None, None] * np.diag([diffusion, 1.0])
    return squares[np.linalg.eigvals(matrices).real.max(-1).argmax()]


@pytest.mark.parametrize("wavenumber", [4.0, 5.0, 6.0])
def test_turing_patterns_have_the_wavenumber_of_linear_theory(wavenumber):
    u = grown(wavenumber)
    power, k = spectrum(u)
    ring = np.abs(k - wavenumber) < 0.3 * wavenumber
    assert mean_wavenumber(u).mean() == pytest.approx(wavenumber, rel=0.06)
    assert (power * ring).sum() > 0.85 * power.sum()


def test_the_diffusion_that_sets_the_wavenumber_is_that_of_the_fastest_wave(monkeypatch):
    root = np.sqrt(kinetics.DIFFUSION_RATIO)
    closed = np.sqrt(kinetics.ACTIVATION) * (root + 1 / root)
    closed += kinetics.INHIBITION - kinetics.ACTIVATION
    closed /= 1 - kinetics.DIFFUSION_RATIO
    assert closed == pytest.approx(fastest_growing(kinetics.DIFFUSION_RATIO), abs=1e-3)
    monkeypatch.setattr(kinetics, "DIFFUSION_RATIO", 0.9)  # equal diffusion: no instability
    assert grown(5.0).std() < 0.1


def test_turing_patterns_are_spots_of_the_sign_of_their_quadratic_term():
    def skewness(quadratic):
        u = grown(5.0, quadratic)
        u = u - u.mean((-2, -1), keepdims=True)
        return (u**3).mean() / u.std() ** 3

    assert skewness(1.0) > 0.5
    assert skewness(-1.0) < -0.5
    assert abs(skewness(0.0)) < 0.1


@pytest.mark.parametrize("size", SIZES)
def test_turing_patterns_are_rings_of_power_at_every_wavenumber_and_saturated(size):
    u = fields("turing_pattern", 60, size)
    power, k = spectrum(u)
    mean = mean_wavenumber(u)
    ring = np.abs(k - mean[:, None, None]) < 0.35 * mean[:, None, None]
    assert ((power * ring).sum((-2, -1)) / power.sum((-2, -1))).min() > 0.75
    assert mean.min() == pytest.approx(kinetics.WAVENUMBER[0], abs=0.6)
    assert mean.max() == pytest.approx(kinetics.WAVENUMBER[1], abs=0.6)
    assert u.std((-2, -1)).min() > 0.95
    assert u.std((-2, -1)).max() < 1.5


def waves(count):
    streams = [randomness.stream(seed, "initial_condition/0", 0) for seed in range(count)]
    return np.concatenate([kinetics.spirals(3, rng) for rng in streams])


def charges(state):
    """Turns of the phase around each square of the lattice."""

    def step(axis):
        ahead = np.angle(np.roll(state, -1, axis) / state)
        return ahead - np.roll(ahead, -1, -3 - axis)

    return np.round((step(-1) - step(-2)) / (2 * np.pi)).astype(int)


def test_spirals_turn_once_around_their_cores_in_pairs_of_opposite_sense():
    charge = charges(waves(20))
    assert set(np.unique(charge)) == {-1, 0, 1}
    assert (charge.sum((-2, -1)) == 0).all()
    cores = np.abs(charge).sum((-2, -1))
    assert (cores >= 2).mean() > 0.95
    assert 4 < cores.mean() < 9  # π⟨k²⟩ zeros of the field of the start, less those that met
    assert len(set(cores)) >= 3


def test_spirals_obey_the_relation_of_plane_waves_away_from_their_cores():
    """1 - |A|² = (ℓq)² h coth h with steps of h: one length ℓ all over, from its range."""
    state = waves(20)
    slopes = [np.fft.ifft2(2j * np.pi * k * np.fft.fft2(state)) / state for k in wave_vectors(48)]
    square = np.square([slope.imag for slope in slopes]).sum(0)
    lack = (1 - np.abs(state) ** 2) * np.tanh(kinetics.SPIRAL_STEP) / kinetics.SPIRAL_STEP
    steep = (square > np.quantile(square, 0.5, (-2, -1), keepdims=True)) & (lack < 0.25)
    lengths = np.sqrt(np.where(steep, lack, np.nan) / square)
    middle = np.nanmedian(lengths, (-2, -1))
    low, high = kinetics.DIFFUSION_LENGTH
    assert 0.95 * low < middle.min() < 1.05 * low
    assert 0.95 * high < middle.max() < 1.05 * high
    assert (np.nanmedian(np.abs(lengths / middle[:, None, None] - 1), (-2, -1)) < 0.08).all()


@pytest.mark.parametrize("size", SIZES)
def test_spiral_waves_swing_between_minus_one_and_one_about_zero(size):
    u = fields("bz_reaction", 45, size)
    assert np.abs(u).max() < 1.05
    assert abs(u.mean()) < 0.1
    assert (u**2).mean() == pytest.approx(0.45, abs=0.05)  # just below that of a cosine


@pytest.mark.parametrize("size", SIZES)
def test_switches_fall_into_the_two_stable_states_of_their_network(size):
    u = fields("regulatory_network", 90, size)
    low, high = u.min((-2, -1)), u.max((-2, -1))
    np.testing.assert_allclose(low * high, 1, atol=0.06)
    assert (low + high).min() == pytest.approx(kinetics.SYNTHESIS[0], abs=0.15)
    assert (low + high).max() == pytest.approx(kinetics.SYNTHESIS[1], abs=0.15)


@pytest.mark.parametrize("size", SIZES)
def test_most_of_a_tissue_of_switches_has_decided_and_both_states_are_there(size):
    u = fields("regulatory_network", 90, size)
    low, high = u.min((-2, -1), keepdims=True), u.max((-2, -1), keepdims=True)
    place = (u - low) / (high - low)
    assert (np.abs(place - 0.5) < 0.25).mean() < 0.25
    assert ((place > 0.5).mean((-2, -1)) > 0.1).all()
    assert ((place > 0.5).mean((-2, -1)) < 0.9).all()
