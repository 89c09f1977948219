"""How far a trajectory, written in symbols, can be compressed; for the group nonlinear."""

import math
import zlib

import numpy as np
from jaxtyping import Float
from torch import Tensor

from spinlock.features import initial
from spinlock.features.initial import GRID
from spinlock.features.initial_information import count_phrases
from spinlock.features.numerics import RESOLUTION

LEVELS = 255  # odd: the middle of a range is no edge, where rounding would choose
EFFORT = 6  # of zlib, its default
SPARSE = 2  # points per axis to the one that is parsed


def levels(u: Float[Tensor, "T C H W"]) -> Float[np.ndarray, "T C {GRID} {GRID}"]:
    """The trajectory on 32² points, whatever its grid, each channel from 0 to 1.

    The range is that of the channel over the trajectory; a channel that is constant up to
    rounding is 0.
    """
    fields = u.double().flatten(0, 1)
    values = initial.resample(fields, GRID).unflatten(0, u.shape[:2]).cpu().numpy()
    low, high = (bound(values, (0, 2, 3), keepdims=True) for bound in (np.min, np.max))
    moves = high - low > RESOLUTION * np.maximum(np.abs(low), np.abs(high))
    return np.where(moves, (values - low) / np.where(moves, high - low, 1), 0)


def gzip_ratio(level: Float[np.ndarray, "T C H W"]) -> float:
    """Size after over size before compression of the levels as bytes, frame after frame.

    The size is that of zlib (DEFLATE, as in gzip) at effort 6. Other versions of zlib may
    find slightly longer or shorter codes.
    """
    symbols = np.minimum(level * LEVELS, LEVELS - 1).astype(np.uint8).tobytes()
    return len(zlib.compress(symbols, EFFORT)) / len(symbols)


def lempel_ziv(level: Float[np.ndarray, "T C H W"]) -> float:
    r"""Bits per symbol of the incremental parsing of Ziv & Lempel 1978, $c \log_2 c / n$.

    A symbol says whether a level is above the median of its channel; the history of one point
    after that of another, every second point of both axes.
    """
    above = level > np.median(level, (0, 2, 3), keepdims=True) + RESOLUTION
    symbols = above[:, :, ::SPARSE, ::SPARSE].transpose(1, 2, 3, 0).astype(np.uint8).tobytes()
    count = count_phrases(symbols)
    return count * math.log2(count) / len(symbols)
