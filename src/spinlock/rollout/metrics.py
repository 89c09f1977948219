"""What `generate` reports: how many rollouts there are and diverged, and what u0 looks like."""

import numpy as np
from jaxtyping import Bool

from spinlock.initial_conditions import measure
from spinlock.rollout.index import Index
from spinlock.sampling import quality
from spinlock.sampling.table import Operators


def metrics(operators: Operators, index: Index) -> dict[str, float | int | None]:
    """Flat metrics of a finished folder.

    * `generate/num_operators`, `generate/num_shards`: counts.
    * `generate/diverged_share`: share of all rollouts (operator, realization) that diverged.
    * `generate/num_diverged_operators`: operators with at least one diverged realization.
    * `generate/accepted_discrepancy_ratio`: centered discrepancy of the design points of the other
      operators over its expectation for as many random points; null if there are none.
    * `generate/ic_…`: measured properties of u0 by variant, see `measure.metrics`.
    """
    u0, diverged_at = index.summary()
    diverged = diverged_at > 0
    accepted = (~diverged.any(1)).numpy()
    return {
        "generate/num_operators": len(index),
        "generate/num_shards": len(index.contents.shards),
        "generate/diverged_share": float(diverged.double().mean()),
        "generate/num_diverged_operators": int((~accepted).sum()),
        "generate/accepted_discrepancy_ratio": discrepancy_ratio(operators, accepted),
        **measure.metrics(u0, operators.ic_types),
    }


def discrepancy_ratio(operators: Operators, accepted: Bool[np.ndarray, "N"]) -> float | None:
    """Discrepancy of the accepted design points over what random ones have on average."""
    points = operators.unit[accepted][: quality.MEASURED]
    if len(points) == 0:
        return None
    return quality.discrepancy(points) / quality.expected_discrepancy(*points.shape)
