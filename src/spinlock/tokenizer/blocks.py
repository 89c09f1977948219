"""Layers for many categories at once, and the small residual networks of fields and series."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

FEW = 64  # columns of a product that are still cheaper than two products


class GroupedLinear(nn.Module):
    """An affine map per group, all groups in one batched product."""

    def __init__(self, num_groups: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_groups, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(num_groups, 1, outputs))

    def forward(self, x: Float[Tensor, "n G i"]) -> Float[Tensor, "n G o"]:
        return torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)


class RaggedLinear(nn.Module):
    """An affine map per group from inputs of different numbers to outputs of equal number.

    A loop over the groups, each on its own slice: with a few large and many small groups padding
    to the largest costs more than it saves. If all outputs together are few, one product with
    zeros between the groups is faster, as a product of so few columns costs no less.
    """

    def __init__(self, inputs: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(size, outputs) for size in inputs)
        self.bias = nn.Parameter(torch.zeros(len(inputs), outputs))

    def forward(self, slices: Sequence[Float[Tensor, "*n _"]]) -> Float[Tensor, "*n G o"]:
        parts = [x @ weight for x, weight in zip(slices, self.weights, strict=True)]
        return torch.stack(parts, -2) + self.bias

    def of_columns(
        self, x: Float[Tensor, "n i"], order: Int[Tensor, " i"]
    ) -> Float[Tensor, "n G o"]:
        """The same for slices that are columns of one array, group after group in this order."""
        if self.bias.numel() > FEW:
            return self(x.index_select(1, order).split([len(w) for w in self.weights], 1))
        weight = torch.block_diag(*self.weights)
        weight = torch.zeros_like(weight).index_copy(0, order, weight)
        return (x @ weight).unflatten(1, self.bias.shape) + self.bias


class RaggedReadout(nn.Module):
    """An affine map per group from inputs of equal number to its own slice of the output."""

    def __init__(self, inputs: int, outputs: Sequence[int]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(inputs, size) for size in outputs)
        self.bias = nn.Parameter(torch.zeros(sum(outputs)))

    def forward(self, x: Float[Tensor, "n G i"]) -> Float[Tensor, "n Q"]:
        parts = [x[:, group] @ weight for group, weight in enumerate(self.weights)]
        return torch.cat(parts, -1) + self.bias


class Linear(nn.Module):
    """An affine map with its weight as [inputs, outputs]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        return x @ self.weight + self.bias


class SeriesBlock(nn.Module):
    """Residual block of one group per category along time: x + W₂ gelu(W₁ gelu(x)), width 3.

    Time ends are padded with zeros, as a series is not periodic.
    """

    def __init__(self, num_groups: int, channels: int) -> None:
        super().__init__()
        self.first = GroupedLinear(num_groups, 3 * channels, channels)
        self.second = GroupedLinear(num_groups, 3 * channels, channels)

    def forward(self, x: Float[Tensor, "n t G c"]) -> Float[Tensor, "n t G c"]:
        inner = _convolve(F.gelu(x), self.first)
        return x + _convolve(F.gelu(inner), self.second)


def _convolve(x: Float[Tensor, "n t G c"], linear: GroupedLinear) -> Float[Tensor, "n t G c"]:
    before, after = F.pad(x[:, :-1], (0, 0, 0, 0, 1, 0)), F.pad(x[:, 1:], (0, 0, 0, 0, 0, 1))
    neighbours = torch.cat([before, x, after], -1)
    return linear(neighbours.flatten(0, 1)).unflatten(0, x.shape[:2])


class FieldNet(nn.Module):
    """Periodic strided CNN of u0, averaged over the domain: [n, C, H, W] → [n, dim].

    Each layer halves the grid: circular padding, 4×4 convolution with stride 2, gelu.
    """

    def __init__(self, channels: int, widths: Sequence[int], dim: int) -> None:
        super().__init__()
        sizes = (channels, *widths)
        self.kernels = nn.ParameterList(
            torch.zeros(after, before, 4, 4) for before, after in zip(sizes, widths, strict=False)
        )
        self.biases = nn.ParameterList(torch.zeros(width) for width in widths)
        self.readout = Linear(sizes[-1], dim)

    def forward(self, fields: Float[Tensor, "n C H W"]) -> Float[Tensor, "n dim"]:
        x = fields
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            x = F.gelu(F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), kernel, bias, stride=2))
        return self.readout(x.mean((-1, -2)))
