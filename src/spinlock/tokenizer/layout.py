"""Which columns a category owns, and the flat vector of target cells that it encodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.cleaning.sets import FAMILIES
from spinlock.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category and the positions of its columns in each cleaned family."""

    name: str
    initial: tuple[int, ...]
    summary: tuple[int, ...]
    temporal: tuple[int, ...]

    @property
    def isolated(self) -> bool:
        """True if it owns INITIAL columns alone; such categories are decoded apart."""
        return not self.summary and not self.temporal


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The cells of the target: [category after category], Q of them.

    In a category stand its INITIAL columns, its SUMMARY columns (one cell each) and then its
    TEMPORAL columns (`temporal_bins` cells each, the means of its standardized series over equal
    windows of time).
    """

    categories: tuple[Category, ...]
    columns: Mapping[str, tuple[str, ...]]  # kept columns of each family
    temporal_bins: int
    window: int  # steps per bin

    @property
    def sizes(self) -> tuple[int, ...]:
        """Cells of each category."""
        return tuple(
            len(c.initial) + len(c.summary) + self.temporal_bins * len(c.temporal)
            for c in self.categories
        )

    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """Positions of the categories that are decoded together: the isolated ones, the others."""
        blocks = [
            tuple(i for i, c in enumerate(self.categories) if c.isolated is isolated)
            for isolated in (True, False)
        ]
        return tuple(block for block in blocks if block)

    @property
    def static_sizes(self) -> tuple[int, ...]:
        """Cells of each category that are one number per operator; they come first."""
        return tuple(len(c.initial) + len(c.summary) for c in self.categories)

    def order(self) -> Tensor:
        """Where each cell stands in [INITIAL, SUMMARY, TEMPORAL bin-minor]; int64 [Q]."""
        summary = len(self.columns["initial"])
        temporal = summary + len(self.columns["summary"])
        cells: list[int] = []
        for category in self.categories:
            cells += category.initial
            cells += [summary + column for column in category.summary]
            for column in category.temporal:
                first = temporal + column * self.temporal_bins
                cells += range(first, first + self.temporal_bins)
        return torch.tensor(cells, dtype=torch.int64)

    def window_order(self) -> Tensor:
        """Where each cell stands in [INITIAL, SUMMARY, TEMPORAL column-minor]; int64 [Q]."""
        order, columns = self.order(), len(self.columns["temporal"])
        first = len(self.columns["initial"]) + len(self.columns["summary"])
        column, window = (order - first) // self.temporal_bins, (order - first) % self.temporal_bins
        return torch.where(order < first, order, first + window * columns + column)

    def weights(self) -> Float[Tensor, " Q"]:
        """Weight of each cell: one column weighs 1, so a bin of a series 1 / `temporal_bins`."""
        weights: list[float] = []
        for category in self.categories:
            weights += [1.0] * (len(category.initial) + len(category.summary))
            weights += [1 / self.temporal_bins] * (self.temporal_bins * len(category.temporal))
        return torch.tensor(weights)

    def members(self) -> Float[Tensor, "Q G"]:
        """Weight of each cell in its category, 0 in the others; a category's sum to its columns."""
        sizes = torch.tensor(self.sizes)
        owner = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
        return torch.nn.functional.one_hot(owner, len(sizes)) * self.weights()[:, None]

    def column_of_cell(self) -> Tensor:
        """Position of each cell's column in [INITIAL, SUMMARY, TEMPORAL]; int64 [Q]."""
        first = len(self.columns["initial"]) + len(self.columns["summary"])
        order = self.order()
        return torch.where(order < first, order, first + (order - first) // self.temporal_bins)


def assign(
    mapping: Mapping[str, Sequence[str]],
    columns: Mapping[str, Sequence[str]],
    temporal_bins: int,
    num_steps: int,
) -> Layout:
    """Find the columns of every category among the cleaned ones.

    Args:
        mapping: category name to column names, as in data/categories.json.
        columns: kept columns of each family, in the order of the cleaned arrays.
        temporal_bins: windows of time per TEMPORAL column.
        num_steps: length T of the series.

    Raises:
        Refusal: the windows do not divide the steps, a category is empty, a column is unknown,
            in two categories or in none.
    """
    if columns["temporal"] and num_steps % temporal_bins:
        raise Refusal(
            f"train_vqvae.temporal_bins: allowed a divisor of the {num_steps} steps of the series, "
            f"got {temporal_bins}"
        )
    places = {name: (family, i) for family in FAMILIES for i, name in enumerate(columns[family])}
    owner: dict[str, str] = {}
    categories = []
    for category, names in mapping.items():
        owned: dict[str, list[int]] = {family: [] for family in FAMILIES}
        for name in names:
            if name not in places:
                raise Refusal(f"categories: {category}: column '{name}' is not a cleaned column")
            if name in owner:
                raise Refusal(f"categories: column '{name}' is in {owner[name]} and in {category}")
            owner[name] = category
            family, position = places[name]
            owned[family].append(position)
        if not names:
            raise Refusal(f"categories: {category}: expected at least one column, found none")
        categories.append(Category(name=category, **{f: tuple(v) for f, v in owned.items()}))
    if missing := [name for name in places if name not in owner]:
        raise Refusal(f"categories: {len(missing)} columns are in no category: {_some(missing)}")
    kept = {family: tuple(columns[family]) for family in FAMILIES}
    return Layout(
        categories=tuple(categories),
        columns=kept,
        temporal_bins=temporal_bins,
        window=num_steps // temporal_bins,
    )


def _some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (" …" if len(names) > limit else "")
