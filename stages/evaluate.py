"""Stage `evaluate`: every score of the tokenizer and of the agent, and the scorecard."""

from pathlib import Path

from spinlock import artifacts, params, runtime, workers
from spinlock.cleaning import raw
from spinlock.evaluation import consistency, exemplars, portraits, report, scorecard, tables
from spinlock.evaluation.config import Config
from spinlock.plots import dashboards, features, files, vocabulary_page


def main(*paths: Path) -> str:
    """Read all that was made; write metrics, scorecard, tables and dashboards.

    The paths: table, rollouts, features, further, clean, categories, tokenizer, tokens, noa and the
    curves of train-vqvae are read; metrics, scorecard and the folder of plots are written.
    """
    *made, curves, metrics, card, plots = paths
    config, settings = params.load("evaluate", Config), params.load("runtime", runtime.Config)
    sources, history = consistency.read(made), dashboards.read_curves(curves)
    with workers.side_by_side(settings.num_workers) as start:
        evaluation = report.Evaluation(sources, config, start)
        found = evaluation.run()
        artifacts.write_metrics(metrics, tables.headlines(found.metrics))
        artifacts.write_table(card, scorecard.table(found.scorecard))
        for name, rows in found.tables.items():
            artifacts.write_table(plots / f"{name}.csv", rows)
        shown = portraits.gallery(raw.read(made[2]), sources.operators, sources.index)
        figures = dashboards.pictures(evaluation, found, history)
        drawn = files.draw(figures | features.pictures(shown), plots, start)
        told = exemplars.describe(found.vocabulary, sources, settings.num_workers)
        vocabulary_page.save(told, plots / "vocabulary")
        list(drawn)
    met = [row.met for row in found.scorecard if row.met is not None]
    return f"{found.text}\nevaluate: {sum(met)} of {len(met)} criteria met -> {card}"


if __name__ == "__main__":
    runtime.run(main)
