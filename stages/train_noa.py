"""Stage `train-noa`: train the agent on stored or replayed rollouts; its curves and metrics."""

import shutil
from dataclasses import asdict
from pathlib import Path

import curves
from spinlock import artifacts, params, runtime
from spinlock.noa import embedding, parallel, report, training
from spinlock.noa.config import Config


def main(*paths: Path) -> str:
    """Read operator table, rollouts and tokenizer; write the agent, its metrics and its curves."""
    table, rollouts, tokenizer, noa, metrics, live = paths
    config, seed = params.load("train_noa", Config), params.load("seed", int)
    workers = params.load("runtime", runtime.Config).num_workers
    agent, data = report.prepare((table, rollouts, tokenizer), config, seed, workers)
    code, inputs = runtime.code_fingerprint(), (table, rollouts / "index.json", tokenizer)
    key = runtime.fingerprint(asdict(config), seed, code, runtime.file_fingerprint(*inputs))
    folder = runtime.work_folder("train_noa", key)
    with parallel.threads(workers) as executor:
        intervals = training.fit(agent, data, seed, executor, folder)
        shown = runtime.progress(intervals, len(config.validations), "train-noa")
        history = curves.log(live, shown, step="update")
        heads = embedding.add_heads(agent, data, seed, executor)
    agent.save(noa)
    found = report.metrics(agent, data, history, heads)
    artifacts.write_metrics(metrics, found)
    shutil.rmtree(folder)
    return f"train-noa: validation VRMSE {found['noa/val_error']:.3f} -> {noa}"


if __name__ == "__main__":
    runtime.run(main)
