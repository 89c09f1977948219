"""The critical Ising model against its exact solution."""

import numpy as np
import pytest

from initial_condition_cases import fields, modes, wave_vectors
from spinlock import randomness
from spinlock.initial_conditions import critical

SIZE = critical.LATTICE


@pytest.fixture(scope="module")
def spins():
    streams = [randomness.stream(seed, "initial_condition/0", 0) for seed in range(80)]
    return np.concatenate([critical.ising(3, rng) for rng in streams]).astype(float)


def near(samples, truth, deviations=3.5):
    return abs(samples.mean() - truth) < deviations * samples.std() / np.sqrt(samples.size)


def test_neighbors_agree_as_much_as_in_the_exact_solution(spins):
    """1/√2 (Onsager 1944) and the correction of the torus (Ferdinand and Fisher 1969)."""
    bonds = [(spins * np.roll(spins, 1, axis)).mean((1, 2)) for axis in (1, 2)]
    assert near(np.mean(bonds, 0), 1 / np.sqrt(2) + 0.3112 / SIZE)


def test_the_magnetization_has_the_critical_size(spins):
    """⟨m²⟩ = 1.0922 n^-1/4 (Salas and Sokal 2000)."""
    assert near(spins.mean((1, 2)) ** 2, 1.0922 * SIZE**-0.25)
    assert near(spins.mean((1, 2)), 0.0)


@pytest.fixture(scope="module")
def fluctuations():
    return {size: fields("critical_fluctuation", 180, size) for size in (32, 64)}


@pytest.mark.parametrize("size", [32, 64])
def test_the_power_of_fluctuations_falls_with_the_exponent_seven_quarters(fluctuations, size):
    power = (np.abs(modes(fluctuations[size])) ** 2).mean(0)
    k = np.hypot(*wave_vectors(size))
    power *= np.exp((2 * np.pi * k * critical.COARSENING / SIZE) ** 2)
    shells = [np.abs(k - shell) < 0.5 for shell in range(1, 7)]
    points = np.log([(k[shell].mean(), power[shell].mean()) for shell in shells])
    assert np.polyfit(*points.T, 1)[0] == pytest.approx(-1.75, abs=0.15)


@pytest.mark.parametrize("size", [32, 64])
def test_local_magnetization_stays_between_the_spins_and_has_either_sign(fluctuations, size):
    u = fluctuations[size]
    assert np.abs(u).max() < 1.01
    assert u.std((1, 2)).min() > 0.1
    assert 0.3 < (u.mean((1, 2)) > 0).mean() < 0.7
