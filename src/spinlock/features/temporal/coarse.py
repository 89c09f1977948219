"""One grid for counts: what has no derivative is computed on 32² points, whatever the field's grid.

Counts (clusters, holes) of a field with power at the scale of its grid would depend on the grid.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features import initial
from spinlock.features.fields import Fields
from spinlock.features.initial import GRID
from spinlock.features.numerics import RESOLUTION


def standard(
    fields: Fields,
) -> tuple[Float[Tensor, "n {GRID} {GRID}"], Bool[Tensor, "n"]]:
    """Evaluate the Fourier series of each z on 32² points, and standardize it there, in float64.

    Field by field, so that the batch cannot reach a bit. Without a gradient.

    Returns:
        Fields, batch and channels flattened, and whether each is defined: whether its waves below
        16 cycles per domain have more variance than rounding. Zero where not.
    """
    found = [_standard(z) for z in fields.z.detach().double().flatten(0, -3).split(1)]
    defined = torch.tensor([z is not None for z in found], dtype=torch.bool)
    absent = torch.zeros(1, GRID, GRID, dtype=torch.float64)
    grid = torch.cat([absent if z is None else z.cpu() for z in found])
    return grid, defined & fields.defined.flatten().cpu()


def restored(
    values: Float[Tensor, "n D"], defined: Bool[Tensor, "n"], fields: Fields
) -> Float[Tensor, "*B C D"]:
    """Give back batch, channels, type and device; NaN where a field is not defined."""
    found = torch.where(defined[:, None], values, torch.nan)
    return found.to(fields.z).reshape(*fields.z.shape[:-2], -1)


def _standard(z: Float[Tensor, "1 H W"]) -> Float[Tensor, "1 {GRID} {GRID}"] | None:
    coarse = initial.resample(z, GRID)
    spread = coarse.std(correction=0)
    return initial.standardize(coarse) if float(spread) > RESOLUTION else None
