"""Ablations: named lists of runs; `python -m spinlock.experiments list | show | queue | table`.

An experiment stands in `experiments/NAME.yaml`: a profile that all its runs start from (or null),
the last stage that they need (or null: all), the metrics of its table, and its runs, each an
overlay of params.yaml as a profile is. `queue` hands them to `dvc exp run --queue` as experiments
NAME-RUN; `table` sets what came of them beside the baseline: the commit at hand or, if there is a
profile, the run that changes nothing else.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from spinlock import artifacts, comparison, params, profiles
from spinlock.refusals import Refusal

FOLDER = Path("experiments")
METRICS = Path("metrics")
PIPELINE = Path("dvc.yaml")
BASELINE = "baseline"
WORD = re.compile(r"[a-z0-9][a-z0-9_.]*")
LATER = "held_out/"  # metrics of groups that a run declares need not be those of the commit
SECTIONS: dict[str, Any] = {
    "profile": str | None,
    "until": str | None,
    "metrics": Annotated[tuple[str, ...], Field(min_length=1)],
    "runs": Annotated[dict[str, dict[str, Any]], Field(min_length=1)],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A list of runs, each known to be right together with params.yaml."""

    name: str  # with the user's profile, if there is one: runs of two profiles are two lists
    until: str | None  # the last stage that its runs need; None: all
    metrics: tuple[str, ...]  # columns of the table
    runs: dict[str, dict[str, object]]  # all that each changes, its profile's changes too

    def label(self, run: str) -> str:
        """What DVC calls a run."""
        return f"{self.name}-{run}"


def load(name: str, profile: str | None = None) -> Experiment:
    """Read an experiment.

    Args:
        name: of a file in `FOLDER`.
        profile: in place of the one that the file names.

    Raises:
        Refusal: there is no such experiment, profile or metric, a key of params.yaml does not exist
            or its value cannot be right, or a run changes section runtime, which holds places.
    """
    path = profiles.find(FOLDER, name, "experiment")
    tree = params.read(path)
    if unknown := sorted(set(tree) - set(SECTIONS)):
        raise Refusal(f"{path}: {unknown[0]}: unknown key; known: {', '.join(SECTIONS)}")
    parsed = {key: params.parse(key, tree, schema, path) for key, schema in SECTIONS.items()}
    start = profile or parsed["profile"]
    base = profiles.load(start) if start else {}
    declared = ({BASELINE: {}} if start else {}) | parsed["runs"]
    return Experiment(
        name=f"{name}-{profile}" if profile else name,
        until=_stage(parsed["until"], path),
        metrics=_known(parsed["metrics"], path),
        runs={run: _checked(base, own, f"{path}: runs.{run}") for run, own in declared.items()},
    )


def _checked(base: dict[str, object], own: Mapping[str, object], place: str) -> dict[str, object]:
    """All that a run changes."""
    run = place.rpartition("runs.")[2]
    if not WORD.fullmatch(run):
        raise Refusal(f"{place}: expected a name of small letters, digits and '_', got {run!r}")
    if "runtime" in own:
        raise Refusal(f"{place}: runtime cannot change a result; leave it out")
    return profiles.checked(profiles.merge(base, own), place)


def _stage(name: str | None, path: Path) -> str | None:
    """The stage again, if the pipeline has it."""
    if name is None:
        return None
    known = params.parse("stages", params.read(PIPELINE), dict[str, Any], PIPELINE)
    if name not in known:
        raise Refusal(f"{path}: until: expected null or one of {', '.join(known)}, got {name!r}")
    return name


def _known(metrics: tuple[str, ...], path: Path) -> tuple[str, ...]:
    """The metrics again, if the commit has them."""
    there = {name for file in METRICS.glob("*.json") for name in artifacts.read_object(file)}
    for metric in metrics:
        if metric not in there and not metric.startswith(LATER):
            raise Refusal(f"{path}: metrics: no stage writes {metric!r} to {METRICS}/")
    return metrics


def queue(experiment: Experiment) -> str:
    """Queue the runs that this commit does not have yet, queued, running or done; what was done.

    Raises:
        Refusal: DVC did not take one.
    """
    have = {run.name for run in comparison.collect() if run.state != comparison.FAILED}
    labels = {experiment.label(run): changes for run, changes in experiment.runs.items()}
    new = [label for label in labels if label not in have]
    for label in new:
        target = [experiment.until] if experiment.until else []
        command = profiles.command(labels[label], ["--queue", "--name", label, *target])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refusal(f"{label}: not queued: {' '.join(done.stderr.split())}")
    there = f", {len(labels) - len(new)} were there" if len(new) < len(labels) else ""
    then = "`dvc queue start` runs them; `python -m spinlock.experiments table` compares them"
    return f"{experiment.name}: queued {len(new)} runs{there}; {then}"


def table(experiment: Experiment) -> list[list[str]]:
    """Rows of text: a header, the baseline, and each run with its difference to that."""
    found = {run.name: run for run in comparison.collect()}
    declared = {run: found.get(experiment.label(run)) for run in experiment.runs}
    baseline = declared.pop(BASELINE) if BASELINE in declared else comparison.commit()
    return comparison.rows(experiment.metrics, (BASELINE, baseline), declared)


def main() -> int:
    """Answer, or queue; a refusal is one line and exit status 2."""
    options = _parser().parse_args()
    try:
        print(options.answer(options))
    except Refusal as refusal:
        print(f"experiments: {refusal}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m spinlock.experiments", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="all experiments and what each asks")
    listing.set_defaults(answer=lambda options: profiles.listed(FOLDER))

    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("name")
    named.add_argument("--profile", help="start from this one instead of the file's")
    show = commands.add_parser("show", parents=[named], help="what each run changes")
    show.set_defaults(answer=_show)
    queued = commands.add_parser("queue", parents=[named], help="`dvc exp run --queue` for each")
    queued.set_defaults(answer=lambda options: queue(load(options.name, options.profile)))

    compared = commands.add_parser("table", help="what came of the runs, beside the baseline")
    compared.add_argument("name", nargs="?", help="all experiments on this commit if none is given")
    compared.add_argument("--profile", help="as it was queued")
    compared.add_argument("--md", action="store_true", help="as Markdown")
    compared.set_defaults(answer=_table)
    return parser


def _show(options: argparse.Namespace) -> str:
    experiment = load(options.name, options.profile)
    about = profiles.head(profiles.find(FOLDER, options.name, "experiment"))
    changes = (
        f"{experiment.label(run)}: {' '.join(profiles.overrides(own)) or 'nothing is changed'}"
        for run, own in experiment.runs.items()
    )
    return "\n".join([*(f"# {line}" for line in about), *changes])


def _table(options: argparse.Namespace) -> str:
    if options.name is None and options.profile is not None:
        raise Refusal("--profile: goes with the name of an experiment")
    if options.name is None:
        rows = comparison.everything()
    else:
        rows = table(load(options.name, options.profile))
    return comparison.markdown(rows) if options.md else comparison.text(rows)


if __name__ == "__main__":
    sys.exit(main())
