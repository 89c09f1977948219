"""What is known about one feature: its name and everything needed to read its value."""

from dataclasses import dataclass
from typing import Literal

Scaling = Literal["invariant", "log", "other"]  # u → c u, c > 0: unchanged; + log10 c; named
Rotation = Literal["invariant", "negated", "other"]  # by 90°


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One named number, a pure function of a field or a trajectory."""

    name: str  # `family.group.statistic`
    formula: str  # in symbols or in one short sentence
    unit: str  # "1" if dimensionless
    source: str  # who defined it
    purpose: str  # what it is for: the behavior that it tells apart
    low: float  # closed bounds of its value; infinite where there is none
    high: float
    differentiable: bool  # whether a gradient with respect to the field exists almost everywhere
    scaling: Scaling
    rotation: Rotation
    translation: bool  # whether it is invariant to translation, time by time the same
