"""Roll out every operator of the table, in shards, with an index."""

from pathlib import Path

from spinlock import artifacts, params, runtime, store
from spinlock.rollout import index, shards
from spinlock.rollout.config import Config
from spinlock.rollout.metrics import metrics
from spinlock.sampling import table


def main(operators_path: Path, rollouts: Path, scores: Path) -> str:
    """Read the operator table; write u0 [n, C, H, W] and u [n, R, T, C, H, W] in shards."""
    config = params.load("generate", Config)
    settings = params.load("runtime", runtime.Config)
    operators = table.read(operators_path)
    plan = shards.plan(operators, config, runtime.device(settings))
    folder = Path(settings.store)
    with store.locked(folder):  # to the end: a killed `dvc` leaves its stage running
        paths = store.fill(plan, shards.compute, folder, settings.num_workers, "generate")
        shards.assemble(operators, config, paths, rollouts)
        found = metrics(operators, index.open_rollouts(rollouts))
        artifacts.write_metrics(scores, found)
    diverged = found["generate/num_diverged_operators"]
    made = f"{len(operators)} operators in {len(plan)} shards, {diverged} diverged"
    return f"generate: {made} -> {rollouts}"


if __name__ == "__main__":
    runtime.run(main)
