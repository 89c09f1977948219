"""No signal beyond the light cone; moving packets are contracted."""

import numpy as np
import pytest

from initial_condition_cases import analytic, fields, modes, strongest, wave_vectors
from spinlock.initial_conditions import relativity

SIZES = [32, 64]


def flash(u):
    """Center and age of the one flash in a field, from its lowest modes' phases and amplitudes."""
    size = len(u)
    y, x = wave_vectors(size)
    source = np.exp(-2 * (np.pi * relativity.FLASH_WIDTH) ** 2 * (y**2 + x**2))
    wave = modes(u) / modes(u)[0, 0] / source
    phase = np.array([np.angle(wave[1, 0]), np.angle(wave[0, 1])])
    ages = np.linspace(*relativity.ELAPSED, 2000)
    low = np.hypot(y, x) <= 5
    lengths = np.hypot(y, x)[low]
    best = None
    for flip in np.ndindex(2, 2):
        center = -(phase + np.pi * np.array(flip)) / (2 * np.pi)
        real = (wave * np.exp(2j * np.pi * (y * center[0] + x * center[1])))[low].real
        errors = ((np.cos(2 * np.pi * ages[:, None] * lengths) - real) ** 2).sum(1)
        if best is None or errors.min() < best[0]:
            best = errors.min(), center % 1, ages[errors.argmin()]
    return best


def distance(size, center):
    points = np.arange(size) / size
    y, x = (np.abs((points - c + 0.5) % 1 - 0.5) for c in center)
    return np.hypot(y[:, None], x[None, :])


@pytest.mark.parametrize("size", SIZES)
def test_a_flash_is_seen_inside_its_light_cone_only(size, monkeypatch):
    monkeypatch.setattr(relativity, "FLASHES", (1, 1))
    ages = []
    for u in fields("light_cone", 60, size):
        error, center, age = flash(u)
        assert error < 1e-3  # every wave has traveled at the same speed
        r, w = distance(size, center), relativity.FLASH_WIDTH
        if age + 5 * w < 0.5:
            assert np.abs(u[r > age + 5 * w]).max() < 1e-4 * np.abs(u).max()
        assert np.abs(u[np.abs(r - age) < w]).max() > 0.2 * np.abs(u).max()
        ages.append(age)
    assert max(ages) - min(ages) > 0.15


@pytest.mark.parametrize("size", SIZES)
def test_flashes_keep_their_mean(size):
    """The mean of the field is Σ ± h 2πw²: the wave equation conserves it."""
    unit = 2 * np.pi * relativity.FLASH_WIDTH**2
    means = np.abs(fields("light_cone", 150, size).mean((1, 2))) / unit
    assert means.max() <= relativity.FLASHES[1] * relativity.FLASH_HEIGHT[1]


def momentum(u):
    """Mean wavenumber, and the ratio of its spreads along and across the mean."""
    strong = strongest(u)
    weights = np.abs(modes(analytic(u, *strong))) ** 2
    k = np.stack(wave_vectors(len(u)))
    mean = (weights * k).sum((1, 2)) / weights.sum()
    along = mean / np.hypot(*mean)
    across = np.array([-along[1], along[0]])
    spreads = [
        np.sqrt((weights * np.einsum("d,dyx->yx", e, k - mean[:, None, None]) ** 2).sum())
        for e in (along, across)
    ]
    return np.hypot(*mean), spreads[0] / spreads[1]


@pytest.mark.parametrize("size", SIZES)
def test_packets_are_contracted_as_their_momentum_tells(size):
    """γ from the spread of momentum, wider as the packet is shorter, is γ from k = m √(γ² - 1)."""
    found = np.array([momentum(u) for u in fields("relativistic_wave_packet", 150, size)])
    from_momentum = np.sqrt(1 + (found[:, 0] / relativity.MASS) ** 2)
    np.testing.assert_allclose(found[:, 1], from_momentum, rtol=0.01)
    assert found[:, 1].min() < 1.15
    assert found[:, 1].max() > 1.3
