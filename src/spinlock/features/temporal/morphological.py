"""TEMPORAL, group morphological: sizes and shapes of what stands out in one field, 11 columns.

z is the field of one channel, standardized over the domain on a grid of 32² points whatever its
own grid (`coarse`). Excursion sets: high z ≥ 1, low z ≤ −1, middle z ≥ 0; clusters are their
4-connected components (high and low together), and wrap around. Counts have no gradient.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields
from spinlock.features.initial import GRID
from spinlock.features.initial_morphology import ROUNDING, components, excursions
from spinlock.features.temporal import coarse

SMALLEST = 0.1  # crossings per domain; added to the argument of a logarithm
MOST_BLOCKS = GRID**2 / 4  # of |χ|
WAVES = ((0, 1), (1, 0), (1, 1), (1, -1))  # (ky, kx) of the moments of a cluster


def compute(fields: Fields) -> Float[Tensor, "*B C 11"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined."""
    z, defined = coarse.standard(fields)
    sign = excursions(z).numpy()
    sign[~defined.numpy(), 0, 0] = 1  # a stand-in: every field has a cluster
    found = _clusters(sign) | _areas("high", sign > 0) | _areas("low", sign < 0)
    found["euler_middle"] = euler(z.numpy() >= -ROUNDING)
    stacked = np.stack([found[statistic(column)] for column in COLUMNS], -1)
    return coarse.restored(torch.from_numpy(stacked), defined, fields)


def _areas(name: str, inside: Bool[np.ndarray, "B H W"]) -> dict[str, Float[np.ndarray, "B"]]:
    """The three functionals of Minkowski of a set in the plane."""
    return {
        f"area_{name}": inside.mean((1, 2)),
        f"perimeter_{name}": np.log10(perimeter(inside) + SMALLEST),
        f"euler_{name}": euler(inside),
    }


def perimeter(inside: Bool[np.ndarray, "B H W"]) -> Float[np.ndarray, "B"]:
    """How often a straight line across the domain meets the boundary, mean of both axes."""
    changes = [(inside != np.roll(inside, 1, axis)).sum((1, 2)) for axis in (1, 2)]
    return (changes[0] + changes[1]) / (2 * inside.shape[-1])


def euler(inside: Bool[np.ndarray, "B H W"]) -> Float[np.ndarray, "B"]:
    r"""arsinh of the Euler characteristic, objects less holes, $\chi = (Q_1 - Q_3) / 4$.

    Q_n counts the blocks of 2 × 2 points of which n are inside (Gray 1971). It is the mean of 4-
    and 8-connectivity, so that a set and its complement have opposite χ.
    """
    pairs = inside.astype(np.int8) + np.roll(inside, 1, 1)
    blocks = pairs + np.roll(pairs, 1, 2)
    return np.arcsinh(((blocks == 1).sum((1, 2)) - (blocks == 3).sum((1, 2))) / 4)


def _clusters(sign: Int[np.ndarray, "B H W"]) -> dict[str, Float[np.ndarray, "B"]]:
    total, labels = components(sign)
    label = labels[sign != 0]
    kept, members = np.unique(label, return_inverse=True)
    owner = np.empty(total, dtype=np.int64)
    owner[labels.reshape(len(sign), -1)] = np.arange(len(sign))[:, None]
    owner, area = owner[kept], np.bincount(members)

    def over(values: Float[np.ndarray, "K"]) -> Float[np.ndarray, "B"]:
        return np.bincount(owner, values, minlength=len(sign))

    count, inside = over(np.ones(len(area))), over(area)
    size = np.log10(area)
    from_mean = size - (over(size) / count)[owner]
    largest = np.zeros(len(sign))
    np.maximum.at(largest, owner, area)
    return {
        "cluster_count": np.log10(count),
        "largest_cluster": largest / inside,
        "size_deviation": np.sqrt(over(from_mean**2) / count),
        "elongation": over(area * _elongation(sign, members, area)) / inside,
    }


