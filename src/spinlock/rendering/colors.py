"""Fields become colors, by one scale for the whole rollout."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spinlock.refusals import Refusal

INSIDE = 0.999  # share of the values of |u| that a scale holds; the others take its last color
GROWTH = 8.0  # a scale is at most so many times that of u0, or an explosion would hide the rest
ROUNDING = 1e-4  # share of the first component's size below which another is not drawn larger


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """The principal components of a state's channels."""

    center: Float[np.ndarray, "C"]
    components: Float[np.ndarray, "3 C"]  # orthonormal rows, by falling variance; else zero
    share: Float[np.ndarray, "3"]  # of the variance


def reach(values: Float[np.ndarray, "..."]) -> float:
    """The size that a share `INSIDE` of the finite values stays below; 1 if there is none."""
    finite = np.abs(values[np.isfinite(values)])
    return (float(np.quantile(finite, INSIDE)) if finite.size else 0.0) or 1.0


def extent(u: Float[np.ndarray, "R S *field"]) -> float:
    """The reach of a whole rollout, but not more than `GROWTH` times that of its first frame."""
    return min(reach(u), GROWTH * reach(u[:, 0]))


def symmetric(
    values: Float[np.ndarray, "..."], scale: float | Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """-scale … scale to 0 … 1, so that zero is the middle; values beyond are cut off."""
    return np.clip(0.5 + 0.5 * values / scale, 0.0, 1.0)


def rgb(u: Float[np.ndarray, "*batch 3 H W"], scale: float) -> Float[np.ndarray, "*batch H W 3"]:
    """Three channels as red, green and blue; gray is zero.

    Raises:
        Refusal: there are not three channels.
    """
    if u.shape[-3] != 3:
        raise Refusal(
            f"--mode rgb: expected 3 channels, got {u.shape[-3]}; heatmap and pca take any"
        )
    return np.moveaxis(symmetric(u, scale), -3, -1)


def fit(u: Float[np.ndarray, "... C H W"]) -> Projection:
    r"""The first three principal components of the states u(x) ∈ R^C of a whole rollout.

    Eigenvectors of the covariance of the channels over all points, steps and realizations that are
    finite; each with its largest weight positive. With fewer than three channels the others are
    zero.
    """
    states = np.moveaxis(u, -3, -1).reshape(-1, u.shape[-3]).astype(np.float64)
    states = states[np.isfinite(states).all(1)]
    center = states.mean(0)
    covariance = np.cov(states - center, rowvar=False, bias=True).reshape(2 * (len(center),))
    values, vectors = np.linalg.eigh(covariance)
    ordered, rows = values[::-1][:3].clip(0.0), vectors.T[::-1][:3]
    signs = np.sign(np.take_along_axis(rows, np.abs(rows).argmax(1)[:, None], 1))
    missing = 3 - len(rows)
    return Projection(
        center=center,
        components=np.pad(rows * signs, ((0, missing), (0, 0))),
        share=np.pad(ordered, (0, missing)) / (values.sum() or 1.0),
    )


def extents(scores: Float[np.ndarray, "R S 3 H W"]) -> Float[np.ndarray, "3 1 1"]:
    """A scale for each component, and none for what is rounding beside the first."""
    sizes = np.array([extent(scores[:, :, j]) for j in range(3)])
    return np.maximum(sizes, ROUNDING * sizes[0])[:, None, None]


def project(
    u: Float[np.ndarray, "*batch C H W"], projection: Projection
) -> Float[np.ndarray, "*batch 3 H W"]:
    """Coordinates of each state along the components."""
    states = np.moveaxis(u, -3, -1) - projection.center
    return np.moveaxis(states @ projection.components.T, -1, -3)
