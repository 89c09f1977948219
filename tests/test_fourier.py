"""Parseval, plane waves and derivatives in closed form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock import fourier


def wave(size: int, ky: int, kx: int, phase: float = 0.3) -> torch.Tensor:
    x = torch.arange(size, dtype=torch.float64) / size
    return torch.cos(2 * math.pi * (ky * x[:, None] + kx * x[None, :]) + phase)


def noise(size: int, seed: int) -> torch.Tensor:
    return torch.randn(
        2, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


@given(size=st.sampled_from([7, 8, 16, 33]), seed=st.integers(0, 99))
def test_the_modes_share_out_the_mean_square(size, seed):
    u = noise(size, seed)
    total = fourier.power_spectrum(u).sum((-1, -2))
    torch.testing.assert_close(total, u.square().mean((-1, -2)))


@given(size=st.sampled_from([16, 32]), ky=st.integers(-7, 7), kx=st.integers(1, 7))
def test_a_plane_wave_has_its_power_at_its_wavenumber(size, ky, kx):
    power = fourier.power_spectrum(wave(size, ky, kx))
    ys, xs, k = fourier.wavenumbers(size, dtype=torch.float64)
    where = (ys == ky) & (xs == kx)
    assert power[where].item() == pytest.approx(0.5)
    assert power[~where].abs().max() < 1e-12
    assert k[where].item() == pytest.approx(math.hypot(ky, kx))


@given(ky=st.integers(-3, 3), kx=st.integers(1, 3))
def test_derivatives_of_a_plane_wave_converge_at_second_order(ky, kx):
    errors = []
    for size in (32, 64):
        u = wave(size, ky, kx)
        exact = -((2 * math.pi) ** 2) * (ky**2 + kx**2) * u
        errors.append((fourier.laplacian(u) - exact).abs().max())
        dy, dx = fourier.gradient(u)
        assert dy.abs().max() <= 2 * math.pi * abs(ky) + 1e-9
        assert dx.abs().max() <= 2 * math.pi * abs(kx) + 1e-9
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_the_gradient_points_the_right_way():
    u = wave(64, 0, 1, phase=-math.pi / 2)  # sin 2πx
    dy, dx = fourier.gradient(u)
    assert dy.abs().max() < 1e-12
    assert dx[0, 0].item() == pytest.approx(2 * math.pi, rel=0.01)


def test_a_rectangle_is_refused():
    with pytest.raises(ValueError, match="square, got 4x8"):
        fourier.power_spectrum(torch.zeros(4, 8))
