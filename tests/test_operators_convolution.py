"""A prepared convolution is the convolution; its algorithm follows from its shape alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock.operators.convolution import Direct, in_fourier_space, periodic, plain
from spinlock.operators.tiles import Tiles

SHAPES = [(8, 3, 3, 3), (8, 6, 7, 7), (40, 40, 7, 7), (4, 4, 1, 1)]
ROUNDING = {"float32": 2e-6, "bfloat16": 8e-3}  # of factors and sums; bfloat16 has 8 bits


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_prepared_convolution_is_the_convolution(shape, precision):
    x, weight = draw(2, shape[1], 24, 24), draw(*shape)
    found, exact = periodic(weight, 24, precision)(x), plain(x.double(), weight.double())
    assert found.dtype == torch.float32
    assert (found - exact).norm() < ROUNDING[precision] * exact.norm()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (96, 96, 7, 7)], ids=str)
def test_the_shape_alone_chooses_the_algorithm(shape, precision):
    x, weight = draw(1, shape[1], 16, 16), draw(*shape)
    tiles = in_fourier_space(shape, 16, precision)
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    chosen = Tiles.of(weight, 16, dtype) if tiles else Direct.of(weight, precision)
    assert torch.equal(periodic(weight, 16, precision)(x), chosen(x))
    assert tiles is (shape[0] == 96)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_delta_kernel_returns_the_field(shape):
    size = shape[-1]
    weight = torch.zeros(2, 2, size, size)
    weight[[0, 1], [0, 1], size // 2, size // 2] = 1.0
    x = draw(1, 2, 16, 16)
    torch.testing.assert_close(periodic(weight, 16, "float32")(x), x)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@given(shift=st.tuples(st.integers(0, 15), st.integers(0, 15)))
def test_a_direct_convolution_commutes_with_shifts_to_the_bit(precision, shift):
    convolve, x = Direct.of(draw(8, 6, 5, 5), precision), draw(2, 6, 16, 16)
    moved = convolve(x.roll(shift, (-2, -1)))
    assert torch.equal(moved, convolve(x).roll(shift, (-2, -1)))


def test_a_stride_takes_every_second_cell():
    weight, x = draw(8, 6, 3, 3), draw(2, 6, 16, 16)
    found = Direct.of(weight, "float32", stride=2)(x)
    torch.testing.assert_close(found, plain(x, weight)[..., ::2, ::2], atol=1e-5, rtol=1e-5)


def test_wide_operators_with_large_kernels_are_convolved_in_fourier_space():
    rules = {
        (64, 64, 7, 7): (True, True),
        (32, 32, 7, 7): (True, False),
        (64, 64, 5, 5): (True, False),
        (32, 32, 5, 5): (False, False),
        (64, 64, 3, 3): (False, False),
        (64, 3, 7, 7): (False, False),
        (256, 256, 1, 1): (False, False),
    }
    for shape, expected in rules.items():
        found = tuple(in_fourier_space(shape, 64, p) for p in ("float32", "bfloat16"))
        assert found == expected, shape
