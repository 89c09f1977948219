"""Section `extract` of params.yaml."""

from collections.abc import Iterable

from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.features import names
from spinlock.params import STRICT


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `extract` of params.yaml: which operators and groups of columns, in which order."""

    further_draws: int = Field(ge=0)  # of u0 and noise of each training operator, for the tokenizer
    max_operators: int | None = Field(ge=1)  # only the first of the table; null: all
    summary_groups: tuple[str, ...] = Field(min_length=1)
    temporal_groups: tuple[str, ...] = Field(min_length=1)

    def __post_init__(self) -> None:
        _check("summary_groups", self.summary_groups, names.SUMMARY_GROUPS)
        _check("temporal_groups", self.temporal_groups, names.TEMPORAL_GROUPS)


def _check(key: str, groups: tuple[str, ...], known: Iterable[str]) -> None:
    allowed = ", ".join(known)
    for group in groups:
        if group not in known:
            raise ValueError(f"{key}: allowed {allowed}; got {group!r}")
    if len(set(groups)) < len(groups):
        raise ValueError(f"{key}: a group is named twice: {', '.join(groups)}")
