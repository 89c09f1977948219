"""Update policies: how the next state follows from the state u and the operator's output O(u).

All three are u' = keep · u + gain · O(u); a policy is a pair of coefficients.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from spinlock.sampling.theta import Theta


def autoregressive(theta: Theta) -> tuple[float, float]:
    """u' = O(u)."""
    return 0.0, 1.0


def residual(theta: Theta) -> tuple[float, float]:
    """u' = u + dt · O(u)."""
    return 1.0, theta.dt


def convex(theta: Theta) -> tuple[float, float]:
    """u' = α · u + (1 − α) · O(u)."""
    return theta.alpha, 1.0 - theta.alpha


POLICIES: dict[str, Callable[[Theta], tuple[float, float]]] = {
    "autoregressive": autoregressive,
    "residual": residual,
    "convex": convex,
}


def coefficients(theta: Theta) -> tuple[float, float]:
    """The pair (keep, gain) of an operator's policy."""
    return POLICIES[theta.update_policy](theta)


def advance(
    u: Float[Tensor, "*batch C H W"],
    output: Float[Tensor, "*batch C H W"],
    keep: float | Float[Tensor, "*batch 1 1 1"],
    gain: float | Float[Tensor, "*batch 1 1 1"],
) -> Float[Tensor, "*batch C H W"]:
    """The next state, u' = keep · u + gain · O(u); differentiable, and batched over operators."""
    return keep * u + gain * output
