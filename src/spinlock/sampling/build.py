"""From the parameters to the operator table."""

import numpy as np

from spinlock.sampling import design, labels, space, splits
from spinlock.sampling.config import Config
from spinlock.sampling.table import Operators


def build(seed: int, config: Config) -> Operators:
    """Lay out the design and decode, label and split its operators.

    Raises:
        Refusal: a split is empty.
    """
    free = len(space.varying(config.dimensions))
    points = design.points(seed, config.num_operators, free + config.weights.coordinates)
    unit = points[:, :free]
    theta = space.decode(config.dimensions, unit)
    ic_types = labels.assign(seed, config.ic_mix, config.block_size, config.num_operators)
    held_out = splits.membership(config, unit, theta, ic_types)
    num_sets = config.weights.num_sets if config.weights.kind == "basis" else 0
    return Operators(
        seed=seed,
        ids=np.arange(config.num_operators),
        channels=config.channels,
        grid_size=config.grid_size,
        max_width=config.max_width,
        weights=config.weights.kind,
        unit=unit,
        weights_z=design.weights(points[:, free:], num_sets),
        dimensions=config.dimensions,
        theta=theta,
        ic_types=ic_types,
        split=splits.assign(config, held_out),
        held_out=held_out,
        held_out_groups=splits.groups(config.held_out),
    )
