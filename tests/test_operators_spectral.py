"""Spectral mixing: its limits for strong and weak fields, and its symmetries."""

import cmath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock.operators import spectral

IDENTITY = torch.eye(2, dtype=torch.complex64).expand(3, 2, 2)  # three groups of two channels


def field(size, seed=0):
    return torch.randn(2, 6, size, size, generator=torch.Generator().manual_seed(seed))


def matrices(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, 2, 2, dtype=torch.complex64, generator=generator) for _ in range(2)]


def low_pass(x, modes):
    """Only the wavenumbers up to `modes` of a field, by the full spectrum."""
    k = np.abs(np.fft.fftfreq(x.shape[-1], 1 / x.shape[-1])) <= modes
    return torch.from_numpy(np.fft.ifft2(np.fft.fft2(x) * np.outer(k, k)).real).float()


@pytest.mark.parametrize("size", [4, 7, 8])
@pytest.mark.parametrize("modes", [0, 1, 2, 3, 4, 9])
def test_a_strong_field_passes_the_shrinkage(size, modes):
    x = 1e4 * field(size)
    found = spectral.mix(x, IDENTITY, IDENTITY, modes)
    torch.testing.assert_close(found, low_pass(x, modes), atol=0.1, rtol=1e-4)


def test_a_weak_field_is_shrunk_with_its_third_power():
    first, second = matrices(1)
    weak, weaker = (spectral.mix(size * field(8), first, second, 2) for size in (1e-2, 5e-3))
    torch.testing.assert_close(weaker * 8, weak, atol=1e-2 * float(weak.abs().max()), rtol=0)


@given(phase=st.floats(0, 6.3), seed=st.integers(0, 100))
def test_the_shrinkage_sees_no_phase(phase, seed):
    first, second = matrices(seed)
    turn, x = cmath.exp(1j * phase), field(8, seed)
    torch.testing.assert_close(
        spectral.mix(x, first * turn, second / turn, 3),
        spectral.mix(x, first, second, 3),
        atol=1e-4,
        rtol=1e-4,
    )


def test_groups_of_channels_do_not_see_each_other():
    first, second = matrices(2)
    x, touched = field(8), field(8)
    touched[:, 2:4] += 1.0
    touched[:, 2:4, 3] *= 2.0
    change = spectral.mix(touched, first, second, 2) - spectral.mix(x, first, second, 2)
    assert (change.abs().amax((0, 2, 3)) > 1e-3).tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("modes", [1, 4])
def test_it_commutes_with_every_translation(modes):
    first, second = matrices(3)
    x, shift = field(8), (3, 5)
    torch.testing.assert_close(
        spectral.mix(x.roll(shift, (-2, -1)), first, second, modes),
        spectral.mix(x, first, second, modes).roll(shift, (-2, -1)),
        atol=1e-5,
        rtol=1e-4,
    )
