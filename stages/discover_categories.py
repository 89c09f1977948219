"""Stage `discover-categories`: the cleaned columns are grouped, by training rows alone."""

from pathlib import Path

from spinlock import artifacts, params, runtime
from spinlock.categories import discovery, partition, quality
from spinlock.cleaning import cleanset


def main(clean: Path, mappings: Path, categories: Path, metrics: Path) -> str:
    """Read clean.h5, and a mapping if one is named; write categories.json and how good it is."""
    config = params.load("discover_categories", partition.Config)
    seed = params.load("seed", int)
    given = artifacts.read_json(mappings / config.mapping_file) if config.mapping_file else None
    source = cleanset.read(clean)
    train = source.aggregated.take(source.rows("train"))
    found = discovery.discover(train, source.columns, config, seed, given)
    partition.write(categories, found, config, seed)
    table = discovery.summaries(train, source.columns)
    artifacts.write_metrics(metrics, quality.metrics(found, table))
    count = len(found.categories)
    return f"discover-categories: {count} categories of {len(table)} columns -> {categories}"


if __name__ == "__main__":
    runtime.run(main)
