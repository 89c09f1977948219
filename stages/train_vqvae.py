"""Stage `train-vqvae`: learn the tokenizer; the tokens of every operator."""

import shutil
from dataclasses import asdict
from pathlib import Path

import curves
from spinlock import artifacts, params, runtime
from spinlock.categories import grouping
from spinlock.cleaning import cleanset, raw
from spinlock.cleaning import report as cleaner_report
from spinlock.tokenizer import blank, report, training
from spinlock.tokenizer.config import Config

NAME = "train-vqvae"


def main(*paths: Path) -> str:
    """Read clean.h5, further.h5, the cleaner, the categories; write tokenizer, tokens, curves."""
    clean, further, cleaner, categories, tokenizer, tokens, metrics, live = paths
    config, seed = params.load("train_vqvae", Config), params.load("seed", int)
    source = cleanset.read(clean)
    report.check(config, source)
    fitted, mapping = cleaner_report.read(cleaner), grouping.read(categories).categories
    model = blank.build(source, fitted, mapping, config, seed)
    provenance = {"train_vqvae": asdict(config), "seed": seed}
    inputs = runtime.file_fingerprint(clean, further, cleaner, categories)
    key = runtime.fingerprint(provenance, runtime.code_fingerprint(), inputs)
    folder = runtime.work_folder("train_vqvae", key)
    more = cleanset.clean(raw.read_further(further, source.metadata), fitted)
    train = report.training_examples(model, source, more)
    sets = train, report.validation_examples(model, source)
    epochs = training.fit(model, *sets, seed, folder)
    shown = runtime.progress(epochs, config.warmup_epochs + config.epochs, NAME)
    history = curves.log(live, shown)
    finished = training.validation_scores(model, sets[1], quantized=True)
    model.save(tokenizer)
    found = report.encode(model, source)
    report.write(tokens, found, provenance)
    scores = report.metrics(model, found, history, finished)
    artifacts.write_metrics(metrics, scores)
    shutil.rmtree(folder)
    said = f"quality {scores['vqvae/quality']:.3f} at {scores['vqvae/bits']:.0f} bits"
    return f"{NAME}: {said} after {len(history)} epochs -> {tokenizer}"


if __name__ == "__main__":
    runtime.run(main)
