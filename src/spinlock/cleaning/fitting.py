"""Fitting the cleaner: statistics of valid training operators, and which columns to drop."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from spinlock.cleaning import reliability
from spinlock.cleaning.cleaner import Cleaner, Columns
from spinlock.cleaning.reliability import Replicates
from spinlock.cleaning.sets import FAMILIES, FeatureSet
from spinlock.params import STRICT
from spinlock.refusals import Refusal

ROBUST = 1.4826  # a normal distribution's standard deviation over its median absolute deviation
RESOLUTION = 2.0**-20  # of a float32 feature, relative, after a few roundings


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `clean` of params.yaml."""

    max_missing: float = Field(ge=0, lt=1)  # share of training cells a column may lack
    min_variance: float = Field(gt=0)  # in the column's unit squared
    clip_sigmas: float = Field(gt=0)  # robust standard deviations from the median
    max_correlation: float = Field(gt=0, le=1)  # |r| above which a column repeats another
    min_reliability: float | None = Field(ge=0, lt=1)  # ICC(1) over draws; None: any will do


def fit(
    train: FeatureSet,
    names: Mapping[str, Sequence[str]],
    config: Config,
    replicates: Replicates | None = None,
) -> Cleaner:
    """Fit the cleaner on the aggregated view of valid training operators.

    In this order: drop columns with too many missing values; impute train medians; drop columns
    of too little variance; clip; drop columns that say too little of the operator; drop the later
    of two columns that say the same; standardize. A TEMPORAL column's statistics run over
    operators and time.

    A column says too little of the operator if from another initial condition and with other noise
    it is another: if its `intraclass_correlation`, clipped, is below `min_reliability` or is not
    known. Its tokens would hardly stay while the operator stays. INITIAL columns are about u0, and
    are not asked.

    Two columns say the same if |r| > `max_correlation`, r taken over operators among INITIAL and
    SUMMARY and over operators and time among TEMPORAL. INITIAL columns are never dropped for it.
    A TEMPORAL column is not compared with a number per operator: a series may share its time mean
    with one and still tell more.

    Args:
        train: rows to learn from, none of them invalid.
        names: raw columns by family.
        config: thresholds.
        replicates: operators with several rows each, for `min_reliability` alone.

    Raises:
        Refusal: no rows, a family loses all its columns, or reliability is asked for and no
            operator has several rows.
        ValueError: another number of names than of columns.
    """
    if not len(train):
        raise Refusal("clean: no valid training operator to fit on")
    families = {
        name: _Family(getattr(train, name), tuple(names[name]), config) for name in FAMILIES
    }
    initial, summary, temporal = (families[name] for name in FAMILIES)
    if config.min_reliability is not None:
        if replicates is None or not replicates.several:
            raise Refusal(
                "clean.min_reliability: allowed null without further draws of valid training "
                f"operators (extract.further_draws), got {config.min_reliability}"
            )
        found = reliability.measured(_cleaner(families), replicates)
        for name in ("summary", "temporal"):
            families[name].drop_unreliable(found[name], config.min_reliability)
    _drop_repeated([initial, summary], initial, config.max_correlation)
    _drop_repeated([temporal], initial, config.max_correlation)
    for name, family in families.items():
        if all(family.reasons):
            counts = ", ".join(f"{r} {family.reasons.count(r)}" for r in sorted({*family.reasons}))
            raise Refusal(f"clean: no {name} column is left; dropped for {counts}")
    return _cleaner(families)


class _Family:
    """The columns of one family on their way through the fit, in float64."""

    def __init__(
        self, values: Float[torch.Tensor, "*n D"], names: tuple[str, ...], config: Config
    ) -> None:
        if values.shape[-1] != len(names):
            raise ValueError(f"{len(names)} names for {values.shape[-1]} columns")
        cells = values.reshape(-1, len(names)).double().numpy()
        absent = ~np.isfinite(cells)
        self.names = names
        self.missing = absent.sum(0)
        self.median = _median(np.where(absent, np.nan, cells))
        cells = np.where(absent, self.median, cells)
        self.reasons = _reasons(absent.mean(0), cells.var(0), config)
        self.partners = [""] * len(names)
        self.limit = config.clip_sigmas * _robust_sigma(cells, self.median)
        distance = cells - self.median
        self.clipped = (np.abs(distance) > self.limit).sum(0)
        distance = np.clip(distance, -self.limit, self.limit)
        self.mean, self.scale = distance.mean(0), distance.std(0)
        self.standard = (distance - self.mean) / np.where(self.scale > 0, self.scale, 1.0)

    def drop_unreliable(self, found: Float[np.ndarray, " D"], least: float) -> None:
        """Drop the columns whose reliability is below `least`, or not known."""
        for index in np.flatnonzero(~(found >= least)):
            self.reasons[index] = self.reasons[index] or "reliability"

    def columns(self) -> Columns:
        """The statistics, in float32 as the features are."""
        statistics = {
            name: torch.from_numpy(getattr(self, name)).float()
            for name in ("median", "limit", "mean", "scale")
        }
        return Columns(
            names=self.names,
            reasons=tuple(self.reasons),
            partners=tuple(self.partners),
            missing=torch.from_numpy(self.missing).long(),
            clipped=torch.from_numpy(self.clipped).long(),
            **statistics,
        )


def _cleaner(families: Mapping[str, _Family]) -> Cleaner:
    return Cleaner(**{name: family.columns() for name, family in families.items()})


def _median(cells: np.ndarray) -> np.ndarray:
    """Median of the finite cells of each column; 0 for a column that has none."""
    empty = np.isnan(cells).all(0)
    return np.nanmedian(np.where(empty, 0.0, cells), axis=0)


def _reasons(missing: np.ndarray, variance: np.ndarray, config: Config) -> list[str]:
    """Why each column goes, before any comparison with others; "" if it stays."""
    return [
        "missing" if share > config.max_missing else "variance" if v < config.min_variance else ""
        for share, v in zip(missing, variance, strict=True)
    ]


def _robust_sigma(cells: np.ndarray, median: np.ndarray) -> np.ndarray:
    """1.4826 times the median absolute deviation; the standard deviation where that says nothing.

    It says nothing where more than half of the cells are equal, or equal to the resolution of a
    float32 number: then it is 0, or the size of a rounding error.
    """
    deviation = np.median(np.abs(cells - median), axis=0)
    resolved = deviation > RESOLUTION * np.abs(median)
    return np.where(resolved, ROBUST * deviation, cells.std(0))


def _drop_repeated(families: Sequence[_Family], protected: _Family, max_correlation: float) -> None:
    """Drop every column that repeats an earlier kept one, except in the protected family.

    The order is that of the families and of their columns, so which of a pair goes does not
    depend on the data.
    """
    places = [
        (family, index)
        for family in families
        for index, reason in enumerate(family.reasons)
        if not reason
    ]
    table = np.stack([family.standard[:, index] for family, index in places] or [[]], axis=1)
    repeats = np.abs(table.T @ table) / len(table) > max_correlation
    kept: list[int] = []
    for place, (family, index) in enumerate(places):
        twins = [other for other in kept if repeats[place, other]]
        if twins and family is not protected:
            twin, position = places[twins[0]]
            family.reasons[index], family.partners[index] = "correlation", twin.names[position]
        else:
            kept.append(place)
