"""The scores of the tokenizer taken apart: by category and by column."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from spinlock.evaluation import reconstruction, tokenizer, topography
from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import Bootstrap, Interval
from spinlock.evaluation.reconstruction import Explained
from spinlock.evaluation.tokenizer import OWN, RIVALS, Measured
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.tokenizer.layout import FAMILIES

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of operators, large enough for statistics, and what was measured on it."""

    vocabulary: Vocabulary
    rows: Int[np.ndarray, " n"]
    target: Target
    measured: Measured
    explained: Explained
    how: Bootstrap
    pairs: Bootstrap


def group(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap, pairs: Bootstrap
) -> Group | None:
    """Measure a group; None if it is too small."""
    if len(rows) < how.min_operators:
        return None
    target = vocabulary.target.take(rows)
    return Group(
        vocabulary=vocabulary,
        rows=rows,
        target=target,
        measured=tokenizer.measured(vocabulary, rows, how),
        explained=reconstruction.explained(vocabulary.values[OWN][rows], target, how),
        how=how,
        pairs=pairs,
    )


def by_category(vocabulary: Vocabulary, found: Group | None) -> list[Row]:
    """Rows of `reconstruction_by_category.csv`; cells are empty if the group is too small.

    `columns` and `tokens` of the category; `effective_rank` of its target; the reconstruction of
    every code, of the tokenizer with `low` and `high`; `r2`, the median over its columns, with its
    interval; `topo_tokens`, Spearman's correlation of the distances of operators in the category's
    columns and in its tokens (Hamming), with its interval.
    """
    return [
        _category_row(vocabulary, index, found)
        for index in range(len(vocabulary.layout.categories))
    ]


def by_column(vocabulary: Vocabulary, found: Group | None) -> list[Row]:
    """Rows of `r2_by_column.csv`: each column with its category, error, and R² with interval."""
    layout = vocabulary.layout
    names = [name for family in FAMILIES for name in layout.columns[family]]
    families = [family for family in FAMILIES for _ in layout.columns[family]]
    category = np.zeros(len(names), dtype=np.int64)
    category[vocabulary.target.column] = vocabulary.target.category
    rows: list[Row] = []
    for index, (name, family) in enumerate(zip(names, families, strict=True)):
        own = layout.categories[category[index]].name
        row: Row = {"column": name, "family": family, "category": own}
        row |= dict.fromkeys(("reconstruction", "r2", "low", "high"), "")
        if found is not None:
            errors = found.measured.errors[OWN]
            squares, cells = errors.squares[:, index].sum(), errors.cells[:, index].sum()
            row["reconstruction"] = float(squares / cells) if cells else ""
            row |= _cells(("r2", "low", "high"), found.explained.column(index).interval())
        rows.append(row)
    return rows


def columns_of(vocabulary: Vocabulary, index: int) -> Bool[np.ndarray, " D"]:
    """Which columns a category owns."""
    target = vocabulary.target
    columns = np.zeros(target.column.max() + 1, dtype=bool)
    columns[target.column[target.category == index]] = True
    return columns


def _category_row(vocabulary: Vocabulary, index: int, found: Group | None) -> Row:
    columns = columns_of(vocabulary, index)
    names = ("effective_rank", *(OWN, "low", "high"), *RIVALS)
    ends = ("r2", "r2_low", "r2_high"), ("topo_tokens", "topo_tokens_low", "topo_tokens_high")
    row: Row = {
        "category": vocabulary.layout.categories[index].name,
        "columns": int(columns.sum()),
        "tokens": len(vocabulary.sizes[index]),
    }
    row |= dict.fromkeys((*names, *ends[0], *ends[1]), "")
    if found is None:
        return row
    part = _part(found.target, index)
    row["effective_rank"] = reconstruction.effective_rank(part.values * np.sqrt(part.weight))
    errors = {name: own.of(columns) for name, own in found.measured.errors.items()}
    lost = {name: reconstruction.estimate(own, found.how) for name, own in errors.items()}
    row |= {name: estimate.value for name, estimate in lost.items()}
    row |= _cells((OWN, "low", "high"), lost[OWN].interval())
    row |= _cells(ends[0], found.explained.median(columns).interval())
    return row | _cells(ends[1], _topography(found, part, index))


def _topography(found: Group, part: Target, index: int) -> Interval:
    levels = [len(sizes) for sizes in found.vocabulary.sizes]
    first = sum(levels[:index])
    most = slice(0, topography.MOST)
    tokens = found.vocabulary.own.tokens[found.rows[most], first : first + levels[index]]
    given = tokenizer.input_distances(part.take(np.arange(len(found.rows))[most]))
    return topography.similarity(given, topography.hamming(tokens), found.pairs)


def _part(target: Target, index: int) -> Target:
    """The cells of a category alone."""
    cells = target.category == index
    return Target(
        values=target.values[:, cells],
        exists=target.exists[:, cells],
        weight=target.weight[cells],
        category=target.category[cells],
        column=target.column[cells],
    )


def _cells(names: tuple[str, str, str], found: Interval) -> Row:
    """Cells of a table; empty where there is no number."""
    values: tuple[float | None, ...] = (found.value, found.low, found.high)
    return {name: "" if v is None else v for name, v in zip(names, values, strict=True)}
