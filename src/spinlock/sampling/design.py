"""The design: scrambled Sobol points of the unit cube, and of the sphere of weights.

Points of one seed and one number of coordinates are prefix-stable: the first n points of a larger
design are the smaller design. Adding a dimension changes them all, so the table stores them.
"""

import numpy as np
from jaxtyping import Float, Float32
from scipy.special import ndtri
from scipy.stats import qmc

from spinlock import randomness

BITS = 30  # of a Sobol coordinate


def points(seed: int, count: int, coordinates: int) -> Float[np.ndarray, "N Q"]:
    """Scrambled Sobol points in [0, 1).

    Linear matrix scramble and digital shift (Matoušek 1998, "On the L2-discrepancy for anchored
    boxes"), as scipy draws them. A count that is no power of two is a cut through the next larger
    design: allowed, at the price of balance.
    """
    # scipy spawns from the generator's seed sequence, which a keyed Philox has not.
    entropy = randomness.stream(seed, "design").integers(2**32, size=4)
    rng = np.random.default_rng(entropy)
    sobol = qmc.Sobol(coordinates, scramble=True, bits=BITS, rng=rng)
    return sobol.random_base2((count - 1).bit_length())[:count]


def on_sphere(unit: Float[np.ndarray, "N m"]) -> Float32[np.ndarray, "N m"]:
    """Map points of the unit cube to the unit sphere, uniformly.

    Each coordinate goes through the inverse normal distribution function, taken at the middle of
    its Sobol cell (the lower edge of the first would be -∞); the vector is then normalized
    (Muller 1959, "A note on a method for generating points uniformly on n-dimensional spheres").
    """
    normal = ndtri(unit + 2.0 ** -(BITS + 1))
    return (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32)


def weights(unit: Float[np.ndarray, "N m"], num_sets: int) -> Float32[np.ndarray, "N num_sets"]:
    """Coefficients z of the weight basis, on the unit sphere.

    Args:
        unit: the design's coordinates for z; none if there is one weight set or no basis.
        num_sets: m; 0 if weights are independent.

    Returns:
        z [N, m]; for m = 1 all +1, for m = 0 no column.
    """
    if num_sets > 1:
        return on_sphere(unit)
    return np.ones((len(unit), num_sets), dtype=np.float32)
