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
    counter = np.array([0, 0, step, realization], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=_key(seed, purpose, operator), counter=counter))


class Streams:
    """The streams of one purpose and operator, to go through quickly.

    `at` gives the numbers of `stream`, twenty times sooner: the key is hashed once, and one
    generator moves from place to place. It belongs to one thread.
    """

    def __init__(self, seed: int, purpose: str, operator: int = SHARED) -> None:
        self._bits = np.random.Philox(key=_key(seed, purpose, operator))
        self._start = self._bits.state  # with an empty buffer
        self._generator = np.random.Generator(self._bits)

    def at(self, realization: int, step: int) -> np.random.Generator:
        """The stream of one realization and step, until the next call."""
        self._start["state"]["counter"][2:] = step, realization
        self._bits.state = self._start
        return self._generator


def _key(seed: int, purpose: str, operator: int) -> np.ndarray:
    """Philox's key: a hash of the names."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{operator}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def integer_seed(seed: int, purpose: str, operator: int = SHARED) -> int:
    """A 32-bit seed for a library that takes nothing better (scikit-learn)."""
    return int(stream(seed, purpose, operator).integers(2**32))
