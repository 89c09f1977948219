"""Shapes in one standardized field: clusters, spread, symmetry. Neighbors wrap around."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

THRESHOLD = 1.0  # standard deviations; a varying field always reaches one
ROUNDING = 1e-5  # so that a field of two values, all of them at one, does too
REACH = 0.25  # of the domain, the disk of the radial gradient


def excursions(z: Float[Tensor, "B H W"]) -> Int[Tensor, "B H W"]:
    """+1 where z ≥ 1, -1 where z ≤ -1, else 0: what stands out, with its sign."""
    return torch.where(z.abs() >= THRESHOLD - ROUNDING, z.sign(), 0).to(torch.int8)


def area_density(sign: Int[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    """Share of the domain that stands out."""
    return (sign != 0).double().mean((-2, -1))


def clusters(
    sign: Int[Tensor, "B H W"],
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:
    """Count of periodic 4-connected clusters of equal sign, and the share of the largest."""
    values = sign.cpu().numpy()
    total, labels = components(values)
    area = np.bincount(labels[values != 0], minlength=total)
    owner = np.zeros(total, dtype=np.int64)
    owner[labels.reshape(len(values), -1)] = np.arange(len(values))[:, None]
    owner, area = owner[area > 0], area[area > 0]
    count = np.bincount(owner, minlength=len(values))
    largest = np.zeros(len(values))
    np.maximum.at(largest, owner, area)
    share = largest / np.count_nonzero(values, axis=(1, 2))
    return torch.from_numpy(count.astype(np.float64)), torch.from_numpy(share)


def components(values: Int[np.ndarray, "B H W"]) -> tuple[int, Int[np.ndarray, "B H W"]]:
    """Label the periodic 4-connected components of equal value that is not zero.

    All fields are one graph, labeled in one call: a library's image labels would cut the objects
    at the seam.

    Returns:
        The number of labels, over all fields, and the label of each point. A point of value zero
        has one of its own.
    """
    node = np.arange(values.size, dtype=np.int32).reshape(values.shape)
    ends = np.concatenate([_edges(values, node, axis) for axis in (1, 2)], axis=1)
    graph = coo_array((np.ones(ends.shape[1], dtype=np.int8), (ends[0], ends[1])), (node.size,) * 2)
    total, labels = connected_components(graph, directed=False)
    return total, labels.reshape(values.shape)


def _edges(values: np.ndarray, node: np.ndarray, axis: int) -> np.ndarray:
    """Pairs of neighbors along an axis that stand out with one sign, [2, E]."""
    joined = (values != 0) & (values == np.roll(values, -1, axis))
    return np.stack([node[joined], np.roll(node, -1, axis)[joined]])


def morans_i(z: Float[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""Moran's I, $\langle z(x)\, z(x + e) \rangle$ over the four neighbors e of each point."""
    neighbors = z.roll(1, -1) + z.roll(1, -2)  # the other two give the same products
    return (z * neighbors).mean((-2, -1)) / 2


def centroid_distance(z: Float[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""Root mean square distance of the energy from its circular centroid, share of the domain.

    Distance along chords: $|e^{2\pi i x} - e^{2\pi i c}| / 2\pi$ for each axis. With the weights
    $z^2$ and the resultants $R = |\langle z^2 e^{2\pi i x} \rangle|$ its mean square is
    $(4 - 2 R_y - 2 R_x) / 4\pi^2$, which exists even where the centroid does not (R = 0): from 0
    for one point to $1 / \pi$ for energy spread evenly.
    """
    energy = z.square()
    angle = torch.arange(z.shape[-1], dtype=z.dtype, device=z.device) * (2 * math.pi / z.shape[-1])
    resultants = [
        torch.hypot((profile * angle.cos()).mean(-1), (profile * angle.sin()).mean(-1))
        for profile in (energy.mean(-1), energy.mean(-2))
    ]
    return (4 - 2 * resultants[0] - 2 * resultants[1]).clamp(min=0).sqrt() / (2 * math.pi)


def radial_gradient(peak: Float[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    """Least-squares slope of z on the distance r ≤ 1/4 from its peak, which is at the origin.

    In standard deviations per unit length of the domain; negative, steep for narrow blobs.
    """
    size = peak.shape[-1]
    line = torch.arange(size, dtype=peak.dtype, device=peak.device) / size
    line = torch.minimum(line, 1 - line)
    distance = torch.hypot(line[:, None], line[None, :])
    inside = distance <= REACH
    r = distance[inside] - distance[inside].mean()
    return (peak[:, inside] * r).sum(-1) / r.square().sum()


def rotational_symmetry(z: Float[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""Correlation with itself rotated by 90° about the best center, $\max_a \langle z(x) z(Qx + a)
    \rangle$: 1 for a lattice of squares, 0 for one plane wave. No center has to be chosen.
    """
    modes = torch.fft.rfft2(z, norm="forward")
    turned = torch.fft.rfft2(torch.rot90(z, 1, (-2, -1)), norm="forward")
    correlation = torch.fft.irfft2(modes * turned.conj(), s=z.shape[-2:], norm="forward")
    return correlation.amax((-2, -1))
