"""Labels of initial conditions: exact shares in every block, independent of θ."""

import numpy as np
from jaxtyping import Int

from spinlock import randomness
from spinlock.sampling.config import Family


def assign(seed: int, mix: tuple[Family, ...], block_size: int, count: int) -> tuple[str, ...]:
    """Give every operator a variant of initial condition.

    Slots 0, 1, … are dealt to families in shuffled rounds, one slot each a round, and a family's
    slots to its variants likewise; then the slots of each block are permuted. So a family has
    exactly its share of every block if the number of families divides the block; else its share of
    all blocks so far, to within one operator, as each variant has within its family. Each round
    and each block has its own stream: labels do not move when the design grows, and do not depend
    on θ, as a function of i mod 4 would.
    """
    total = -(-count // block_size) * block_size
    families = _rounds(seed, "ic_types/families", len(mix), total)
    slots = np.empty(total, dtype=object)
    for index, family in enumerate(mix):
        own = np.flatnonzero(families == index)
        order = _rounds(seed, f"ic_types/variants/{family.family}", len(family.variants), len(own))
        slots[own] = np.array(family.variants, dtype=object)[order]
    return tuple(slots[_within_blocks(seed, block_size, total)][:count])


def family_of(mix: tuple[Family, ...]) -> dict[str, str]:
    """The family of each variant."""
    return {variant: family.family for family in mix for variant in family.variants}


def _rounds(seed: int, purpose: str, size: int, count: int) -> Int[np.ndarray, "count"]:
    """The first `count` entries of endless permutations of 0 … size - 1, a stream for each."""
    starts = range(0, max(count, 1), size)
    streams = (randomness.stream(seed, purpose, start // size) for start in starts)
    return np.concatenate([stream.permutation(size) for stream in streams])[:count]


def _within_blocks(seed: int, block_size: int, total: int) -> Int[np.ndarray, "total"]:
    """A permutation of all slots that leaves each in its block, a stream for each block."""
    starts = range(0, total, block_size)
    streams = (randomness.stream(seed, "ic_types/block", start // block_size) for start in starts)
    return np.concatenate(
        [start + s.permutation(block_size) for start, s in zip(starts, streams, strict=True)]
    )
