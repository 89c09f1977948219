"""One random stream per (root seed, operator, purpose, realization, step), and no other.

Every stream is a Philox4x64 generator (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"). The key is a hash of seed, purpose and operator; realization and step are the high
words of the counter. Streams therefore do not depend on what was drawn before, and are disjoint:
2^128 numbers lie between two neighbours. (A `torch.Generator` on the CPU keeps 32 bits of its
seed, too few for the 10^8 streams of a large set.)
"""

import hashlib

import numpy as np

SHARED = -1  # the "operator" of draws that belong to the whole set


def stream(
    seed: int, purpose: str, operator: int = SHARED, realization: int = 0, step: int = 0
) -> np.random.Generator:
    """The random stream of one purpose.

    Args:
        seed: root seed of the project, `seed` in params.yaml.
        purpose: what the numbers are for, such as `"noise"` or `"dropout/2"`.
        operator: operator id, or `SHARED`.
        realization: index r of the realization.
        step: index of the time step.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{operator}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8").astype(np.uint64)
    counter = np.array([0, 0, step, realization], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def integer_seed(seed: int, purpose: str, operator: int = SHARED) -> int:
    """A 32-bit seed for a library that takes nothing better (scikit-learn)."""
    return int(stream(seed, purpose, operator).integers(2**32))
