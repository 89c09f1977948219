"""Experiments side by side: short names, few metrics, differences to the baseline.

What DVC shows for an experiment that stopped early, such as `dvc exp run train-vqvae`, are for the
later stages the numbers of the commit before it. Here a metric counts only if the stage that wrote
it saw what the stages before it wrote, by the lock file of the experiment; else it is left out.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from spinlock.refusals import Refusal

COMPARED = (
    "vqvae/quality",
    "vqvae/bits",
    "vqvae/val_loss",
    "val/tokenizer/topo_tokens",
    "val/noa/vrmse_8",
    "noa/val_loss",
)  # of an experiment that no file declares: as few as a screen is wide, none twice
VALIDATION = re.compile(r"val/|vqvae/(?:val_loss|reconstruction|quality|topo_\w+)$|noa/val_")
OF_VALIDATION = " (val)"
MOST_SAID = 2  # changes beside the numbers of an experiment
DONE, FAILED = "success", "failed"
NONE = "–"
PARAMS, LOCK = "params.yaml", "dvc.lock"

Metrics = Mapping[str, float | None]
Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An experiment, or the commit itself."""

    name: str
    state: str  # queued, running, success, failed
    params: Tree  # all sections
    metrics: Metrics  # those that are its own


def collect() -> list[Run]:
    """The experiments on the commit at hand.

    Raises:
        Refusal: DVC does not answer.
    """
    return [_run(one["name"] or one["revs"][0]["rev"][:7], one) for one in _shown()["experiments"]]


def commit() -> Run:
    """The commit at hand.

    Raises:
        Refusal: DVC does not answer.
    """
    return _run("commit", {"revs": [_shown()], "executor": None})


def _shown() -> dict[str, Any]:
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--hide-workspace"]
    entries = json.loads(_said(command))
    (found,) = [entry for entry in entries if entry["rev"] != "workspace"]
    return {**found, "experiments": found["experiments"] or []}


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"{' '.join(command[:4])} …: {' '.join(done.stderr.split())}")
    return done.stdout


def _run(name: str, entry: Tree) -> Run:
    revision = entry["revs"][0]
    state = (entry["executor"] or {}).get("state", DONE)
    if state != DONE or revision["error"] or not revision["data"]:
        state = FAILED if revision["error"] and state == DONE else state
        return Run(name=name, state=state, params={}, metrics={})
    found = revision["data"]
    sections = found["params"][PARAMS]["data"]
    lock = YAML(typ="safe", pure=True).load(_said(["git", "show", f"{revision['rev']}:{LOCK}"]))
    own = set(own_files(lock["stages"], sections))
    metrics: dict[str, float | None] = {}
    for path, values in found["metrics"].items():
        if path in own and "data" in values:
            metrics |= flat(values["data"])
    return Run(name=name, state=DONE, params=sections, metrics=metrics)


def own_files(stages: Tree, sections: Tree) -> Iterator[str]:
    """The files that the stages wrote from what is there: their parameters, and others' files."""
    written = {
        out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", ())
    }
    owner = {out["path"]: name for name, stage in stages.items() for out in stage.get("outs", ())}

    @cache
    def current(name: str) -> bool:
        stage = stages[name]
        recorded = stage.get("params", {}).get(PARAMS, {})
        read = [dep for dep in stage.get("deps", ()) if dep["path"] in written]
        return (
            all(sections.get(section) == value for section, value in recorded.items())
            and all(written[dep["path"]] == dep["md5"] for dep in read)
            and all(current(owner[dep["path"]]) for dep in read)
        )

    for name in stages:
        if current(name):
            yield from (out["path"] for out in stages[name].get("outs", ()))


def flat(tree: Tree, above: str = "") -> dict[str, Any]:
    """A tree as one level of keys, joined by dots."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{above}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def everything() -> list[list[str]]:
    """The table of all experiments on the commit at hand; at its end, what each changes.

    What all of them change alike, such as the profile they are of, is left out.

    Raises:
        Refusal: DVC does not answer.
    """
    before, runs = commit(), collect()
    changes = {run.name: changed(before.params, run.params) for run in runs if run.state == DONE}
    shared = set.intersection(*map(set, changes.values())) if len(changes) > 1 else set()
    told = [[c for c in changes.get(run.name, ()) if c not in shared] for run in runs]
    numbers = rows(COMPARED, ("commit", before), {run.name: run for run in runs})
    last = ["changed", "", *(" ".join(few(own)) for own in told)]
    return [[*row, cell] for row, cell in zip(numbers, last, strict=True)]


def changed(before: Tree, after: Tree) -> list[str]:
    """The parameters that differ, by their last names: `codebook_size=16`."""
    old, new = flat(before), flat(after)
    return [
        f"{key.rpartition('.')[2]}={json.dumps(value, ensure_ascii=False)}".replace('"', "")
        for key, value in new.items()
        if value != old.get(key)
    ]


def few(changes: Sequence[str]) -> list[str]:
    """The first `MOST_SAID` of some changes, and how many more there are: a screen is narrow."""
    left = len(changes) - MOST_SAID
    return [*changes[:MOST_SAID], *([f"and {left} more"] if left > 0 else [])]


def rows(
    metrics: Sequence[str], baseline: tuple[str, Run | None], runs: Mapping[str, Run | None]
) -> list[list[str]]:
    """A header, the baseline, and every run with its differences to it.

    The header has short names, those on validation first and marked `(val)`.

    Args:
        metrics: full names.
        baseline: what to call it, and what it is.
        runs: the same for each other run; None where there is none yet.
    """
    ordered = sorted(metrics, key=lambda name: not VALIDATION.match(name))
    name, before = baseline
    ground = before.metrics if before else {}
    return [
        ["run", *map(_marked, short(ordered), ordered)],
        [name, *_cells(before, ordered, {})],
        *([run, *_cells(found, ordered, ground)] for run, found in runs.items()),
    ]


def short(names: Sequence[str]) -> list[str]:
    """The last words of names, with as many of those before as it takes to tell them apart."""
    parts = [name.split("/") for name in names]
    depth = 1
    while len({tuple(words[-depth:]) for words in parts}) < len(parts):
        depth += 1
    last = ["/".join(words[-1:]) for words in parts]
    return [
        word if last.count(word) == 1 else "/".join(words[-depth:])
        for word, words in zip(last, parts, strict=True)
    ]


def _marked(word: str, name: str) -> str:
    """A short name, which says whether the number is of validation operators."""
    said = "val/" in word or "val_" in word
    return word + OF_VALIDATION if VALIDATION.match(name) and not said else word


def _cells(run: Run | None, metrics: Sequence[str], ground: Metrics) -> list[str]:
    if run is None or run.state != DONE:
        said = "not queued" if run is None else run.state
        return [said, *[""] * (len(metrics) - 1)]
    return [_cell(run.metrics.get(name), ground.get(name)) for name in metrics]


def _cell(value: float | None, before: float | None) -> str:
    """A number with four significant digits and its difference to another: `0.8558 (+0.012)`."""
    if not isinstance(value, int | float):
        return NONE
    if not isinstance(before, int | float):
        return f"{value:.4g}"
    return f"{value:.4g} ({value - before:+.2g})" if value != before else f"{value:.4g} (=)"


def text(table: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Rows as a table in Markdown."""
    header, *body = table
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
