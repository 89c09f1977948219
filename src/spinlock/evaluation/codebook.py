"""Code vectors of a tokenizer: what each code adds to the columns it stands for."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from spinlock.tokenizer.model import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """The c codes of one level of all categories that have it, category after category."""

    vectors: Float[np.ndarray, "c M"]  # effect on all cells, in train standard deviations
    category: Int[np.ndarray, " c"]
    code: Int[np.ndarray, " c"]
    uses: Int[np.ndarray, " c"]  # operators that have it; 0 is a dead code


def codes(tokenizer: Tokenizer, tokens: Int[np.ndarray, "n S"], level: int) -> Codes:
    """The codes of a level, each less the mean of its book.

    Codes of two categories live in two spaces of latents. What a code does is decoded: the cells
    with it, from the mean latents of the training operators, less the cells without; each cell
    times the root of its weight, so that a length is a root mean square over columns.

    Args:
        tokenizer: the trained one.
        tokens: of the operators that count as users.
        level: 0 is the coarsest.
    """
    sizes = [levels[level] if level < len(levels) else 0 for levels in tokenizer.sizes]
    category = np.repeat(np.arange(len(sizes)), sizes)
    code = np.concatenate([np.arange(size) for size in sizes])
    with torch.no_grad():
        steps = _steps(tokenizer, level, max(sizes))
        base = tokenizer.latent_mean.expand(len(code), -1, -1).clone()
        rows = torch.arange(len(code))
        owner, chosen = torch.from_numpy(category), torch.from_numpy(code)
        for group, size in enumerate(sizes):
            steps[:size, group] -= steps[:size, group].mean(0)
        base[rows, owner] += steps[chosen, owner]
        cells = tokenizer.decoder(base) - tokenizer.decoder(tokenizer.latent_mean[None])
        vectors = cells * tokenizer.layout.weights().sqrt()
    starts = np.cumsum([0, *(len(levels) for levels in tokenizer.sizes)])[:-1] + level
    uses = [
        np.bincount(tokens[:, start], minlength=size)
        for start, size in zip(starts, sizes, strict=True)
        if size
    ]
    return Codes(
        vectors=vectors.double().numpy(),
        category=category,
        code=code,
        uses=np.concatenate(uses),
    )


def cosines(vectors: Float[np.ndarray, "c M"]) -> Float[np.ndarray, "c c"]:
    """Cosine of the angle of each two code vectors, in [−1, 1]; 0 with a vector of length 0."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)
    return unit @ unit.T


def _steps(tokenizer: Tokenizer, level: int, size: int) -> Float[torch.Tensor, "K G E"]:
    """Latents of all categories when each has code k at a level and code 0 at all others."""
    grid = torch.zeros(size, len(tokenizer.sizes), max(map(len, tokenizer.sizes)), dtype=torch.long)
    for group, levels in enumerate(tokenizer.sizes):
        if level < len(levels):
            grid[:, group, level] = torch.arange(size).clamp_max(levels[level] - 1)
    return tokenizer.quantizer.decode(grid)
