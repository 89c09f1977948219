"""Targets for codes: cells that all exist, a column each."""

import numpy as np

from spinlock.evaluation.codes import Target


def target(values, category=None, weight=None):
    num_cells = values.shape[1]
    return Target(
        values=values,
        exists=np.ones(values.shape, dtype=bool),
        weight=np.ones(num_cells) if weight is None else weight,
        category=np.zeros(num_cells, dtype=int) if category is None else category,
        column=np.arange(num_cells),
    )
