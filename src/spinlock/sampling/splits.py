"""Who is trained on, chosen on, tested on, and held out.

Splits are whole aligned blocks of the design (a random subset of a Sobol design is no better than a
Latin hypercube), dealt in a fixed cycle: growing the design never moves an operator.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from spinlock.refusals import Refusal
from spinlock.sampling import space
from spinlock.sampling.config import Config, HeldOut, Split
from spinlock.sampling.space import Dimension
from spinlock.sampling.theta import Theta

NAMES = ("train", "validation", "test")
HELD_OUT = "held_out"


def cycle(split: Split) -> tuple[str, ...]:
    """The split of each block of one cycle, interleaved.

    Block k goes to the split that lags most behind its share of the first k + 1 blocks; of equals,
    to the first of train, validation, test.
    """
    shares = {name: getattr(split, name) for name in NAMES}
    pattern: list[str] = []
    for block in range(1, split.cycle + 1):
        lag = {n: share * block - pattern.count(n) * split.cycle for n, share in shares.items()}
        pattern.append(max(NAMES, key=lag.__getitem__))
    return tuple(pattern)


def groups(held_out: HeldOut) -> tuple[str, ...]:
    """Names of the held-out groups that the parameters declare."""
    return (
        *(f"ic_variant:{name}" for name in held_out.ic_variants),
        *(f"update_policy:{name}" for name in held_out.update_policies),
        *(("theta_corner",) if held_out.theta_corner else ()),
    )


def membership(
    config: Config,
    unit: Float[np.ndarray, "N Q"],
    theta: Sequence[Theta],
    ic_types: Sequence[str],
) -> Bool[np.ndarray, "N G"]:
    """Which operators belong to which of `groups`; a group may be empty, an operator in several."""
    held_out = config.held_out
    variants = np.array(ic_types)
    policies = np.array([t.update_policy for t in theta])
    columns = [variants == name for name in held_out.ic_variants]
    columns += [policies == name for name in held_out.update_policies]
    if held_out.theta_corner:
        columns.append(_corner(config.dimensions, held_out, unit))
    return np.stack(columns, axis=1) if columns else np.zeros((len(unit), 0), dtype=bool)


def _corner(
    dimensions: Sequence[Dimension], held_out: HeldOut, unit: Float[np.ndarray, "N Q"]
) -> Bool[np.ndarray, "N"]:
    free = [d.name for d in space.varying(dimensions)]
    inside = [unit[:, free.index(edge.name)] > edge.above for edge in held_out.theta_corner]
    return np.logical_and.reduce(inside)


def assign(config: Config, held_out: Bool[np.ndarray, "N G"]) -> tuple[str, ...]:
    """The split of every operator: its block's, or `"held_out"` if it belongs to a group.

    Raises:
        Refusal: no operator is left to train, to choose or to test on.
    """
    pattern = cycle(config.split)
    blocks = np.arange(len(held_out)) // config.block_size
    own = np.array(pattern)[blocks % len(pattern)]
    result = tuple(np.where(held_out.any(axis=1), HELD_OUT, own).tolist())
    for name in NAMES:
        if name not in result:
            raise Refusal(_empty(config, name, pattern.index(name), int((own == name).sum())))
    return result


def _empty(config: Config, name: str, first: int, before: int) -> str:
    """Say why a split is empty: too few blocks, or all of it held out."""
    start = first * config.block_size
    if before == 0:
        return (
            f"sample: split: {name} is empty: its first block holds operators {start} to "
            f"{start + config.block_size - 1}, and num_operators is {config.num_operators}; "
            f"take more operators than {start} or smaller blocks than {config.block_size}"
        )
    return f"sample: split: {name} is empty: held-out groups take all of its {before} operators"
