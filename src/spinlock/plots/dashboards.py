"""From the results of the evaluation to the dashboards; picks and names, computes no score."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from spinlock.evaluation.agent import Curves
from spinlock.evaluation.failures import Failures, find
from spinlock.evaluation.report import ALL, Evaluation, Report
from spinlock.evaluation.scorecard import Row
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.plots import agent, engineering, failures, semantic
from spinlock.plots.agent import ErrorCurve, Strip
from spinlock.plots.headline import Headline
from spinlock.refusals import Refusal
from spinlock.tokenizer.layout import FAMILIES
from spinlock.tokenizer.model import Tokenizer

PANELS = {
    "Reconstruction": ("reconstruction",),
    "All losses": ("val_loss",),
    "Codes in use": ("utilization",),
    "Perplexity": ("perplexity",),
    "Topographic similarity": ("topo_pre", "topo_post"),
}
PERCENTILES = (10, 50, 90)
BASELINE = "residual_kmeans"


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
        found[name] = np.array([float(row[name]) if row[name] else np.nan for row in rows])
    return found


def draw(
    evaluation: Evaluation, report: Report, curves: Mapping[str, np.ndarray]
) -> dict[str, Figure]:
    """The three dashboards by the names of their files."""
    return {
        "engineering.png": _engineering(evaluation.sources.tokenizer, report, curves),
        "semantic.png": _semantic(evaluation.sources.tokenizer, report),
        "agent.png": _agent(evaluation, report),
        "agent_failures.png": failures.dashboard(_failures(evaluation, report)),
    }


def _engineering(tokenizer: Tokenizer, report: Report, curves: Mapping[str, np.ndarray]) -> Figure:
    used, sizes = _used(report.vocabulary), _sizes(report.vocabulary)
    return engineering.dashboard(
        engineering.EngineeringPicture(
            boxes=_boxes(tokenizer),
            curves={
                panel: {name: curves[name] for name in names} for panel, names in PANELS.items()
            },
            categories=tokenizer.categories,
            levels=tuple(map(str, range(sizes.shape[1]))),
            utilization=used / sizes,
            used=used,
            reconstruction=_column(report, "tokenizer"),
            reconstruction_baseline=_column(report, BASELINE),
            baseline="residual k-means, equal bits",
            headlines=_headlines(report, "tokenizer"),
        )
    )


def _boxes(tokenizer: Tokenizer) -> tuple[engineering.Box, ...]:
    kept, config = tokenizer.cleaner.kept, tokenizer.config
    raw = sum(len(tokenizer.cleaner.family(family).names) for family in FAMILIES)
    columns = sum(len(names) for names in kept.values())
    groups, depths = len(tokenizer.categories), tokenizer.quantizer.levels
    codes = ", ".join(str(size) for size in sorted(set(tokenizer.quantizer.sizes)))
    levels = f"{min(depths)} to {max(depths)}" if min(depths) < max(depths) else f"{max(depths)}"
    parameters = sum(p.numel() for p in tokenizer.parameters())
    return (
        engineering.Box(name="features", size=f"{raw} columns\n{tokenizer.num_steps} steps"),
        engineering.Box(name="cleaner", size=f"{columns} kept"),
        engineering.Box(
            name="encoders", size=f"{groups} categories\nwidth {config.group_embedding_dim}"
        ),
        engineering.Box(name="quantizer", size=f"{levels} levels of\n{codes} codes"),
        engineering.Box(name="tokens", size=f"{sum(depths)} tokens\n{tokenizer.bits:.0f} bits"),
        engineering.Box(name="tokenizer", size=f"{parameters} parameters\nin all"),
    )


def _used(vocabulary: Vocabulary) -> Int[np.ndarray, "G L"]:
    """Codes that at least one operator of the set uses; 0 where there is no such level."""
    tokens = vocabulary.own.tokens[vocabulary.target.exists.any(1)]
    exists = np.isfinite(_sizes(vocabulary))
    used = np.zeros(exists.shape, dtype=np.int64)
    used[exists] = [len(np.unique(token)) for token in tokens.T]
    return used


def _sizes(vocabulary: Vocabulary) -> Float[np.ndarray, "G L"]:
    """Codes of each level of each category; NaN where there is no such level."""
    depth = max(map(len, vocabulary.sizes))
    return np.array([[*levels, *[np.nan] * (depth - len(levels))] for levels in vocabulary.sizes])


def _column(report: Report, name: str) -> np.ndarray:
    values = [row[name] for row in report.categories]
    return np.array([np.nan if value == "" else value for value in values], dtype=float)


def _semantic(tokenizer: Tokenizer, report: Report) -> Figure:
    found, layout = report.semantics, tokenizer.layout
    sizes = [[len(getattr(c, family)) for family in FAMILIES] for c in layout.categories]
    return semantic.dashboard(
        semantic.SemanticPicture(
            categories=tokenizer.categories,
            columns=tuple(name for family in FAMILIES for name in layout.columns[family]),
            category_of=found.category_of,
            association=found.association,
            association_label="mean |correlation| with the category's columns, training operators",
            families=FAMILIES,
            sizes=np.array(sizes),
            correlation=found.correlation,
            correlation_label="mean |correlation| between columns, training operators",
        )
    )


def _agent(evaluation: Evaluation, report: Report) -> Figure:
    groups, counts = {}, {}
    for policy in (ALL, *evaluation.policies):
        rows = [row for row in report.error_curves if row["policy"] == policy]
        lines = {name: _line(rows, name) for name in report.emulation.curves}
        groups[policy] = {name.replace("_", " "): line for name, line in lines.items()}
        counts[policy] = len(evaluation.places(report.emulation, "test", policy))
    return agent.dashboard(
        agent.AgentPicture(
            groups=groups,
            counts=counts,
            strips=_strips(evaluation, report),
            headlines=_headlines(report, "noa"),
        )
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


def _headlines(report: Report, half: str) -> tuple[Headline, ...]:
    """The rows of the scorecard that speak of one half, each value once."""
    rows: dict[str, Row] = {}
    for row in report.scorecard:
        if row.metric.startswith(f"{half}/") and row.source != "baseline":
            rows.setdefault(row.metric, row)
    return tuple(
        Headline(
            name=metric.removeprefix(f"{half}/").replace("_", " ").replace("/", ": "),
            value=row.value,
            low=row.low,
            high=row.high,
            floor=row.floor,
            ceiling=row.ceiling,
        )
        for metric, row in rows.items()
    )
