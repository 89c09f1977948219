"""When a trajectory comes back to where it was; for the group nonlinear.

D_ij is the root mean square difference of two states u_i and u_j, i < j, over channels and
domain; s the root mean square of D; P = T (T − 1) / 2 their number.
"""

import numpy as np
from jaxtyping import Bool, Float

from spinlock.features.numerics import RESOLUTION

CLOSE = 0.25  # of s
SHARE = 0.1  # of the pairs that are recurrences
RADII = tuple(2 ** (-j / 2) for j in range(7))  # of s


def distances(states: Float[np.ndarray, "T D"]) -> Float[np.ndarray, "T T"] | None:
    """D in units of s, not below rounding (10⁻⁶ of the states); None if no two states differ."""
    floor = RESOLUTION**2 * np.mean(states**2)
    states = states - states.mean(0)
    product = states @ states.T / states.shape[1]
    power = product.diagonal()
    square = np.maximum(power[:, None] + power - 2 * product, floor)
    scale = square[_pairs(square)].mean()
    return np.sqrt(square / scale) if scale > 2 * floor else None


def _pairs(matrix: Float[np.ndarray, "T T"]) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(len(matrix), 1)


def recurrence_rate(distance: Float[np.ndarray, "T T"]) -> float:
    """Share of the pairs closer than a quarter of s."""
    return float((distance[_pairs(distance)] < CLOSE).mean())


def correlation_dimension(distance: Float[np.ndarray, "T T"]) -> float:
    """Slope of the log of the correlation sum on the log of the radius, from s to s / 8."""
    inside = distance[_pairs(distance)]
    count = np.array([(inside < radius).sum() for radius in RADII])
    return float(np.polyfit(np.log(RADII), np.log(count + 1), 1)[0])


def determinism(distance: Float[np.ndarray, "T T"]) -> float:
    """Share of the recurrences whose predecessors or successors recur, too."""
    near = _recurrences(distance)
    padded = np.pad(near, 1)
    return float((padded[2:, 2:] | padded[:-2, :-2])[near].mean())


def laminarity(distance: Float[np.ndarray, "T T"]) -> float:
    """Share of the recurrences of one state that lie next to each other in time."""
    near = _recurrences(distance)
    padded = np.pad(near, 1)
    return float((padded[2:, 1:-1] | padded[:-2, 1:-1])[near].mean())


def _recurrences(distance: Float[np.ndarray, "T T"]) -> Bool[np.ndarray, "T T"]:
    """The tenth of the pairs that are closest, ties included; no state with itself."""
    threshold = np.quantile(distance[_pairs(distance)], SHARE, method="inverted_cdf")
    return (distance <= threshold) & ~np.eye(len(distance), dtype=bool)
