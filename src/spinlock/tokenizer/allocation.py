"""How many levels each category gets: those that cross-validation finds worth their bits."""

import heapq
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import randomness
from spinlock.cleaning.sets import Cleaned
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.encoders import prepare
from spinlock.tokenizer.initialization import k_means, principal_axes
from spinlock.tokenizer.layout import Layout
from spinlock.tokenizer.quantizer import Beam

FOLDS = 3  # of the training operators
JITTERED_COPIES = 3  # of the rows that a fold's codes are fitted to

Split = tuple[Float[Tensor, "n Q"], Float[Tensor, "m Q"]]  # rows fitted to, rows held out


def levels(train: Cleaned, layout: Layout, config: Config, seed: int) -> tuple[int, ...]:
    """Levels of each category; on average `num_levels`, so that the bits do not change.

    `uniform`: the same for all. `allocated`: every category has one, and the others go one by one
    to the category whose error they lower most. The error is that of residual k-means with beam
    search along the category's principal axes, where the training starts too, on training
    operators that it was not fitted to.

    Args:
        train: aggregated view of the training operators.
        layout: which cells are whose.
        config: section `train_vqvae`.
        seed: root seed.
    """
    num_groups = len(layout.categories)
    if config.levels == "uniform":
        return (config.num_levels,) * num_groups
    cells = prepare(train, layout).cells * layout.weights().sqrt()
    seed = config.own_seed(seed)
    rng = randomness.stream(seed, "tokenizer/allocation")
    splits = [_split(cells, fold, config.jitter, rng) for fold in range(FOLDS)]
    gains, ends = [], np.cumsum(layout.sizes).tolist()
    for category, size, end in zip(layout.categories, layout.sizes, ends, strict=True):
        own = slice(end - size, end)
        parts = [(fitted[:, own], held[:, own]) for fitted, held in splits]
        gains.append(_gains(parts, config, f"allocation/{category.name}", seed))
    return share(gains, num_groups * config.num_levels)


def share(gains: Sequence[Iterator[float]], total: int) -> tuple[int, ...]:
    """Give one level to each, and every further one to whom it helps most; the first of equals.

    Args:
        gains: for each category, what its first, second, … level lowers its error by.
        total: levels in all.
    """
    for own in gains:
        next(own)
    given = [1] * len(gains)
    queue = [(-next(own), index) for index, own in enumerate(gains)]
    heapq.heapify(queue)
    for _ in range(total - len(given)):
        index = queue[0][1]
        given[index] += 1
        heapq.heapreplace(queue, (-next(gains[index]), index))
    return tuple(given)


def _split(
    cells: Float[Tensor, "n Q"], fold: int, jitter: float, rng: np.random.Generator
) -> Split:
    """Every third row is held out; the others are fitted to, as they are and jittered."""
    held = torch.arange(len(cells)) % FOLDS == fold
    rows = cells[~held]
    sets = [rows]
    for _ in range(JITTERED_COPIES if jitter else 0):
        one, two = torch.from_numpy(rng.integers(len(rows), size=(2, len(rows))))
        sets.append(rows + jitter * (rows[one] - rows[two]))
    return torch.cat(sets), cells[held]


def _gains(splits: Sequence[Split], config: Config, purpose: str, seed: int) -> Iterator[float]:
    """By how much each level lowers the error of the rows held out, mean over the splits."""
    codes = [_Code(split, config) for split in splits]
    before = float(np.mean([code.error() for code in codes]))
    for level in count():
        for fold, code in enumerate(codes):
            number = randomness.integer_seed(seed, f"{purpose}/{fold}/{level}")
            code.add_level(config.sizes(1)[0], number)
        after = float(np.mean([code.error() for code in codes]))
        yield before - after
        before = after


class _Code:
    """Residual k-means of one category, level after level."""

    def __init__(self, split: Split, config: Config) -> None:
        axes = principal_axes(split[0].double(), config.group_embedding_dim).float()
        self.fitted, self.held = (Beam.of((rows @ axes)[:, None]) for rows in split)
        self.width = config.search_width

    def add_level(self, size: int, seed: int) -> None:
        """K-means of what the levels so far leave of the rows fitted to."""
        rest = self.fitted.residual[0, :, 0].double().numpy()
        centers = torch.from_numpy(k_means(rest, np.ones(len(rest)), size, seed)).float()[None]
        self.fitted = self.fitted.extend(centers, self.width)
        self.held = self.held.extend(centers, self.width)

    def error(self) -> float:
        """Mean square of what is left of the rows held out."""
        return float(self.held.residual[0, :, 0].square().sum(1).mean())
