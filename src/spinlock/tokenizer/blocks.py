"""Layers for many categories at once, and the small residual networks of fields and series."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


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
    to the largest costs more than it saves.
    """

    def __init__(self, inputs: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(size, outputs) for size in inputs)
        self.bias = nn.Parameter(torch.zeros(len(inputs), outputs))

    def forward(self, slices: Sequence[Float[Tensor, "*n _"]]) -> Float[Tensor, "*n G o"]:
        parts = [x @ weight for x, weight in zip(slices, self.weights, strict=True)]
        return torch.stack(parts, -2) + self.bias


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


class SeriesNet(nn.Module):
    """1-D residual network of one group per category along the windows of time.

    Each window is read by itself, then by `SeriesBlock`s together with its neighbours; an affine
    map reads all windows at the end. Inside, values stand channel after channel, and the windows
    of a channel side by side.
    """

    def __init__(
        self, columns: Sequence[int], windows: int, channels: int, blocks: int, outputs: int
    ) -> None:
        """Build with all weights zero.

        Args:
            columns: of each group.
            windows: of time.
            channels: of each group in each window.
            blocks: how many.
            outputs: of each group.
        """
        super().__init__()
        self.windows = windows
        self.stem = RaggedLinear(columns, channels)
        self.blocks = nn.ModuleList(
            SeriesBlock(len(columns), channels, windows) for _ in range(blocks)
        )
        self.out = GroupedLinear(len(columns), channels * windows, outputs)

    def forward(self, slices: Sequence[Float[Tensor, "n _"]]) -> Float[Tensor, "n G o"]:
        """Read the cells of each group, column after column."""
        parts = [
            F.conv1d(x.unflatten(1, (-1, self.windows)), weight.T[..., None]).flatten(1)
            for x, weight in zip(slices, self.stem.weights, strict=True)
        ]
        x = torch.stack(parts) + _in_each(self.windows, self.stem.bias[:, None])
        for block in self.blocks:
            x = block(x)
        return self.out(F.gelu(x).transpose(0, 1))


class SeriesBlock(nn.Module):
    """Residual block x + W₂ gelu(W₁ gelu(x)), convolutions of three windows of time.

    Beyond the ends stand zeros, as a series is not periodic. For many small groups a product with
    the whole matrix of each is three times as fast as a grouped convolution; for one group, and
    so for many channels, the convolution is.
    """

    def __init__(self, num_groups: int, channels: int, windows: int) -> None:
        super().__init__()
        self.windows = windows
        self.first = GroupedLinear(num_groups, 3 * channels, channels)
        self.second = GroupedLinear(num_groups, 3 * channels, channels)

    def forward(self, x: Float[Tensor, "G n ct"]) -> Float[Tensor, "G n ct"]:
        inner = self._convolve(F.gelu(x), self.first)
        return x + self._convolve(F.gelu(inner), self.second)

    def _convolve(self, x: Float[Tensor, "G n ct"], kernel: GroupedLinear) -> Tensor:
        weight = kernel.weight.unflatten(1, (3, -1))  # [G, 3, i, o]
        if len(x) == 1:
            series, taps = x[0].unflatten(1, (-1, self.windows)), weight[0].permute(2, 1, 0)
            return F.conv1d(series, taps, kernel.bias[0, 0], padding=1).flatten(1)[None]
        # [s, 3, t]: whether window s is the one before t, t itself, or the one after
        near = F.pad(torch.eye(self.windows), (1, 1)).unfold(1, self.windows, 1)
        matrix = torch.einsum("skt,gkio->gisot", near, weight).flatten(3).flatten(1, 2)
        return torch.baddbmm(_in_each(self.windows, kernel.bias), x, matrix)


def _in_each(windows: int, bias: Float[Tensor, "G 1 c"]) -> Float[Tensor, "G 1 ct"]:
    return bias.repeat_interleave(windows, 2)


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
