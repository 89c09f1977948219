"""What is known about one feature: its name and everything needed to read its value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One named number, a pure function of a field or a trajectory."""

    name: str  # `family.group.statistic`
    formula: str  # in symbols or in one short sentence
    unit: str  # "1" if dimensionless
    source: str  # who defined it
    differentiable: bool  # whether a gradient with respect to the field exists almost everywhere
