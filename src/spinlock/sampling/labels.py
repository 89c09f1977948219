"""Labels of initial conditions: exact shares in every block, independent of θ."""

from collections.abc import Iterator, Sequence
from itertools import count as counting

from spinlock import randomness
from spinlock.sampling.config import Family


def assign(seed: int, mix: Sequence[Family], block_size: int, count: int) -> tuple[str, ...]:
    """Give every operator a variant of initial condition.

    The slots of each block are dealt to families and a family's slots to its variants, as evenly
    as whole numbers allow in each block and in all blocks so far (`_deal`); then they are permuted
    inside the block. Every random choice has the stream of its own round or block, so labels do not
    move when the design grows, and do not depend on θ, as a function of i mod 4 would.
    """
    blocks = -(-count // block_size)
    families = list(_deal(seed, "ic_types/families", len(mix), [block_size] * blocks))
    slots: list[list[str]] = [[] for _ in range(blocks)]
    for index, family in enumerate(mix):
        counts = [own.count(index) for own in families]
        purpose = f"ic_types/variants/{family.family}"
        for block, own in enumerate(_deal(seed, purpose, len(family.variants), counts)):
            slots[block] += [family.variants[variant] for variant in own]
    labels = (label for block, own in enumerate(slots) for label in _shuffled(seed, block, own))
    return tuple(labels)[:count]


def family_of(mix: Sequence[Family]) -> dict[str, str]:
    """The family of each variant."""
    return {variant: family.family for family in mix for variant in family.variants}


def _deal(seed: int, purpose: str, size: int, counts: Sequence[int]) -> Iterator[list[int]]:
    """Deal `counts[b]` slots of each block b to 0 … size - 1.

    Whole shares first; what is left over goes round in random order, one slot each a round. Where a
    block meets a new round, those it has already served come last. So in each block two receivers
    differ by at most one slot, and in all blocks so far too.
    """
    rounds = (randomness.stream(seed, purpose, index).permutation(size) for index in counting())
    waiting: list[int] = []
    for count in counts:
        whole, rest = divmod(count, size)
        if len(waiting) < rest:
            served = set(waiting)
            waiting += sorted(next(rounds).tolist(), key=served.__contains__)
        yield [*range(size)] * whole + waiting[:rest]
        del waiting[:rest]


def _shuffled(seed: int, block: int, labels: Sequence[str]) -> list[str]:
    order = randomness.stream(seed, "ic_types/block", block).permutation(len(labels))
    return [labels[i] for i in order]
