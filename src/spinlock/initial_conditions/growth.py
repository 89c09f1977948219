"""Growing bodies: reaction fronts, and clusters grown by diffusion-limited aggregation."""

import cmath
import math
from collections.abc import Iterator
from functools import cache

import numpy as np

from spinlock.initial_conditions import torus

NUCLEI = (1, 4)
REACTED = (0.15, 0.5)  # area of all discs, share of the domain, overlaps counted twice
FRONT = (0.015, 0.03)  # ℓ, share of the domain

PARTICLES = 250
LATTICE = 64  # sites per axis; the largest clusters are about 56 wide
ARENA = 112  # sites per axis of the plane in which the walkers walk: clusters of a radius up to 49
BIRTH = 5  # sites between the cluster and the circle on which walkers are born
THICKNESS = 1.0  # standard deviation of a particle's image, sites


def reaction_front(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Discs of reacted matter that spread by fronts of Fisher's equation, [C, H, W].

    $u = (1 + e^{d / \ell})^{-2}$, the exact front of $\partial_t u = D \Delta u + r u (1 - u)$ at
    the speed $5 \sqrt{rD/6}$ (Fisher 1937; Ablowitz and Zeppetella 1979), $\ell = \sqrt{6 D/r}$
    uniform on [0.015, 0.03] of the domain; d is the distance to the union of 1 to 4 discs with
    uniform centers, whose areas share out 0.15 … 0.5 of the domain at random.
    """
    return np.stack([_fronts(grid_size, rng) for _ in range(channels)])


def _fronts(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(*NUCLEI, endpoint=True))
    areas = rng.uniform(*REACTED) * rng.dirichlet(np.ones(count))
    length = rng.uniform(*FRONT)
    offsets = torus.offsets(rng.uniform(0.0, 1.0, (count, 2)), grid_size)
    distance = (np.hypot(*offsets) - np.sqrt(areas / np.pi)[:, None, None]).min(0)
    return (1 + np.exp(distance / length)) ** -2.0


def dla_cluster(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Clusters grown by diffusion-limited aggregation around uniform places, [C, H, W].

    $u = 2(1 - e^{-n})$ with $n = \sum_j e^{-|x - x_j|^2 / 2w^2}$ over the particles of `cluster`,
    one site being 1/64 of the domain and w one site.
    """
    return np.stack([_dla(grid_size, rng) for _ in range(channels)])


def _dla(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    places = rng.uniform(0.0, 1.0, 2) + cluster(PARTICLES, rng) / LATTICE
    shifts = torus.offsets(places, grid_size)
    rows, columns = (np.exp(-0.5 * np.square(s * LATTICE / THICKNESS)) for s in shifts)
    number = np.einsum("jy,jx->yx", rows[:, :, 0], columns[:, 0], optimize=False)
    return 2 * (1 - np.exp(-number))


def cluster(particles: int, rng: np.random.Generator) -> np.ndarray:
    """Sites (y, x) [particles, 2] of a cluster around 0, in the order of their arrival.

    Each walker comes from far away and stays where it first touches the cluster (Witten and
    Sander 1981, "Diffusion-limited aggregation, a kinetic critical phenomenon"): fractal dimension
    1.71 (Meakin and Tolman 1989). `_distances` makes the leaps that empty space allows.
    """
    half = ARENA // 2
    table, uniform = _distances(), _uniforms(rng)
    nearest = table[half : half + ARENA, half : half + ARENA].copy()
    sites, radius = [(0, 0)], 0.0
    for _ in range(particles - 1):
        y, x = _walk(nearest, radius, uniform)
        sites.append((y, x))
        radius = max(radius, math.hypot(y, x))
        window = table[half - y : half - y + ARENA, half - x : half - x + ARENA]
        np.minimum(nearest, window, out=nearest)
    return np.array(sites)


def _walk(nearest: np.ndarray, radius: float, uniform: Iterator[float]) -> tuple[int, int]:
    """One random walk from a circle around the cluster to a site that touches it.

    A circle that is empty may be left at once, at a uniform angle; a walker far out returns to the
    circle of birth where a Brownian path does (the Poisson kernel of the outside).
    """
    half, birth = ARENA // 2, radius + BIRTH
    place = cmath.rect(birth, 2 * math.pi * next(uniform))
    while True:
        y, x = round(place.imag), round(place.real)
        free = float(nearest[y + half, x + half])
        if free <= 1:
            return y, x
        if free < 3:  # to a neighboring site
            place = complex(x, y) + 1j ** int(4 * next(uniform))
        else:
            place = complex(x, y) + cmath.rect(free - 1, 2 * math.pi * next(uniform))
        out = abs(place)
        if out > birth + 2:
            bend = (out - birth) / (out + birth) * math.tan(math.pi * (next(uniform) - 0.5))
            place = cmath.rect(birth, cmath.phase(place) + 2 * math.atan(bend))


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(4096).tolist()


@cache
def _distances() -> np.ndarray:
    """Distance from the middle of a square twice as wide as the arena, in sites."""
    axis = np.arange(-ARENA, ARENA)
    return np.hypot(axis[:, None], axis)
