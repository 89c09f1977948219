"""Stage `discover-categories`: the cleaned columns are grouped, by training rows alone."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spinlock import artifacts, params, runtime, workers
from spinlock.categories import discovery, mapping, partition, quality
from spinlock.cleaning import cleanset

NAME = "discover-categories"


def main(clean: Path, mappings: Path, categories: Path, metrics: Path) -> str:
    """Read clean.h5, and a mapping if one is named; write categories.json and how good it is."""
    config = params.load("discover_categories", partition.Config)
    seed = params.load("seed", int)
    settings = params.load("runtime", runtime.Config)
    given = mapping.read(mappings / config.mapping_file) if config.mapping_file else None
    source = cleanset.read(clean)
    train = source.aggregated.take(source.rows("train"))
    with workers.side_by_side(settings.num_workers) as run:
        shown = partial(_shown, run)
        found = discovery.discover(train, source.columns, config, seed, given, shown)
    partition.write(categories, found, config, seed)
    table = discovery.summaries(train, source.columns)
    scores = quality.metrics(found, table)
    artifacts.write_metrics(metrics, scores)
    for pool, score in quality.unsure(found, config.min_stability).items():
        known = f"stability {score.stability:.3f}, certainly at least {score.stability_low:.3f}"
        least = f"min_stability is {config.min_stability:g}"
        runtime.note(f"{NAME}: {pool}: {score.number} categories have {known}; {least}")
    low = scores["categories/stability_low"]
    said = "" if low is None else f", stability certainly at least {low:.3f}"
    count = f"{len(found.categories)} categories of {len(table)} columns{said}"
    return f"{NAME}: {count} -> {categories}"


def _shown(run: workers.Run, jobs: Sequence[workers.Job]) -> Iterator[Any]:
    return runtime.progress(run(jobs), len(jobs), f"{NAME}: resamples")


if __name__ == "__main__":
    runtime.run(main)
