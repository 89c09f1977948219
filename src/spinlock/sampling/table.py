"""The operator table: which operators there are, in memory and in `data/operators.h5`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int
from pydantic import TypeAdapter

from spinlock import artifacts
from spinlock.refusals import Refusal
from spinlock.sampling import encoding, space
from spinlock.sampling.space import Dimension, extremes, named
from spinlock.sampling.theta import RULES, Text, Theta, Value

__all__ = ["Operators", "Theta", "noise_regimes", "read", "theta_features", "write"]

KIND = "operators"
DIMENSIONS: TypeAdapter[tuple[Dimension, ...]] = TypeAdapter(tuple[Dimension, ...])
SPLITS = ("train", "validation", "test", "held_out")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operators:
    """The operators of a design, one a row; a subset keeps their ids."""

    seed: int  # root seed
    ids: Int[np.ndarray, "N"]  # places in the design
    channels: int  # C
    grid_size: int  # H = W
    max_width: int  # cap of hidden widths
    weights: str  # "basis" | "independent"
    unit: Float[np.ndarray, "N Q"]  # design points of the varying dimensions
    weights_z: Float32[np.ndarray, "N m"]  # on the unit sphere; m = 0 if weights are independent
    dimensions: tuple[Dimension, ...]  # the declared space, with the fixed ones
    theta: tuple[Theta, ...]
    ic_types: tuple[str, ...]  # variant of initial condition
    split: tuple[str, ...]  # one of `SPLITS`
    held_out: Bool[np.ndarray, "N G"]  # membership of held-out groups
    held_out_groups: tuple[str, ...]  # such as "ic_variant:band_limited_high", "theta_corner"

    def __len__(self) -> int:
        return len(self.ids)

    def largest(self, name: str) -> int:
        """The largest value of a whole number in the declared space (not only in these rows)."""
        return max(int(value) for value in extremes(named(self.dimensions, name)))

    def take(self, indices: Sequence[int] | Int[np.ndarray, "n"] | slice) -> "Operators":
        """The operators at some positions (not ids), in that order."""
        rows = indices if isinstance(indices, slice) else np.asarray(indices, dtype=np.int64)
        at = np.arange(len(self))[rows]
        return replace(
            self,
            ids=self.ids[at],
            unit=self.unit[at],
            weights_z=self.weights_z[at],
            theta=tuple(self.theta[i] for i in at),
            ic_types=tuple(self.ic_types[i] for i in at),
            split=tuple(self.split[i] for i in at),
            held_out=self.held_out[at],
        )

    def rows(self, name: str) -> Int[np.ndarray, "n"]:
        """Positions of the operators of a split or of a held-out group, ascending.

        Raises:
            ValueError: there is no such split or group.
        """
        if name in SPLITS:
            return np.flatnonzero(np.array(self.split) == name)
        if name in self.held_out_groups:
            return np.flatnonzero(self.held_out[:, self.held_out_groups.index(name)])
        known = ", ".join((*SPLITS, *self.held_out_groups))
        raise ValueError(f"rows: expected one of {known}; got {name!r}")


def noise_regimes(operators: Operators) -> tuple[str, ...]:
    """Third of the declared range of log noise_scale: "low", "mid" or "high"; "mid" if fixed."""
    bounds = [float(value) for value in extremes(named(operators.dimensions, "noise_scale"))]
    low, width = math.log(min(bounds)), math.log(max(bounds) / min(bounds))
    if width == 0:
        return ("mid",) * len(operators)
    shares = ((math.log(t.noise_scale) - low) / width for t in operators.theta)
    return tuple(("low", "mid", "high")[min(int(3 * share), 2)] for share in shares)


def theta_features(
    operators: Operators,
) -> tuple[Float64[np.ndarray, "N P"], tuple[str, ...], tuple[str, ...]]:
    """The parameters that vary in the declared space, as numbers.

    A numeric parameter is one column of its values (log10 of them if its scale is log), of kind
    "numeric". A choice is a column `name=value` of kind "choice" for each value, 1 where it is
    chosen. A parameter that not every operator of the space has in use is 0 where it is not, and
    has a column `name.active` of kind "active" besides; one that none uses has no column. The
    basis coefficients follow as `weights_z.j`, of kind "weights", if there is more than one.

    Returns:
        Values [N, P], names and kinds.
    """
    columns = encoding.columns(operators.dimensions, operators.theta)
    if operators.weights_z.shape[1] > 1:
        z = operators.weights_z.T.tolist()
        columns += [(f"weights_z.{j}", "weights", values) for j, values in enumerate(z)]
    names, kinds, values = zip(*columns, strict=True)
    return np.array(values, dtype=np.float64).T.copy(), names, kinds


def write(path: Path, operators: Operators, provenance: Mapping[str, object]) -> None:
    """Write the table; the same operators and parameters give the same bytes.

    A column of `parameters/theta` that is a word holds its index among the words of its unit, such
    as `residual | convex`.

    Args:
        path: where it will stand.
        operators: all or some of a design.
        provenance: the parameters that made them.
    """
    free = [d.name for d in space.varying(operators.dimensions)]
    words = {name: _words(operators.dimensions, name) for name in RULES}
    count = len(operators)
    with artifacts.writing(path, KIND, {"table": _table(operators), "params": provenance}) as sink:
        sink.put("parameters/unit", operators.unit, "N Q", columns=free, units=["1"])
        sink.put(
            "parameters/theta",
            np.array([_numbers(theta, words) for theta in operators.theta]),
            "N P",
            columns=list(RULES),
            units=[" | ".join(words[name]) or rule.unit for name, rule in RULES.items()],
        )
        sink.put("parameters/weights_z", operators.weights_z, "N m", units=["1"])
        sink.put("metadata/operator_id", operators.ids, "N")
        sink.put("metadata/ic_types", operators.ic_types, "N")
        sink.put("metadata/evolution_policies", [t.update_policy for t in operators.theta], "N")
        sink.put("metadata/grid_sizes", np.full(count, operators.grid_size), "N", units=["cells"])
        sink.put("metadata/noise_regimes", noise_regimes(operators), "N")
        sink.put("metadata/split", operators.split, "N")
        sink.put("metadata/held_out", operators.held_out, "N G", columns=operators.held_out_groups)


def read(path: Path | str) -> Operators:
    """Read a table that `write` made.

    Raises:
        Refusal: missing, truncated, foreign, or with a value that no operator can have.
    """
    with artifacts.reading(path, KIND) as source:
        table = source.provenance["table"]
        dimensions = DIMENSIONS.validate_json(json.dumps(table["dimensions"]))
        words = {name: _words(dimensions, name) for name in RULES}
        return Operators(
            seed=table["seed"],
            ids=source.get("metadata/operator_id", "N"),
            channels=table["channels"],
            grid_size=table["grid_size"],
            max_width=table["max_width"],
            weights=table["weights"],
            unit=source.get("parameters/unit", "N Q"),
            weights_z=source.get("parameters/weights_z", "N m"),
            dimensions=dimensions,
            theta=_read_theta(source, words),
            ic_types=tuple(source.get("metadata/ic_types", "N").tolist()),
            split=tuple(source.get("metadata/split", "N").tolist()),
            held_out=source.get("metadata/held_out", "N G"),
            held_out_groups=tuple(table["held_out_groups"]),
        )


def _table(operators: Operators) -> dict[str, object]:
    """What holds for all operators, as plain values."""
    return {
        "seed": operators.seed,
        "channels": operators.channels,
        "grid_size": operators.grid_size,
        "max_width": operators.max_width,
        "weights": operators.weights,
        "dimensions": DIMENSIONS.dump_python(operators.dimensions, mode="json"),
        "held_out_groups": list(operators.held_out_groups),
    }


def _words(dimensions: Sequence[Dimension], name: str) -> tuple[str, ...]:
    """The declared values of a parameter that is a word; none if it is a number."""
    if not isinstance(RULES[name], Text):
        return ()
    return tuple(str(value) for value in extremes(named(dimensions, name)))


def _numbers(theta: Theta, words: Mapping[str, tuple[str, ...]]) -> list[float]:
    values = ((getattr(theta, name), words[name]) for name in RULES)
    return [float(known.index(value) if known else value) for value, known in values]


def _read_theta(
    source: artifacts.Source, words: Mapping[str, tuple[str, ...]]
) -> tuple[Theta, ...]:
    matrix = source.get("parameters/theta", "N P")
    columns = source.columns("parameters/theta")
    if columns != tuple(RULES):
        raise Refusal(
            f"{source.path}: parameters/theta: expected columns {', '.join(RULES)}; "
            f"got {', '.join(columns)}"
        )
    for name, column in zip(RULES, matrix.T, strict=True):
        if words[name] and not np.isin(column, np.arange(len(words[name]))).all():
            raise Refusal(
                f"{source.path}: parameters/theta: {name}: expected an index of "
                f"{' | '.join(words[name])}, got {column.min():g} to {column.max():g}"
            )
    return tuple(_theta(row, words) for row in matrix)


def _theta(row: Float64[np.ndarray, "P"], words: Mapping[str, tuple[str, ...]]) -> Theta:
    values: dict[str, Value] = {
        name: words[name][int(number)] if words[name] else float(number)
        for name, number in zip(RULES, row, strict=True)
    }
    return space.theta(values)
