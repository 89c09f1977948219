"""The last step of the tokenizer's decoder, given to a rival: what its codes say of each other."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from spinlock import randomness
from spinlock.evaluation import codes
from spinlock.evaluation.codes import Code, Coded, Fit, Target
from spinlock.tokenizer import readout
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.model import Tokenizer

MOST = 20_000  # jittered rows, as all are held at once


def beside(
    code: Code, fitted: Target, rows: Target, tokenizer: Tokenizer, fit: Fit
) -> tuple[Coded, Coded]:
    """Rows by a code that keeps the categories, and the same with the tokenizer's last step.

    `tokenizer.readout` with the tokenizer's own penalties, which were chosen for the tokenizer,
    fitted to what the code leaves over of as many jittered copies of the fitted rows, or of fewer
    if those would be more than `MOST`. The inputs of a category are what its codes say along its
    principal axes, at most as many as its latent has, with a variance of 1 together. The tokens
    are the same.

    Args:
        code: as `codes.by_category` takes it.
        fitted: what the code and the correction are fitted to.
        rows: rows to code.
        tokenizer: it has the levels, the blocks of categories and the settings.
        fit: how k-means is run; seed of the jitter.
    """
    config, sizes = tokenizer.config, tokenizer.sizes
    copies = list(_jittered(fitted, config, fit))
    every = codes.by_category(code, fitted, rows.join(*copies), sizes, fit)
    count = len(rows.values)
    plain = Coded(every.values[:count], every.tokens[:count])
    if not copies:
        return plain, plain
    inputs = _inputs(every.values, fitted, len(sizes), config.group_embedding_dim)
    read = [np.arange(start, end) for start, end in _ends([part.shape[1] for part in inputs])]
    together = np.concatenate(inputs, axis=1)
    asked = rows.take(np.arange(0)).join(*copies)
    rest = (asked.values - every.values[count:]) * asked.exists
    moments = readout.centered(
        readout.moments(_tensor(together[count:]), _tensor(rest), torch.ones(len(rest), 1))
    )
    values = plain.values.copy()
    for block in tokenizer.layout.blocks():
        own = [torch.from_numpy(read[group]) for group in block]
        for place, group in enumerate(block):
            cells = np.flatnonzero(fitted.category == group)
            weights = readout.correction(
                moments, own, place, torch.from_numpy(cells), config.readout, len(fitted.values)
            ).numpy()
            told = together[:count, np.concatenate([read[each] for each in block])]
            values[:, cells] += told @ weights[:-1] + weights[-1]
    return plain, Coded(values, plain.tokens)


def _jittered(fitted: Target, config: Config, fit: Fit) -> Iterator[Target]:
    """Copies of all rows, each plus a share of the difference of two; see `Examples.jittered`."""
    rng = randomness.stream(fit.seed, f"{fit.purpose}/readout")
    count = len(fitted.values)
    for _ in range(min(config.readout.copies, max(1, MOST // count))):
        one, two = (fitted.take(drawn) for drawn in rng.integers(count, size=(2, count)))
        exists = fitted.exists & one.exists & two.exists
        moved = fitted.values + config.jitter * exists * (one.values - two.values)
        yield Target(moved, fitted.exists, fitted.weight, fitted.category, fitted.column)


def _inputs(
    values: Float[np.ndarray, "n M"], fitted: Target, groups: int, width: int
) -> list[Float[np.ndarray, "n e"]]:
    """Of each category its decoded cells along the leading axes of its fitted rows, scaled."""
    scale = np.sqrt(fitted.weight)
    found = []
    for group in range(groups):
        cells = fitted.category == group
        mean, axes, variance = codes.principal_axes(fitted.values[:, cells] * scale[cells])
        size = np.sqrt(variance[:width].sum()) or 1.0
        found.append((values[:, cells] * scale[cells] - mean) @ axes[:width].T / size)
    return found


def _ends(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    ends: Int[np.ndarray, " G"] = np.cumsum(sizes)
    yield from zip((ends - sizes).tolist(), ends.tolist(), strict=True)


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
