"""Stage `train-noa`: train the agent on stored or replayed rollouts; its curves and metrics."""

import shutil
from dataclasses import asdict
from pathlib import Path

from dvclive import Live

from spinlock import artifacts, params, runtime
from spinlock.noa import parallel, report, training
from spinlock.noa.config import Config


def main(*paths: Path) -> str:
    """Read operator table, rollouts and tokenizer; write the agent, its metrics and its curves."""
    table, rollouts, tokenizer, noa, metrics, live = paths
    config, seed = params.load("train_noa", Config), params.load("seed", int)
    workers = params.load("runtime", runtime.Config).num_workers
    agent, data = report.prepare((table, rollouts, tokenizer), config, seed, workers)
    inputs = runtime.file_fingerprint(table, rollouts / "index.json", tokenizer)
    key = runtime.fingerprint(asdict(config), seed, runtime.code_fingerprint(), inputs)
    folder = runtime.work_folder("train_noa", key)
    history = []
    with (
        parallel.threads(workers) as executor,
        Live(str(live), report=None, save_dvc_exp=False, dvcyaml=False) as log,
    ):
        intervals = training.fit(agent, data, seed, executor, folder)
        for record in runtime.progress(intervals, config.num_intervals, "train-noa"):
            log.step = int(record["update"])
            for name, value in record.items():
                log.log_metric(name, artifacts.rounded(value))
            history.append(record)
    agent.save(noa)
    found = report.metrics(agent, data, history)
    artifacts.write_metrics(metrics, found)
    shutil.rmtree(folder)
    error, update = found["noa/val_error"], found["noa/best_update"]
    return f"train-noa: validation VRMSE {error:.3f} at update {update} → {noa}"


if __name__ == "__main__":
    runtime.run(main)
