"""θ as numbers: the columns that the agent, probes and the family ARCHITECTURE see."""

import math
from collections.abc import Iterator, Sequence

from spinlock.sampling import space
from spinlock.sampling.space import Choice, Continuous, Dimension
from spinlock.sampling.theta import Theta

# parameter → (the parameter that switches it on, the value that does)
SWITCHES = {
    "num_layers": ("operator_type", "cnn"),
    "kernel_size": ("operator_type", "cnn"),
    "encoder_levels": ("operator_type", "u_afno"),
    "mode_share": ("operator_type", "u_afno"),
    "afno_blocks": ("operator_type", "u_afno"),
    "blocks_per_level": ("operator_type", "u_afno"),
    "dt": ("update_policy", "residual"),
    "alpha": ("update_policy", "convex"),
    "schedule_period": ("noise_schedule", "periodic"),
}

Column = tuple[str, str, list[float]]  # name, kind, values


def columns(dimensions: Sequence[Dimension], theta: Sequence[Theta]) -> list[Column]:
    """The columns of all dimensions that vary; see `table.theta_features`."""
    return [
        column
        for dimension in space.varying(dimensions)
        for column in _columns(dimension, dimensions, theta)
    ]


def reachable(dimensions: Sequence[Dimension], name: str) -> bool:
    """Whether some operator of the space has a parameter in use."""
    if name not in SWITCHES:
        return True
    switch, value = SWITCHES[name]
    return value in space.extremes(space.named(dimensions, switch))


def _columns(
    dimension: Dimension, dimensions: Sequence[Dimension], theta: Sequence[Theta]
) -> Iterator[Column]:
    name = dimension.name
    values = [getattr(t, name) for t in theta]
    if isinstance(dimension, Choice):
        for choice in dimension.choices:
            yield f"{name}={choice}", "choice", [float(value == choice) for value in values]
        return
    if isinstance(dimension, Continuous) and dimension.scale == "log":
        values = [math.log10(value) for value in values]
    if name not in SWITCHES:
        yield name, "numeric", values
        return
    switch, on = SWITCHES[name]
    if not reachable(dimensions, name):
        return
    active = [float(getattr(t, switch) == on) for t in theta]
    used = [value if flag else 0.0 for value, flag in zip(values, active, strict=True)]
    yield name, "numeric", used
    if len(space.extremes(space.named(dimensions, switch))) > 1:
        yield f"{name}.active", "active", active
