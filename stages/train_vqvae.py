"""Stage `train-vqvae`: learn the tokenizer; the tokens of every operator."""

import shutil
from dataclasses import asdict
from pathlib import Path

from dvclive import Live

from spinlock import artifacts, params, runtime
from spinlock.cleaning import cleanset
from spinlock.cleaning import report as cleaner_report
from spinlock.tokenizer import report, training
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.model import Tokenizer


def main(  # noqa: PLR0917 (one path per file)
    clean: Path,
    cleaner: Path,
    categories: Path,
    tokenizer: Path,
    tokens: Path,
    metrics: Path,
    live: Path,
) -> str:
    """Read clean.h5, the cleaner and the categories; write tokenizer, tokens, metrics, curves."""
    config, seed = params.load("train_vqvae", Config), params.load("seed", int)
    source = cleanset.read(clean)
    mapping = artifacts.read_json(categories)["categories"]
    channels, steps = source.aggregated.fields.shape[1], source.aggregated.temporal.shape[1]
    model = Tokenizer(cleaner_report.read(cleaner), mapping, config, channels, steps)
    provenance = {"train_vqvae": asdict(config), "seed": seed}
    key = (
        provenance,
        runtime.code_fingerprint(),
        runtime.file_fingerprint(clean, cleaner, categories),
    )
    folder = runtime.work_folder("train_vqvae", runtime.fingerprint(*key))
    sets = report.training_examples(model, source), report.validation_examples(model, source)
    epochs = training.fit(model, *sets, seed, folder)
    history = []
    with Live(str(live), report=None, save_dvc_exp=False, dvcyaml=False) as log:
        for record in runtime.progress(epochs, config.warmup_epochs + config.epochs, "train-vqvae"):
            for name, value in record.items():
                log.log_metric(name, artifacts.rounded(value))
            log.next_step()
            history.append(record)
    model.save(tokenizer)
    found = report.encode(model, source)
    report.write(tokens, found, provenance)
    scores = report.metrics(model, found, history)
    artifacts.write_metrics(metrics, scores)
    shutil.rmtree(folder)
    quality, bits = scores["vqvae/quality"], scores["vqvae/bits"]
    said = f"quality {quality:.3f} at {bits:.0f} bits after {len(history)} epochs"
    return f"train-vqvae: {said} → {tokenizer}"


if __name__ == "__main__":
    runtime.run(main)
