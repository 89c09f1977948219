"""Layers of many groups: each group by itself, whichever way they are computed."""

import pytest
import torch

from spinlock.tokenizer import blocks
from spinlock.tokenizer.blocks import RaggedLinear, SeriesBlock


def drawn(module: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return module


@pytest.mark.parametrize("few", [0, 64])
def test_columns_of_one_array_are_mapped_as_slices_apart(monkeypatch, few):
    monkeypatch.setattr(blocks, "FEW", few)
    layer, x = drawn(RaggedLinear([3, 1, 5], 4)), torch.randn(7, 9)
    order = torch.tensor([4, 0, 8, 2, 1, 3, 5, 6, 7])
    together = layer.of_columns(x, order)
    torch.testing.assert_close(together, layer(x[:, order].split([3, 1, 5], 1)))
    (gradient,) = torch.autograd.grad(together[:, 1].sum(), layer.weights[1])
    torch.testing.assert_close(gradient, x[:, 2].sum().expand(1, 4))


def test_a_block_of_series_sees_its_neighbours_in_time_and_its_own_group():
    layer, x = drawn(SeriesBlock(2, 3)), torch.randn(1, 9, 2, 3)
    changed = x.clone()
    changed[0, 4, 0] += 1.0
    moved = (layer(changed) != layer(x)).any(-1)[0]
    assert moved[:, 0].nonzero()[:, 0].tolist() == [2, 3, 4, 5, 6]
    assert not moved[:, 1].any()
