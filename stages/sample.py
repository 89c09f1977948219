"""Lay out the operators: design points, θ, initial conditions, splits."""

from pathlib import Path

from spinlock import artifacts, params, runtime
from spinlock.sampling import build, report, table
from spinlock.sampling.config import Config


def main(operators: Path, metrics: Path) -> str:
    """Write the operator table and what it is worth."""
    seed = params.load("seed", int)
    config = params.load("sample", Config)
    sampled = build.build(seed, config)
    scores = report.metrics(sampled, config)
    made_by = {section: params.read()[section] for section in ("seed", "sample")}
    table.write(operators, sampled, made_by)
    artifacts.write_metrics(metrics, scores)
    made = f"sample: {len(sampled)} operators, {len(sampled.rows('train'))} to train on"
    warned = [f"sample: warning: {sentence}" for sentence in report.warnings(sampled)]
    return "\n".join([*warned, f"{made} -> {operators}"])


if __name__ == "__main__":
    runtime.run(main)
