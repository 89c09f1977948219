"""The operator table: which operators there are, in memory and in `data/operators.h5`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from spinlock.sampling.space import Dimension, extremes, named
from spinlock.sampling.theta import Theta

__all__ = ["Operators", "Theta"]
SPLITS = ("train", "validation", "test", "held_out")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operators:
    """The operators of a design, one a row; a subset keeps their ids."""

    seed: int  # root seed
    ids: Int[np.ndarray, "N"]  # places in the design
    channels: int  # C
    grid_size: int  # H = W
    max_width: int  # cap of hidden widths
    weights: str  # "basis" | "independent"
    unit: Float[np.ndarray, "N Q"]  # design points of the varying dimensions
    weights_z: Float32[np.ndarray, "N m"]  # on the unit sphere; m = 0 if weights are independent
    dimensions: tuple[Dimension, ...]  # the declared space, with the fixed ones
    theta: tuple[Theta, ...]
    ic_types: tuple[str, ...]  # variant of initial condition
    split: tuple[str, ...]  # one of `SPLITS`
    held_out: Bool[np.ndarray, "N G"]  # membership of held-out groups
    held_out_groups: tuple[str, ...]  # such as "ic_variant:band_limited_high", "theta_corner"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def max_layers(self) -> int:
        """Depth of the deepest operator of the space (not only of these rows)."""
        return self._largest("num_layers")

    @property
    def max_base_channels(self) -> int:
        """Base width of the widest operator of the space."""
        return self._largest("base_channels")

    @property
    def max_kernel(self) -> int:
        """Kernel size of the operator of the space with the largest one."""
        return self._largest("kernel_size")

    def _largest(self, name: str) -> int:
        return max(int(value) for value in extremes(named(self.dimensions, name)))

    def take(self, indices: Sequence[int] | Int[np.ndarray, "n"] | slice) -> "Operators":
        """The operators at some positions (not ids), in that order."""
        at = np.arange(len(self))[indices]
        return replace(
            self,
            ids=self.ids[at],
            unit=self.unit[at],
            weights_z=self.weights_z[at],
            theta=tuple(self.theta[i] for i in at),
            ic_types=tuple(self.ic_types[i] for i in at),
            split=tuple(self.split[i] for i in at),
            held_out=self.held_out[at],
        )

    def rows(self, name: str) -> Int[np.ndarray, "n"]:
        """Positions of the operators of a split or of a held-out group, ascending.

        Raises:
            ValueError: there is no such split or group.
        """
        if name in SPLITS:
            return np.flatnonzero(np.array(self.split) == name)
        if name in self.held_out_groups:
            return np.flatnonzero(self.held_out[:, self.held_out_groups.index(name)])
        known = ", ".join((*SPLITS, *self.held_out_groups))
        raise ValueError(f"rows: expected one of {known}; got {name!r}")
