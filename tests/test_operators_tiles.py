"""Tiles in Fourier space convolve periodic fields, at least as exactly as the direct sum."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock.operators.convolution import plain
from spinlock.operators.tiles import EXTENT, Tiles, Tiling, complex_matrix, continued, transforms

grids = st.integers(4, 45)
kernels = st.sampled_from([1, 3, 5, 7, 9])
SHAPES = [(64, 7, 64, 48), (64, 5, 32, 64), (32, 7, 24, 32), (64, 3, 96, 64)]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def error(found, exact):
    return float((found - exact).norm() / exact.norm())


@given(size=grids, kernel_size=kernels, channels=st.integers(1, 3), out=st.integers(1, 3))
def test_tiles_convolve(size, kernel_size, channels, out):
    x, weight = draw(2, channels, size, size), draw(out, channels, kernel_size, kernel_size)
    found = Tiles.of(weight, size, torch.float32)(x)
    torch.testing.assert_close(found, plain(x, weight), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(("size", "kernel_size", "channels", "out"), SHAPES)
def test_tiles_round_less_than_the_direct_sum(size, kernel_size, channels, out):
    x, weight = draw(1, channels, size, size), draw(out, channels, kernel_size, kernel_size)
    exact = plain(x.double(), weight.double())
    tiles = error(Tiles.of(weight, size, torch.float32)(x), exact)
    assert tiles < 5e-7
    assert tiles < 1.5 * error(plain(x, weight), exact)


def test_a_realization_does_not_see_the_others_to_the_bit():
    x, weight = draw(3, 8, 32, 32), draw(8, 8, 5, 5)
    spoiled = x.clone()
    spoiled[1], spoiled[2] = torch.nan, 1e30
    tiles = Tiles.of(weight, 32, torch.float32)
    assert torch.equal(tiles(x)[0], tiles(spoiled)[0])


def test_the_layout_of_the_field_changes_no_bit():
    x, weight = draw(2, 8, 32, 32), draw(8, 8, 5, 5)
    tiles = Tiles.of(weight, 32, torch.float32)
    assert torch.equal(tiles(x), tiles(x.contiguous(memory_format=torch.channels_last)))


@given(size=grids, kernel_size=st.sampled_from([1, 3, 5, 7, 9, 31]))
def test_tiles_cover_the_grid_and_are_of_bounded_extent(size, kernel_size):
    tiling = Tiling.of(size, kernel_size)
    assert (tiling.count - 1) * tiling.core < size <= tiling.count * tiling.core
    assert tiling.extent <= max(EXTENT, 2 * kernel_size)


@given(size=st.integers(1, 20), kernel_size=kernels)
def test_the_transforms_of_an_axis_undo_each_other(size, kernel_size):
    tiling = Tiling.of(size, kernel_size)
    extent, half = tiling.extent, tiling.half
    cells = draw(extent, extent)
    matrices = transforms(tiling)
    along_x = (matrices.along_x @ cells.T).T.reshape(extent * 2, half)
    back = matrices.back_y @ (matrices.along_y @ along_x)
    found = (matrices.back_x @ back.reshape(tiling.core, 2 * half).T).T
    torch.testing.assert_close(found, cells[: tiling.core, : tiling.core], atol=1e-5, rtol=1e-5)


def test_a_complex_matrix_multiplies_as_complex_numbers_do():
    real, imaginary, pairs = draw(3, 4), draw(3, 4, seed=1), draw(4, 2, seed=2)
    found = (complex_matrix(real, imaginary) @ pairs.flatten()).view(3, 2)
    expected = torch.complex(real, imaginary) @ torch.view_as_complex(pairs)
    torch.testing.assert_close(torch.view_as_complex(found), expected)


@given(size=st.integers(3, 9), before=st.integers(0, 3), after=st.integers(0, 3))
def test_a_continued_field_is_periodic(size, before, after):
    x = draw(2, 3, size, size)
    found = continued(x, before, after, torch.float32)
    index = torch.arange(-before, size + after) % size
    assert torch.equal(found, x[:, :, index][..., index])
