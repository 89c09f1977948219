"""Checks of an operator table, `data/operators.h5`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinlock import artifacts, params
from spinlock.sampling import design, labels, space, splits, table
from spinlock.sampling.config import Config
from spinlock.sampling.table import Operators
from spinlock.validation import splits as leaks

SPHERE = 1e-5  # |z| of float32 coefficients is 1 up to this


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, its parameters, and its labels as they stand in the file."""

    operators: Operators
    config: Config  # section `sample` of what made it
    written: Mapping[str, np.ndarray]


def read(path: Path) -> Table:
    """Read a table and the parameters that it says it was made with.

    Raises:
        Refusal: it cannot be read, or its parameters cannot be right.
    """
    with artifacts.reading(path, table.KIND) as source:
        made_by: Mapping[str, Any] = source.provenance["params"]
        names = ("evolution_policies", "noise_regimes", "grid_sizes")
        written = {name: source.get(f"metadata/{name}", "N") for name in names}
    return Table(
        operators=table.read(path),
        config=params.parse("sample", made_by, Config, path),
        written=written,
    )


def points(found: Table) -> Iterator[str]:
    """Design points are those of the seed; unit coordinates alone cannot be checked otherwise."""
    operators, config = found.operators, found.config
    free = len(space.varying(config.dimensions))
    expected = design.points(operators.seed, len(operators), free + config.weights.coordinates)
    sets = config.weights.num_sets if config.weights.kind == "basis" else 0
    yield from _differ("point", operators.unit, expected[:, :free])
    yield from _differ("weights_z", operators.weights_z, design.weights(expected[:, free:], sets))
    if operators.weights_z.shape[1]:
        norms = np.linalg.norm(operators.weights_z, axis=1)
        for row in np.flatnonzero(abs(norms - 1) > SPHERE):
            yield f"operator {row}: |weights_z| = {norms[row]:g}"


def _differ(what: str, found: np.ndarray, expected: np.ndarray) -> Iterator[str]:
    if found.shape != expected.shape:
        yield f"{what}: {found.shape}, expected {expected.shape}"
        return
    for row in np.flatnonzero((found != expected).any(1)):
        yield f"operator {row}: another {what} than the design's"


def decoded(found: Table) -> Iterator[str]:
    """θ is what the declared dimensions make of the design point."""
    expected = space.decode(found.operators.dimensions, found.operators.unit)
    for row, (ours, theirs) in enumerate(zip(found.operators.theta, expected, strict=True)):
        if ours != theirs:
            yield f"operator {row}: θ is not what its design point decodes to"


def labeled(found: Table) -> Iterator[str]:
    """Policies, noise regimes and grid sizes repeat θ."""
    operators = found.operators
    expected: dict[str, list[Any]] = {
        "evolution_policies": [theta.update_policy for theta in operators.theta],
        "noise_regimes": list(table.noise_regimes(operators)),
        "grid_sizes": [operators.grid_size] * len(operators),
    }
    for name, values in expected.items():
        for row in np.flatnonzero(found.written[name] != np.array(values)):
            yield f"{name}: operator {row} has {found.written[name][row]}, θ says {values[row]}"


def shares(found: Table) -> Iterator[str]:
    """In every whole block two families, and two variants of one, differ by one slot at most."""
    config, own = found.config, np.array(found.operators.ic_types)
    family = labels.family_of(config.ic_mix)
    for variant in sorted(set(own.tolist()) - set(family)):
        yield f"{variant!r} is not in the mix"
        return
    families = np.array([family[variant] for variant in own])
    for first in range(0, len(own) - config.block_size + 1, config.block_size):
        block = slice(first, first + config.block_size)
        place = f"operators {first} … {block.stop - 1}"
        yield from _even(place, families[block], [f.family for f in config.ic_mix])
        for one in config.ic_mix:
            mine = own[block][families[block] == one.family]
            yield from _even(place, mine, one.variants)


def _even(place: str, names: np.ndarray, among: Sequence[str]) -> Iterator[str]:
    counts = {name: int((names == name).sum()) for name in among}
    if max(counts.values()) - min(counts.values()) > 1:
        yield f"{place}: uneven shares {counts}"


def groups(found: Table) -> Iterator[str]:
    """A held-out group holds exactly the operators that the parameters say."""
    operators, config = found.operators, found.config
    if operators.held_out_groups != splits.groups(config.held_out):
        yield f"groups {operators.held_out_groups}, expected {splits.groups(config.held_out)}"
        return
    expected = splits.membership(config, operators.unit, operators.theta, operators.ic_types)
    for row, column in np.argwhere(expected != operators.held_out):
        name, inside = operators.held_out_groups[column], bool(expected[row, column])
        yield f"operator {row} {'belongs' if inside else 'does not belong'} to {name}"


CHECKS: dict[str, Callable[[Table], Iterable[str]]] = {
    "operators are numbered from 0, each once": lambda t: leaks.ids(t.operators.ids),
    "design points are those of the seed, weights on the unit sphere": points,
    "θ is what the design points decode to": decoded,
    "labels agree with θ": labeled,
    "initial conditions have their shares in every block": shares,
    "held-out groups are those of the parameters": groups,
    "splits are known and not empty": lambda t: leaks.known(np.array(t.operators.split)),
    "a held-out operator is in no split": lambda t: leaks.leaks(
        np.array(t.operators.split), t.operators.held_out
    ),
    "splits are whole aligned blocks": lambda t: leaks.blocks(t.operators, t.config),
}
