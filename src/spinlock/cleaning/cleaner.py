"""The fitted cleaner: raw columns in, standardized columns and masks out, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from spinlock.cleaning.sets import FAMILIES, Cleaned, FeatureSet
from spinlock.refusals import Refusal

KNEE = 0.8  # share of the clip limit up to which the smooth clip is the identity
State = Mapping[str, Mapping[str, Tensor | list[str]]]  # by family and statistic
SPREADS = (".std", ".cv")  # endings of the columns that one realization does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What is known about the D columns of one family, the dropped ones too."""

    names: tuple[str, ...]
    reasons: tuple[str, ...]  # why dropped: one of `report.REASONS`; "" if kept
    partners: tuple[str, ...]  # the kept column that a correlated one repeats; "" otherwise
    missing: Int64[Tensor, "D"]  # training cells without a value
    clipped: Int64[Tensor, "D"]  # training cells beyond the limit
    median: Float[Tensor, "D"]  # of the training cells, in the column's unit; imputed
    limit: Float[Tensor, "D"]  # largest distance from the median
    mean: Float[Tensor, "D"]  # of the clipped distance from the median
    scale: Float[Tensor, "D"]  # standard deviation of the same

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the columns that stay, in order."""
        return tuple(n for n, r in zip(self.names, self.reasons, strict=True) if not r)

    @property
    def kept_index(self) -> list[int]:
        """Positions of the columns that stay."""
        return [index for index, reason in enumerate(self.reasons) if not reason]

    @property
    def of_spread(self) -> Bool[Tensor, "D"]:
        """True for the columns that measure a spread over realizations."""
        return torch.tensor([name.endswith(SPREADS) for name in self.names], dtype=torch.bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaner:
    """Statistics of the training operators, and the map they define.

    A kept column x becomes z = (clip(x − median) − mean) / scale, where a missing x is replaced
    by the median first, and clip limits to ± limit. See `Cleaned` for what masks say.
    """

    initial: Columns
    summary: Columns
    temporal: Columns

    def family(self, name: str) -> Columns:
        """The columns of a family, one of `FAMILIES`."""
        return getattr(self, name)

    @property
    def kept(self) -> dict[str, tuple[str, ...]]:
        """Names of the cleaned columns, by family."""
        return {family: self.family(family).kept for family in FAMILIES}

    def apply(self, features: FeatureSet, smooth: bool) -> Cleaned:
        """Clean each row by itself; differentiable in every measured value.

        Args:
            features: rows of either view, mixed or not. A row none of whose std and cv columns
                exists shows a single realization.
            smooth: clip softly (see `soft_clip`), so that a loss has a gradient beyond the limit.

        Raises:
            Refusal: another number of columns than the cleaner was fitted on.
        """
        initial, initial_mask = _clean(features.initial, self.initial, "initial", smooth)
        summary, summary_mask = _clean(features.summary, self.summary, "summary", smooth)
        temporal, temporal_mask = _clean(features.temporal, self.temporal, "temporal", smooth)
        absent = _absent(features.summary, self.summary.of_spread)[:, self.summary.kept_index]
        return Cleaned(
            initial=initial,
            summary=summary.masked_fill(absent, 0.0),
            temporal=temporal,
            fields=features.fields,
            initial_mask=initial_mask,
            summary_mask=summary_mask,
            temporal_mask=temporal_mask,
        )

    def restore(self, cleaned: Float[Tensor, "*n K"], family: str) -> Float[Tensor, "*n K"]:
        """Kept columns in their own units again: the inverse of `apply` inside the limits."""
        columns = self.family(family)
        median, mean, scale = (
            part[columns.kept_index].to(cleaned)
            for part in (columns.median, columns.mean, columns.scale)
        )
        return median + (mean + scale * cleaned)

    def check(self, columns: Mapping[str, Sequence[str]], place: str) -> None:
        """Compare the raw columns of some features with those the cleaner was fitted on.

        Args:
            columns: names by family.
            place: where they come from, for the message.

        Raises:
            Refusal: columns are missing, unexpected, or in another order; it names them.
        """
        for family in FAMILIES:
            expected, found = self.family(family).names, tuple(columns[family])
            if expected == found:
                continue
            absent = [name for name in expected if name not in found]
            unknown = [name for name in found if name not in expected]
            detail = f"missing {absent}, unexpected {unknown}" if absent or unknown else "reordered"
            raise Refusal(f"{place}: {family} columns do not match the cleaner's: {detail}")

    def state(self) -> State:
        """Plain tensors and lists of strings, loadable with `weights_only=True`."""
        return {family: _plain(self.family(family)) for family in FAMILIES}

    @classmethod
    def from_state(cls, state: State) -> "Cleaner":
        """The inverse of `state`."""
        return cls(**{family: _columns(state[family]) for family in FAMILIES})


def soft_clip(x: Float[Tensor, "*n D"], limit: Float[Tensor, "D"]) -> Float[Tensor, "*n D"]:
    r"""Limit softly: exactly x up to a = 0.8·limit, and beyond it logarithmic.

    $s(x) = \operatorname{sign}(x)\,(a + (c - a) \log(1 + (|x| - a) / (c - a)))$ for $|x| > a$.
    The slope is continuous and (c − a) / (|x| − a + c − a): it decays as 1/|x| and never
    vanishes, as that of a saturating curve does exactly where predictions are worst. Inside the
    limit c, s differs from the hard clip by at most 0.2 (1 − log 2) c = 0.061 c.
    """
    knee = KNEE * limit
    rest = limit - knee
    beyond = (x.abs() - knee).relu() / rest
    return torch.minimum(torch.maximum(x, -knee), knee) + x.sign() * rest * beyond.log1p()


def hard_clip(x: Float[Tensor, "*n D"], limit: Float[Tensor, "D"]) -> Float[Tensor, "*n D"]:
    """Limit x to [−limit, limit]."""
    return torch.minimum(torch.maximum(x, -limit), limit)


def _clean(
    values: Float[Tensor, "*n D"], columns: Columns, family: str, smooth: bool
) -> tuple[Float[Tensor, "*n K"], Bool[Tensor, "*n K"]]:
    """Standardized kept columns, and where they were measured."""
    if values.shape[-1] != len(columns.names):
        raise Refusal(
            f"{family} features: expected {len(columns.names)} columns "
            f"({columns.names[0]} …), got {values.shape[-1]}"
        )
    index = columns.kept_index
    median, limit, mean, scale = (
        part[index].to(values)
        for part in (columns.median, columns.limit, columns.mean, columns.scale)
    )
    values = values[..., index]
    exists = values.isfinite()
    # The distance is masked before the clip: a NaN would otherwise poison the gradient.
    distance = torch.where(exists, values - median, torch.zeros_like(values))
    clip = soft_clip if smooth else hard_clip
    return (clip(distance, limit) - mean) / scale, exists


def _absent(summary: Float[Tensor, "n D"], of_spread: Bool[Tensor, "D"]) -> Bool[Tensor, "n D"]:
    """True for the std and cv cells of the rows that show a single realization."""
    of_spread = of_spread.to(summary.device)
    single = ~(summary.isfinite() & of_spread).any(-1, keepdim=True)
    return single & of_spread


def _plain(columns: Columns) -> dict[str, Tensor | list[str]]:
    values = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _columns(state: Mapping[str, Tensor | list[str]]) -> Columns:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
    return Columns(**values)
