"""How much of the codebooks some operators use, over all and token by token."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from spinlock.evaluation import information
from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.resampling import Estimate, Flat, flat, one_hot, share_entropy, times

NAMES = ("utilization", "perplexity", "perplexity_normalized", "entropy")
Row = dict[str, object]


def metrics(tokens: Int[np.ndarray, "n S"], sizes: Sequence[Sequence[int]], how: Bootstrap) -> Flat:
    """Use of the codebooks by n operators, each score with its interval.

    * `utilization`: share of all codes that an operator has, see `tokenizer.scores`; at most n
      codes of each codebook can be in use.
    * `perplexity`, `perplexity_normalized`: see `tokenizer.scores`.
    * `entropy`: sum of the entropies of the tokens in bits (Miller–Madow), what they would carry
      if none told of another; the correction may lift it above `bits`. Bad case: 0, every operator
      has the same tokens.

    The intervals are `Estimate.centered`, since repeated operators use fewer codes, and end where
    the score itself does: with 0 and with all codes in use, equally often.
    """
    flat_sizes = [size for levels in sizes for size in levels]
    edges = np.cumsum([0, *flat_sizes])
    every = np.concatenate([np.ones((1, len(tokens))), times(len(tokens), how)])
    shown = [one_hot(token, size) for token, size in zip(tokens.T, flat_sizes, strict=True)]
    counts = every @ np.concatenate(shown, axis=1)
    books = [counts[:, first:last] for first, last in pairwise(edges)]
    nats = np.stack([share_entropy(book) for book in books])
    used = np.stack([(book > 0).sum(1) for book in books])
    bits = nats / np.log(2) + (used - 1) / (2 * len(tokens) * np.log(2))
    values = (
        used.sum(0) / edges[-1],
        np.exp(nats).mean(0),
        (np.exp(nats) / np.array(flat_sizes)[:, None]).mean(0),
        bits.sum(0),
    )
    ranges = ((0.0, 1.0), (1.0, float(np.mean(flat_sizes))), (0.0, 1.0), (0.0, np.inf))
    result: Flat = {}
    for name, value, (least, most) in zip(NAMES, values, ranges, strict=True):
        found = Estimate(float(value[0]), value[1:], len(tokens)).centered()
        result |= flat(name, found.within(least, most))
    return result


def by_token(
    tokens: Int[np.ndarray, "n S"],
    fitted: Int[np.ndarray, "m S"],
    names: Sequence[str],
    sizes: Sequence[Sequence[int]],
) -> list[Row]:
    """Rows of `tokens.csv`, one a token.

    Its category and level; `codes` in its book; `used` by all the operators it was fitted to, and
    `dead`, by none of them; `used_test`, `perplexity` and `entropy` (bits) on other operators, and
    the share of them that have the `commonest` code.

    Args:
        tokens: of operators never seen.
        fitted: of the training operators.
        names: `category/level` of each token.
        sizes: codes of each level, by category.
    """
    flat_sizes = [size for levels in sizes for size in levels]
    rows: list[Row] = []
    for name, size, here, there in zip(names, flat_sizes, tokens.T, fitted.T, strict=True):
        category, _, level = name.rpartition("/")
        counts = np.bincount(here, minlength=size).astype(np.float64)
        used = len(np.unique(there))
        row: Row = {"category": category, "level": int(level), "codes": size}
        row |= {"used": used, "dead": size - used, "used_test": int((counts > 0).sum())}
        if len(here):
            row |= {
                "perplexity": float(np.exp(share_entropy(counts))),
                "entropy": information.entropy(here),
                "commonest": float(counts.max() / counts.sum()),
            }
        else:
            row |= dict.fromkeys(("perplexity", "entropy", "commonest"), "")
        rows.append(row)
    return rows


def counts(
    tokens: Int[np.ndarray, "n S"], sizes: Sequence[Sequence[int]]
) -> list[Float[np.ndarray, " K"]]:
    """How many operators have each code, token by token."""
    flat_sizes = [size for levels in sizes for size in levels]
    return [np.bincount(t, minlength=k) for t, k in zip(tokens.T, flat_sizes, strict=True)]
