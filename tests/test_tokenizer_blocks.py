"""Layers of many groups: each group by itself, and series as a convolution has them."""

import torch
from torch.nn import functional as F

from spinlock.tokenizer.blocks import SeriesBlock, SeriesNet


def drawn(module: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return module


def test_one_group_is_convolved_as_several_are():
    several, x = drawn(SeriesBlock(2, 3, 9)), torch.randn(2, 5, 27)
    one = SeriesBlock(1, 3, 9)
    for name, parameter in one.named_parameters():
        parameter.data = several.get_parameter(name).data[1:]
    torch.testing.assert_close(one(x[1:])[0], several(x)[1])


def test_a_block_of_series_sees_its_neighbours_in_time_and_its_own_group():
    layer, x = drawn(SeriesBlock(2, 3, 9)), torch.randn(2, 1, 27)
    changed = x.clone()
    changed.unflatten(2, (3, 9))[0, :, :, 4] += 1.0
    moved = (layer(changed) != layer(x)).unflatten(2, (3, 9)).any(2)[:, 0]
    assert moved[0].nonzero()[:, 0].tolist() == [2, 3, 4, 5, 6]
    assert not moved[1].any()


def convolved(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The library's convolution [n, i, t] with a kernel given as [3 i, o]."""
    return F.conv1d(x, weight.unflatten(0, (3, -1)).permute(2, 1, 0), bias[0], padding=1)


def test_series_are_convolved_as_the_library_does_it():
    net = drawn(SeriesNet([2, 3], windows=5, channels=4, blocks=1, outputs=6))
    slices = [torch.randn(7, 10), torch.randn(7, 15)]
    found, block = net(slices), net.blocks[0]
    for group, x in enumerate(slices):
        kernel = net.stem.weights[group].T[..., None]
        inner = F.conv1d(x.unflatten(1, (-1, 5)), kernel, net.stem.bias[group])
        rest = inner
        for layer in (block.first, block.second):
            rest = convolved(F.gelu(rest), layer.weight[group], layer.bias[group])
        last = F.gelu(inner + rest).flatten(1)
        expected = last @ net.out.weight[group] + net.out.bias[group]
        torch.testing.assert_close(found[:, group], expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_of_a_series_is_that_of_its_own_cells():
    net = drawn(SeriesNet([2, 3], windows=5, channels=4, blocks=2, outputs=6))
    slices = [torch.randn(7, size, requires_grad=True) for size in (10, 15)]
    gradient = torch.autograd.grad(net(slices)[3, 1].sum(), slices)
    assert not gradient[0].any()
    assert (gradient[1] != 0).all(1).nonzero()[:, 0].tolist() == [3]
