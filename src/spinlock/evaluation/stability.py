"""How much stays the same when something that should not matter changes: seeds, resamples, runs."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Int
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

Row = dict[str, object]
Tokens = tuple[Int[np.ndarray, "N S"], Sequence[str]]  # of an operator a row; category/level


def tokens(runs: Sequence[Tokens]) -> list[Row]:
    """Adjusted mutual information of the tokens of the same operators in several runs.

    A row a category that all runs have, the last one the mean over them. `coarse` compares the
    first level, `levels` is the mean over the levels that two runs both have; both are means over
    pairs of runs. 1: the codes part the operators alike, whatever their numbers; 0: as by chance
    (Vinh et al. 2010).

    Raises:
        ValueError: fewer than two runs, or of other numbers of operators.
    """
    counts = {len(found) for found, _ in runs}
    if len(runs) < 2 or len(counts) > 1:
        raise ValueError(f"runs: expected at least two of equal operators, got {sorted(counts)}")
    named = [_by_category(*run) for run in runs]
    shared = [name for name in named[0] if all(name in other for other in named)]
    rows: list[Row] = [
        {"category": name} | _agreement([found[name] for found in named]) for name in shared
    ]
    mean: Row = {key: _mean([row[key] for row in rows]) for key in ("coarse", "levels")}
    return [*rows, {"category": f"mean of {len(shared)}", **mean}]


def categories(runs: Sequence[Mapping[str, Sequence[str]]]) -> float:
    """Adjusted Rand index of the categories of the columns, mean over pairs of runs.

    Columns that only one of two runs has do not count. 1: the same groups, whatever their names;
    0: as by chance (Hubert & Arabie 1985).
    """
    owners = [{c: name for name, columns in run.items() for c in columns} for run in runs]
    found = []
    for one, two in combinations(owners, 2):
        both = [column for column in one if column in two]
        labels = [[owner[column] for column in both] for owner in (one, two)]
        found.append(adjusted_rand_score(*labels))
    return _mean(found)


def spread(runs: Sequence[Mapping[str, float | int | None]]) -> list[Row]:
    """Mean, standard deviation (n − 1), least and most of each metric that all runs have."""
    names = [n for n in runs[0] if all(isinstance(run.get(n), int | float) for run in runs)]
    rows: list[Row] = []
    for name in names:
        values = np.array([run[name] for run in runs], dtype=np.float64)
        row: Row = {"metric": name, "mean": float(values.mean())}
        row["spread"] = float(values.std(ddof=1)) if len(values) > 1 else ""
        rows.append(row | {"least": float(values.min()), "most": float(values.max())})
    return rows


def _by_category(found: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Tokens [N, levels] of each category."""
    owner = [name.rpartition("/")[0] for name in names]
    return {name: found[:, [o == name for o in owner]] for name in dict.fromkeys(owner)}


def _agreement(found: Sequence[np.ndarray]) -> Row:
    values = [
        [adjusted_mutual_info_score(a, b) for a, b in zip(one.T, two.T, strict=False)]
        for one, two in combinations(found, 2)
    ]
    coarse, every = [pair[0] for pair in values], [v for pair in values for v in pair]
    return {"coarse": _mean(coarse), "levels": _mean(every)}


def _mean(values: Sequence[object]) -> float:
    return float(np.mean(np.array(values, dtype=np.float64)))
