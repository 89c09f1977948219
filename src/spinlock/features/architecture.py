"""ARCHITECTURE: what an operator is made of; stored, but never part of the vocabulary."""

import math

import numpy as np
from jaxtyping import Float32

from spinlock.operators.build import num_parameters, receptive_field
from spinlock.sampling.table import Operators, theta_features


def architecture(
    operators: Operators,
) -> tuple[Float32[np.ndarray, "N D"], tuple[str, ...], tuple[str, ...]]:
    """The varying parameters θ as numbers, then two sizes.

    The number of weights enters as its decimal logarithm, the receptive field as the side of the
    square of cells that one cell sees in one step.

    Returns:
        Values, names `architecture.group.statistic` and units.
    """
    values, names, kinds = theta_features(operators)
    sizes = np.empty((len(operators), len(SIZES)))
    for row, theta in enumerate(operators.theta):
        sizes[row, 0] = math.log10(num_parameters(operators, theta))
        sizes[row, 1] = receptive_field(theta, operators.grid_size)
    columns = (*(f"architecture.theta.{name}" for name in names), *SIZES)
    units = (*("1" for _ in kinds), *SIZES.values())
    return np.concatenate([values, sizes], axis=1).astype(np.float32), columns, units


SIZES = {
    "architecture.size.parameters": "log10 weights",
    "architecture.size.receptive_field": "cells",
}
