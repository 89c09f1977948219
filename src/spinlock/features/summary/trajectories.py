"""What the groups of SUMMARY are computed from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from spinlock.features.summary import series
from spinlock.features.summary.series import Series

Step = Callable[[Float[Tensor, "*B C H W"]], Float[Tensor, "*B C H W"]]


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: cached properties live in __dict__
class Trajectories:
    """Some trajectories, and what their columns share."""

    u: Float[Tensor, "*B T C H W"]  # u_1 … u_T
    u0: Float[Tensor, "*B C H W"]
    numbers: dict[str, Float[Tensor, "*B T D"]]  # of each step, by the group that asked for them
    step: Step | None  # u_(T-1) → u_T with the noise of step T; None where it is not known

    @cached_property
    def series(self) -> Series:
        """A few numbers per step."""
        return series.measure(self.u, self.u0)
