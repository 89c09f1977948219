"""TEMPORAL, optional group distributional: the values of one field without their places, 8 columns.

z_(1) ≤ … ≤ z_(n) are the sorted values of a channel, standardized over the domain; a_(i) the sorted
|z|. Φ is the standard normal distribution. The values are taken as the whole distribution, not as a
sample of it (no correction for n), so that a finer grid changes nothing but the sum's error.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields, ascending

DISTANCE = 1e-3  # added to a distance from the normal distribution: few values make as much
ATOM = 1e-6  # deviations; added to the arguments of a logarithm, which may be zero
TAIL = 20  # the tail is the largest 1 / 20 of |z|


def compute(fields: Fields) -> Float[Tensor, "*B C 8"]:
    """The columns of every channel, as in `COLUMNS`; NaN where undefined."""
    z = fields.ascending
    found = _l_moments(z) | _normality(z) | {"separability": _separability(z)}
    found |= _concentration(ascending(z.abs()))
    return fields.masked(torch.stack([found[statistic(column)] for column in COLUMNS], -1))


@lru_cache(maxsize=16)
def _levels(
    count: int, device: torch.device, dtype: torch.dtype
) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"], Float[Tensor, "3 M"]]:
    """Levels i / n, normal quantiles at (i − 1/2) / n, weights of the L-moments 2, 3, 4."""
    edge = torch.arange(count + 1, dtype=torch.float64) / count
    middle = torch.special.ndtri(edge[1:] - 0.5 / count)
    # integrals of the shifted Legendre polynomials 1, 2, 3 from 0 to p
    integrals = [
        edge**2 - edge,
        2 * edge**3 - 3 * edge**2 + edge,
        5 * edge**4 - 10 * edge**3 + 6 * edge**2 - edge,
    ]
    weight = torch.stack(integrals).diff(dim=-1)
    return edge[1:].to(device, dtype), middle.to(device, dtype), weight.to(device, dtype)


def _l_moments(z: Float[Tensor, "*B M"]) -> dict[str, Float[Tensor, "*B"]]:
    weights = _levels(z.shape[-1], z.device, z.dtype)[2]
    scale, skewness, kurtosis = ((z * weight).sum(-1) for weight in weights)
    return {"l_skewness": skewness / scale, "l_kurtosis": kurtosis / scale}


def _normality(z: Float[Tensor, "*B M"]) -> dict[str, Float[Tensor, "*B"]]:
    count = z.shape[-1]
    level, normal, _ = _levels(count, z.device, z.dtype)
    expected = torch.special.ndtr(z)
    weight = 2 * level - 1 / count
    log = weight * torch.special.log_ndtr(z) + (2 - weight) * torch.special.log_ndtr(-z)
    return {
        "wasserstein": ((z - normal).abs().mean(-1) + DISTANCE).log10(),
        "kolmogorov": torch.maximum(level - expected, expected - level + 1 / count).amax(-1),
        # close to -1: float32 would keep four digits of the difference
        "anderson_darling": (DISTANCE - 1 - log.mean(-1, dtype=torch.float64)).log10().to(z),
    }


def _separability(z: Float[Tensor, "*B M"]) -> Float[Tensor, "*B"]:
    """The largest share of the variance that lies between the values below and above a level."""
    count = z.shape[-1]
    below = _levels(count, z.device, z.dtype)[0][:-1]
    partial = (z.cumsum(-1) / count)[..., :-1]
    return (partial.square() / (below * (1 - below))).amax(-1)


def _concentration(a: Float[Tensor, "*B M"]) -> dict[str, Float[Tensor, "*B"]]:
    count = a.shape[-1]
    level = _levels(count, a.device, a.dtype)[0]
    energy, tail = a.square(), max(1, round(count / TAIL))
    log = (a[..., -tail - 1 :] + ATOM).log()
    return {
        "energy_gini": (energy * (2 * level - 1 - 1 / count)).mean(-1) / energy.mean(-1),
        "tail_index": log[..., 1:].mean(-1) - log[..., 0],
    }


COLUMNS = columns(
    "temporal.distributional",
    (
        Line(
            "l_skewness",
            "L3 / L2, L_r = sum z_(i) times the integral of the shifted Legendre polynomial r - 1"
            " from (i - 1)/n to i/n",
            "1",
            "Hosking 1990",
            "lopsided values, told without the weight that a few extremes have in the skewness",
            -1,
            1,
        ),
        Line(
            "l_kurtosis",
            "L4 / L2",
            "1",
            "Hosking 1990",
            "two plateaus (negative) from a bell (0.12) from rare peaks (near 1)",
            -0.25,
            1,
        ),
        Line(
            "wasserstein",
            "log10(mean |z_(i) - probit((i - 1/2)/n)| + 1e-3)",
            "log10 deviations",
            "Kantorovich 1942",
            "how far the operator has driven the values from Gaussian ones, tails included",
            -3,
        ),
        Line(
            "kolmogorov",
            "max |F(z) - Phi(z)|, F the distribution of the values",
            "1",
            "Kolmogorov 1933",
            "steps in the distribution: saturation at a level",
            0,
            1,
        ),
        Line(
            "anderson_darling",
            "log10(A^2/n + 1e-3), A^2/n = int (F - Phi)^2 / (Phi (1 - Phi)) dPhi",
            "decades",
            "Anderson & Darling 1952",
            "tails that are cut off or heavy",
            -3,
        ),
        Line(
            "separability",
            "max over levels of the share of the variance between the two sides of the level",
            "1",
            "Otsu 1979",
            "two phases (1) from one (Gaussian: 0.64), wherever the level between them lies",
            0,
            1,
        ),
        Line(
            "energy_gini",
            "Gini coefficient of z^2",
            "1",
            "Gini 1912",
            "energy in a few places from energy everywhere",
            0,
            1,
        ),
        Line(
            "tail_index",
            "mean ln((a_(i) + 1e-6) / (a_(n-m) + 1e-6)) over the m = n/20 largest",
            "nats",
            "Hill 1975",
            "a bounded tail (small) from an exponential from a power law (large)",
            0,
        ),
    ),
    Laws(),
)
