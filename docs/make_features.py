"""Writes features.md, the table of all columns, from the code: `make docs`."""

import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from spinlock.features import architecture, names
from spinlock.features.column import Column

INTRODUCTION = """\
# Features

Made from the code by `make docs`; edit the columns there, not here.

Every column is one number, named `family.group.statistic`, of an initial condition (INITIAL), a
trajectory (SUMMARY) or a step of a trajectory (TEMPORAL). Its value depends on nothing else: not
on the batch, to the bit, nor on the grid, but for what `tests/test_features_laws.py` names. The
domain is the periodic unit square, wavenumbers are in cycles per domain, frequencies in cycles per
step.

{counts}

SUMMARY is stored as three blocks over the realizations of an operator: `.mean`, `.std` and `.cv`,
the deviation over the size of the mean. TEMPORAL is the mean over the channels, and over the
realizations. Groups marked optional are computed if `extract.summary_groups` or
`extract.temporal_groups` of `params.yaml` names them.

Derivatives are those of the Fourier series through the points; an odd one (the gradient) is 0 at
the grid's own wavenumber, H / 2 cycles per domain, where its sign is not known. A wave is a mode
and its conjugate, so power is one-sided: that of both, in space as in time.

**NaN** is a value that does not exist, never a failure: a field that is constant, zero or not
finite has no shape, a trajectory too short has no such statistic, one realization no deviation,
and a mean that is not told from zero no ratio. A mask of these values travels with every column.
No value is infinite.

* *Range*: closed bounds of the value, of any field; a value outside is an error of the code.
* *Gradient*: whether one with respect to the field exists almost everywhere. Where it does not, the
  agent's loss leaves the column out.
* *Laws*: what the column does when the field is scaled (u → c u, c > 0), turned by 90° or
  translated. Nothing, where nothing is said.
* *Tells apart*: what the column is for.
"""
HEADER = (
    "| Name | Formula | Unit | Range | Gradient | Laws | Source | Tells apart |\n"
    + "|---" * 8
    + "|"
)
SCALING = {"invariant": "", "log": "scaled: + log10 c", "other": "scaled: changes"}
ROTATION = {"invariant": "", "negated": "turned: changes sign", "other": "turned: changes"}
DEFAULT = {
    "initial": ("initial",),
    "summary": names.DEFAULT_SUMMARY,
    "temporal": names.DEFAULT_TEMPORAL,
}


def table() -> str:
    """The Markdown of all columns."""
    parts = [INTRODUCTION.format(counts=_counts())]
    for family, groups in names.GROUPS.items():
        parts.append(f"## {family.upper()}\n")
        parts += [_section(family, group) for group in groups]
    prose = (architecture.architecture.__doc__ or "").partition("\n\n    Returns:")[0]
    sizes = "\n".join(f"* `{name}`, {unit}" for name, unit in architecture.SIZES.items())
    parts.append(
        f"## ARCHITECTURE\n\n{_verbatim(prose)}\n\n"
        "* `architecture.theta.<parameter>`, one for each that varies (noise_scale and dt as "
        "decimal logarithms), `<parameter>=<choice>`, 1 for the choice taken and 0 for the others, "
        "`<parameter>.active`, 0 where the operator does not use the parameter\n"
        f"{sizes}\n"
    )
    return "\n".join(parts)


def _counts() -> str:
    rows = ["| Family | Group | Columns | |", "|---|---|--:|---|"]
    for family, groups in names.GROUPS.items():
        for name, group in groups.items():
            optional = "" if name in DEFAULT[family] else "optional"
            rows.append(f"| {family} | {name} | {len(group.columns)} | {optional} |")
        size = len(names.names(family, DEFAULT[family]))
        rows.append(f"| **{family}** | by default | **{size}** | |")
    return "\n".join(rows)


def _section(family: str, group: str) -> str:
    found = names.GROUPS[family][group]
    title = group if group in DEFAULT[family] else f"{group} (optional)"
    notation = "\n\n".join(_verbatim(text) for text in _notation(found.compute))
    rows = "\n".join(_row(column) for column in found.columns)
    return f"### {title}\n\n{notation}\n\n{HEADER}\n{rows}\n"


def _notation(compute: Callable) -> Iterator[str]:
    """What the module of a group says of its symbols, and the modules that it names."""
    module = inspect.getmodule(compute)
    text = module.__doc__ or ""
    yield text
    for name in re.findall(r"`(\w+)`", text):
        named = sys.modules.get(f"{module.__package__}.{name}")
        if named:
            yield f"`{name}`: {named.__doc__}"


def _row(column: Column) -> str:
    cells = (
        f"`{column.name}`",
        f"`{column.formula}`",
        column.unit,
        _range(column),
        "yes" if column.differentiable else "no",
        "; ".join(_laws(column)),
        column.source,
        column.purpose,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _range(column: Column) -> str:
    low = "(−∞" if math.isinf(column.low) else f"[{column.low:.4g}"
    high = "∞)" if math.isinf(column.high) else f"{column.high:.4g}]"
    return f"{low}, {high}"


def _laws(column: Column) -> Iterator[str]:
    translated = "" if column.translation else "translated: changes"
    yield from filter(None, (SCALING[column.scaling], ROTATION[column.rotation], translated))


def _verbatim(text: str | None) -> str:
    """A docstring in a block, where none of its signs is markup."""
    return f"```text\n{inspect.cleandoc(text or '')}\n```"


if __name__ == "__main__":
    Path(__file__).with_name("features.md").write_text(table(), encoding="utf-8")
