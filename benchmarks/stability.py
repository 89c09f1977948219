"""Do tokens stay when the tokenizer's seed changes, or some of the training operators?

`PYTHONPATH=src python benchmarks/stability.py [seeds] [bootstraps]` (3 and 3) trains so many
tokenizers on the data at hand, each as long as stage `train-vqvae`, and prints the tables of
LOG.md: the spread of the scores, and the agreement of the tokens of all operators. A bootstrap
draws the training operators with replacement, each with its further draws; columns, categories
and levels stay.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from spinlock import params, randomness, runtime
from spinlock.categories import grouping
from spinlock.cleaning import cleanset, raw
from spinlock.cleaning import report as cleaner_report
from spinlock.cleaning.cleanset import CleanSet
from spinlock.cleaning.metadata import Metadata
from spinlock.evaluation import stability
from spinlock.tokenizer import report, training
from spinlock.tokenizer.blank import build
from spinlock.tokenizer.config import Config
from spinlock.tokenizer.model import Tokenizer

PER_OPERATOR = ("summary", "temporal", "summary_mask", "temporal_mask")


def main(seeds: int = 3, bootstraps: int = 3) -> None:
    """Train, and print the tables."""
    runtime.single_thread()
    config, seed = params.load("train_vqvae", Config), params.load("seed", int)
    source = cleanset.read(Path("data/clean.h5"))
    more = further(source)
    same = [trained((source, more), source, replace(config, seed=s), seed) for s in range(seeds)]
    samples = [resampled(source, more, seed, number) for number in range(bootstraps)]
    drawn = [trained(sample, source, config, seed) for sample in samples]
    for what, runs in (("seeds", same), ("bootstraps", drawn)):
        if len(runs) > 1:
            print(f"\n{len(runs)} {what}")
            print("\n".join(table(stability.spread([scores for scores, _ in runs]))))
            print("\n".join(table(stability.tokens([tokens for _, tokens in runs]))))


def further(source: CleanSet) -> CleanSet:
    """Further draws of the training operators of a source."""
    fitted = cleaner_report.read(Path("models/cleaner.h5"))
    return cleanset.clean(raw.read_further("data/further.h5", source.metadata), fitted)


def trained(
    given: tuple[CleanSet, CleanSet], source: CleanSet, config: Config, seed: int
) -> tuple[dict[str, float | int], stability.Tokens]:
    """Scores and tokens (of the valid operators of a source) of a tokenizer of two given sets."""
    model = blank(source, config, seed)
    history, finished = learn(model, *given, seed)
    found = report.encode(model, source)
    tokens = found.tokens[found.metadata.valid]
    return report.metrics(model, found, history, finished), (tokens, found.names)


def blank(source: CleanSet, config: Config, seed: int) -> Tokenizer:
    """A tokenizer before training, its levels those of all training operators of the source."""
    fitted = cleaner_report.read(Path("models/cleaner.h5"))
    mapping = grouping.read(Path("data/categories.json")).categories
    return build(source, fitted, mapping, config, seed)


def learn(
    model: Tokenizer, given: CleanSet, more: CleanSet, seed: int
) -> tuple[list[training.Record], training.Record]:
    """Train it on the training operators of two sets; its scores by epoch, and in the end."""
    train = report.training_examples(model, given, more)
    held = report.validation_examples(model, given)
    history = list(training.fit(model, train, held, seed, None))
    return history, training.validation_scores(model, held, quantized=True)


def resampled(
    source: CleanSet, more: CleanSet, seed: int, number: int
) -> tuple[CleanSet, CleanSet]:
    """The set and its further draws, its valid training operators drawn with replacement."""
    train = source.rows("train")
    rng = randomness.stream(seed, "stability/bootstrap", realization=number)
    chosen = train[rng.integers(len(train), size=len(train))]
    return with_training(source, chosen), with_training(more, draws_of(more, source, chosen))


def draws_of(more: CleanSet, source: CleanSet, chosen: np.ndarray) -> np.ndarray:
    """Positions of the valid further draws of some operators of a source, theirs side by side."""
    rows = more.rows("train")
    ids = more.metadata.operator_id[rows]
    own = [rows[ids == operator] for operator in source.metadata.operator_id[chosen]]
    return np.concatenate([np.empty(0, dtype=np.int64), *own])


def with_training(source: CleanSet, chosen: np.ndarray) -> CleanSet:
    """The set with these of its valid training operators, and all others."""
    others = np.setdiff1d(np.arange(len(source.aggregated)), source.rows("train"))
    rows = np.concatenate([chosen, others])
    taken = {name: getattr(source, name)[rows] for name in PER_OPERATOR}
    kept = {f.name: getattr(source.metadata, f.name) for f in fields(Metadata)}
    metadata = {k: v if k == "held_out_groups" else v[rows] for k, v in kept.items()}
    return replace(
        source, aggregated=source.aggregated.take(rows), metadata=Metadata(**metadata), **taken
    )


def table(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Rows as Markdown."""
    yield "| " + " | ".join(rows[0]) + " |"
    yield "|" + "---|" * len(rows[0])
    for row in rows:
        cells = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row.values())
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