def _elongation(
    sign: Int[np.ndarray, "B H W"], members: Int[np.ndarray, "P"], area: Int[np.ndarray, "K"]
) -> Float[np.ndarray, "K"]:
    r"""(λ1 − λ2) / (λ1 + λ2) of the moments of each cluster, which need no center.

    Moments are means over pairs of its points at distance (a, b): of $2 - 2 \cos 2\pi a$ (about
    $4\pi^2 a^2$, and periodic), of the same of b, and of $\sin 2\pi a \sin 2\pi b$; all of them
    from the power of the cluster at four waves. Points are squares: one alone is round.
    """
    y, x = (position / GRID for position in np.nonzero(sign)[1:])
    power = []
    for ky, kx in WAVES:
        phase = 2 * math.pi * (ky * y + kx * x)
        total = np.bincount(members, np.cos(phase)) ** 2 + np.bincount(members, np.sin(phase)) ** 2
        power.append(total * (np.sinc(ky / GRID) * np.sinc(kx / GRID) / area) ** 2)
    along_x, along_y = 2 - 2 * power[0], 2 - 2 * power[1]
    return np.hypot(along_x - along_y, power[3] - power[2]) / (along_x + along_y)


COLUMNS = columns(
    "temporal.morphological",
    (
        Line(
            "area_high",
            "share of the domain where z >= 1",
            "1",
            "Minkowski 1903; Mecke et al. 1994",
            "peaks that are few and high from peaks that are many and low",
            0,
            0.5,
        ),
        Line(
            "area_low",
            "share of the domain where z <= -1",
            "1",
            "Minkowski 1903; Mecke et al. 1994",
            "troughs that are few and deep from troughs that are many and shallow",
            0,
            0.5,
        ),
        Line(
            "perimeter_high",
            "log10(p + 0.1), p crossings of the boundary of z >= 1 on a line, mean of both axes",
            "log10 crossings per domain",
            "Minkowski 1903; Rice 1944",
            "ragged or many peaks from round and few",
            math.log10(SMALLEST),
            math.log10(GRID + SMALLEST),
        ),
        Line(
            "perimeter_low",
            "log10(p + 0.1), p crossings of the boundary of z <= -1 on a line, mean of both axes",
            "log10 crossings per domain",
            "Minkowski 1903; Rice 1944",
            "ragged or many troughs from round and few",
            math.log10(SMALLEST),
            math.log10(GRID + SMALLEST),
        ),
        Line(
            "euler_high",
            "arsinh((Q1 - Q3) / 4), Qn blocks of 2 x 2 points with n where z >= 1",
            "1",
            "Gray 1971",
            "separate peaks (> 0) from a net of ridges (< 0)",
            -math.asinh(MOST_BLOCKS),
            math.asinh(MOST_BLOCKS),
        ),
        Line(
            "euler_middle",
            "arsinh((Q1 - Q3) / 4), Qn blocks of 2 x 2 points with n where z >= 0",
            "1",
            "Gray 1971",
            "islands (> 0) from lakes (< 0) and from stripes (0)",
            -math.asinh(MOST_BLOCKS),
            math.asinh(MOST_BLOCKS),
        ),
        Line(
            "euler_low",
            "arsinh((Q1 - Q3) / 4), Qn blocks of 2 x 2 points with n where z <= -1",
            "1",
            "Gray 1971",
            "separate troughs (> 0) from a net of valleys (< 0)",
            -math.asinh(MOST_BLOCKS),
            math.asinh(MOST_BLOCKS),
        ),
        Line(
            "cluster_count",
            "log10 of the number of clusters",
            "decades",
            "Hoshen & Kopelman 1976",
            "one structure from many",
            0,
            math.log10(GRID**2),
        ),
        Line(
            "largest_cluster",
            "share of the largest cluster in the area of all",
            "1",
            "Stauffer & Aharony 1994",
            "a structure that spans from structures of equal rank",
            0,
            1,
        ),
        Line(
            "size_deviation",
            "standard deviation over clusters of log10 of their area",
            "decades",
            "after Stauffer & Aharony 1994",
            "a pattern with one size from clusters of all sizes",
            0,
            math.log10(GRID**2) / 2,
        ),
        Line(
            "elongation",
            "(l1 - l2) / (l1 + l2), l the eigenvalues of the periodic moments of a cluster; mean "
            "over clusters with weight area",
            "1",
            "after Bigun & Granlund 1987",
            "stripes and filaments from spots",
            0,
            1,
        ),
    ),
    Laws(
        rough={
            *("area_high", "area_low", "perimeter_high", "perimeter_low"),
            *("euler_high", "euler_middle", "euler_low"),
            *("cluster_count", "largest_cluster", "size_deviation", "elongation"),
        }
    ),
)
