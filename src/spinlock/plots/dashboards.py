"""From the results of the evaluation to the dashboards; picks and names, computes no score."""

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from spinlock.evaluation.agent import Curves
from spinlock.evaluation.failures import Failures, find
from spinlock.evaluation.report import ALL, Evaluation, Report
from spinlock.plots import agent, failures, headline, lexicon
from spinlock.plots.agent import ErrorCurve, Strip
from spinlock.plots.files import Drawing
from spinlock.refusals import Refusal

PANELS = {
    "Reconstruction": ("reconstruction",),
    "All losses": ("val_loss",),
    "Codes in use": ("utilization",),
    "Perplexity": ("perplexity",),
    "Topographic similarity": ("topo_pre", "topo_post", "topo_tokens"),
}
PERCENTILES = (10, 50, 90)


def read_curves(folder: Path) -> dict[str, np.ndarray]:
    """Training curves that DVCLive wrote: one value an epoch, NaN where there is none.

    Raises:
        Refusal: a curve is missing.
    """
    found = {}
    for name in sorted(name for names in PANELS.values() for name in names):
        paths = sorted(folder.rglob(f"{name}.tsv"))
        if not paths:
            raise Refusal(f"{folder}: no curve {name}.tsv; it is made by train-vqvae (dvc repro)")
        with paths[0].open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        steps = [int(row["step"]) for row in rows]
        found[name] = np.full(max(steps, default=0), np.nan)
        found[name][np.array(steps, dtype=int) - 1] = [float(row[name] or np.nan) for row in rows]
    return found


def pictures(
    evaluation: Evaluation, report: Report, curves: Mapping[str, np.ndarray]
) -> dict[str, Drawing]:
    """The dashboards of both halves by the names of their files.

    Args:
        evaluation: of what.
        report: what came out.
        curves: of the tokenizer's training, by name.
    """
    panels = {panel: {name: curves[name] for name in names} for panel, names in PANELS.items()}
    shown = lexicon.pictures(evaluation.sources, report, panels)
    return shown | {
        "agent.png": _agent(evaluation, report),
        "agent_failures.png": partial(failures.dashboard, _failures(evaluation, report)),
    }


def _agent(evaluation: Evaluation, report: Report) -> Drawing:
    groups, counts = {}, {}
    for policy in (ALL, *evaluation.policies):
        rows = [row for row in report.error_curves if row["policy"] == policy]
        lines = {n: _line(rows, n) for n in report.emulation.curves if n != "frame_mean"}
        groups[policy] = {name.replace("_", " "): line for name, line in lines.items()}
        counts[policy] = len(evaluation.places(report.emulation, "test", policy))
    return partial(
        agent.dashboard,
        agent.AgentPicture(
            groups=groups,
            counts=counts,
            strips=_strips(evaluation, report),
            headlines=headline.of(report.scorecard, "noa"),
        ),
    )


def _failures(evaluation: Evaluation, report: Report) -> Failures:
    """Of the test operators."""
    emulated = report.emulation
    places = {p: evaluation.places(emulated, "test", p) for p in evaluation.policies}
    return find(evaluation.sources, emulated, places)


def _line(rows: list[dict[str, object]], predictor: str) -> ErrorCurve:
    own = [row for row in rows if row["predictor"] == predictor]
    values = {
        name: np.array([np.nan if row[name] == "" else row[name] for row in own], dtype=float)
        for name in ("median", "low", "high")
    }
    return ErrorCurve(**values)


def _strips(evaluation: Evaluation, report: Report) -> tuple[Strip, ...]:
    """Test operators at the percentiles of the error at the last headline step."""
    emulated = report.emulation
    places = evaluation.places(emulated, "test", ALL)
    curves: Curves = emulated.curves["agent"].take(places)
    error = curves.vrmse[:, emulated.steps[-1] - 1]
    order = np.argsort(error, kind="stable")[: np.count_nonzero(~np.isnan(error))]
    chosen = [order[round((len(order) - 1) * p / 100)] for p in PERCENTILES] if len(order) else []
    theta, rows = evaluation.sources.operators.theta, emulated.rows[places]
    return tuple(
        Strip(
            title=f"{p}th percentile: operator {evaluation.sources.operators.ids[rows[place]]} "
            f"({theta[rows[place]].update_policy})",
            steps=emulated.steps,
            truth=emulated.truth[places[place]],
            prediction=emulated.predicted[places[place]],
            vrmse=curves.vrmse[place, [step - 1 for step in emulated.steps]],
        )
        for p, place in zip(PERCENTILES, chosen, strict=False)
    )
