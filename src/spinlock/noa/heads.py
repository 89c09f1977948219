"""Feature heads: the tokenizer's family embeddings, from what the agent sees inside."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from spinlock.noa.config import HeadsConfig

BLOCKS = 2  # of the 1-D ResNet
KERNEL = 3  # steps
SMALLEST = 1e-6  # standard deviation below which a column is constant

Embeddings = dict[str, Float[Tensor, "n dim"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the network saw on the way, pooled over the domain."""

    bottleneck: Float[Tensor, "n T B"]  # mean and maximum of every channel
    skips: Float[Tensor, "n T S"]  # the same of the skips of all levels

    def take(self, rows: Tensor) -> "Inside":
        """Some of the rollouts."""
        return Inside(bottleneck=self.bottleneck[rows], skips=self.skips[rows])


def pooled(field: Float[Tensor, "n C H W"]) -> Float[Tensor, "n twice_C"]:
    """Mean and maximum of each channel over the domain."""
    return torch.cat([field.mean((-2, -1)), field.amax((-2, -1))], 1)


class Heads(nn.Module):
    """One head for each family of features that the tokenizer embeds.

    INITIAL: from the bottleneck at the first step. SUMMARY: from its mean and maximum over the
    whole rollout. TEMPORAL: a 1-D ResNet over the skips of all steps. Inputs and targets are
    standardized with the training operators' statistics.
    """

    def __init__(self, inside: tuple[int, int], dims: Mapping[str, int], width: int) -> None:
        """Build with weights from torch's global generator.

        Args:
            inside: columns of `Inside.bottleneck` and `Inside.skips`.
            dims: of the embedding of each family.
            width: of the hidden layers.
        """
        super().__init__()
        bottleneck, skips = inside
        self.inside, self.dims, self.width = inside, dict(dims), width
        inputs = {"initial": bottleneck, "summary": 2 * bottleneck, "temporal": 2 * width}
        self.series = nn.ModuleList(
            [nn.Conv1d(skips, width, 1)]
            + [nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2) for _ in range(BLOCKS)]
        )
        self.heads = nn.ModuleDict({name: _mlp(inputs[name], width, dims[name]) for name in dims})
        for name, size in (("bottleneck", bottleneck), ("skips", skips), *dims.items()):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))

    def forward(self, inside: Inside) -> Embeddings:
        """Embeddings of rollouts."""
        found = self.standardized(inside)
        return {
            name: self.get_buffer(f"{name}_mean") + self.get_buffer(f"{name}_std") * value
            for name, value in found.items()
        }

    def standardized(self, inside: Inside) -> Embeddings:
        """The same in standard deviations of the training operators."""
        bottleneck = self.standardize("bottleneck", inside.bottleneck)
        x = self.series[0](self.standardize("skips", inside.skips).transpose(1, 2))
        for block in list(self.series)[1:]:
            x = x + F.gelu(block(x))
        read = {
            "initial": bottleneck[:, 0],
            "summary": torch.cat([bottleneck.mean(1), bottleneck.amax(1)], 1),
            "temporal": torch.cat([x.mean(2), x.amax(2)], 1),
        }
        return {name: head(read[name]) for name, head in self.heads.items()}

    def standardize(self, name: str, values: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Values of an input or of a family in standard deviations of the training operators."""
        return (values - self.get_buffer(f"{name}_mean")) / self.get_buffer(f"{name}_std")

    def learn_scales(self, inside: Inside, target: Embeddings) -> None:
        """Take the mean and standard deviation of every column."""
        inputs = {
            "bottleneck": inside.bottleneck.flatten(0, 1),
            "skips": inside.skips.flatten(0, 1),
        }
        for name, values in {**inputs, **target}.items():
            self.get_buffer(f"{name}_mean").copy_(values.mean(0))
            spread = values.std(0, correction=0)
            self.get_buffer(f"{name}_std").copy_(torch.where(spread > SMALLEST, spread, 1.0))


def fit(heads: Heads, inside: Inside, target: Embeddings, config: HeadsConfig) -> None:
    """Least squares on all training rollouts at once, AdamW; the agent itself stands still.

    Args:
        heads: as built.
        inside: of the training operators.
        target: the tokenizer's embeddings of the truth.
        config: updates and learning rate.
    """
    heads.learn_scales(inside, target)
    wanted = {name: heads.standardize(name, value) for name, value in target.items()}
    optimizer = torch.optim.AdamW(
        heads.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    for _ in range(config.updates):
        optimizer.zero_grad()
        found = heads.standardized(inside)
        errors = [(found[name] - wanted[name]).square().mean() for name in wanted]
        torch.stack(errors).sum().backward()
        optimizer.step()


def r2(found: Float[Tensor, "n dim"], target: Float[Tensor, "n dim"]) -> float:
    r"""$1 - \sum (\hat y - y)^2 / \sum (y - \bar y)^2$ over all columns together.

    1 is perfect, 0 is what the mean of these operators gets.
    """
    error = (found - target).square().sum()
    return float(1 - error / (target - target.mean(0)).square().sum())


def _mlp(inputs: int, width: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, outputs))
