"""Describe every rollout by the columns of the four families."""

from pathlib import Path

from spinlock import artifacts, params, runtime, store
from spinlock.features import files, report, shards
from spinlock.features.config import Config
from spinlock.rollout.index import open_rollouts
from spinlock.sampling import table


def main(operators_path: Path, rollouts: Path, features: Path, further: Path, metrics: Path) -> str:
    """Stream u [R, T, C, H, W] of every operator; write features [N, D], [N, R, D], [N, T, D]."""
    config = params.load("extract", Config)
    settings = params.load("runtime", runtime.Config)
    operators = table.read(operators_path)
    index = open_rollouts(rollouts)
    plan = shards.plan(operators, index, config, settings.batch_size)
    more, again = shards.plan_further(operators, index, config, settings.batch_size)
    folder = Path(settings.store)
    with store.locked(folder):  # to the end: a killed `dvc` leaves its stage running
        wanted = [*plan, *more]
        paths = store.fill(wanted, shards.compute, folder, settings.num_workers, "extract: shards")
        described = shards.read(paths[: len(plan)], operators)
        files.write(features, operators, described, index, config)
        drawn = shards.read(paths[len(plan) :], again) if more else described.take(slice(0))
        files.write(further, again, drawn, index, config, files.FURTHER)
        found = report.metrics(operators, described, drawn, config)
        artifacts.write_metrics(metrics, found)
    return f"extract: {len(operators)} operators, {described.valid.sum()} valid -> {features}"


if __name__ == "__main__":
    runtime.run(main)
