"""How many training operators does a vocabulary need? Error and topography against their number.

`PYTHONPATH=src python benchmarks/learning_curve.py SIZE …` (256 512 1024 2048 4096) fits the
tokenizer and its rivals of equal bits to the first so many valid training operators of the data
at hand and to their further draws, and writes `benchmarks/learning_curve.csv`: errors and
topographies on the test operators, with 95 % intervals. Columns, cleaning, categories and levels
are those of all training operators, so every row is about the same target and the same bits.
`profiles/learning_curve.yaml` makes such data.
"""

import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import stability
from spinlock import artifacts, params, runtime
from spinlock.cleaning import cleanset
from spinlock.cleaning.cleanset import CleanSet
from spinlock.evaluation import bound, codes, criteria, reconstruction, tokenizer, vocabulary
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.config import Config
from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.resampling import ENDS
from spinlock.tokenizer.config import Config as TokenizerConfig
from spinlock.tokenizer.model import Tokenizer

SIZES = (256, 512, 1024, 2048, 4096)
CODES = ("tokenizer", *criteria.EQUAL_BITS, "pca_waterfill", "untrained", "unquantized")
OUT = Path("benchmarks/learning_curve.csv")


def main(*sizes: int) -> None:
    """Fit, judge and write; a row is printed as soon as it is known."""
    runtime.single_thread()
    source = cleanset.read(Path("data/clean.h5"))
    more = stability.further(source)
    config, seed = params.load("train_vqvae", TokenizerConfig), params.load("seed", int)
    blank = stability.blank(source, config, seed)
    rows = []
    for size in sizes or SIZES:
        rows += list(_rows(source, more, size, deepcopy(blank), seed))
        artifacts.write_table(OUT, rows)
        print("\n".join(stability.table([row for row in rows if row["operators"] == size])))


def _rows(
    source: CleanSet, more: CleanSet, size: int, model: Tokenizer, seed: int
) -> Iterator[dict[str, object]]:
    """Scores of every code fitted to the first `size` valid training operators."""
    train, test = source.rows("train")[:size], source.rows("test")
    if len(train) < size:
        raise SystemExit(f"learning_curve: {size} operators asked, {len(train)} to train on")
    judge = params.load("evaluate", Config)
    drawn = stability.draws_of(more, source, train)
    given = stability.with_training(source, train), stability.with_training(more, drawn)
    stability.learn(model, *given, seed)
    fit = Fit(seed, "evaluate", judge.num_init)
    found = vocabulary.describe(model, source.aggregated, train, fit, more.aggregated.take(drawn))
    how = Bootstrap(seed, judge.num_bootstraps, judge.min_operators)
    pairs = replace(how, num_resamples=judge.num_pair_bootstraps)
    spread = tokenizer.topographies(found, test, pairs)
    target, bits = found.target.take(test), codes.bits(found.sizes)
    lost = {
        code: reconstruction.estimate(reconstruction.errors(found.values[code][test], target), how)
        for code in CODES
    }
    for name, coordinates in found.bounds.items():
        lost[name] = bound.gaussian(coordinates.take(test), bits, how)
    for code, estimate in lost.items():
        interval = estimate.interval()
        suffix = "" if code == "tokenizer" else f"_{code}"
        yield {
            "operators": size,
            "code": code,
            "reconstruction": interval.value,
            "low": interval.low,
            "high": interval.high,
            **{
                f"{name}{what}{end}": spread.get(f"{name}{what}{suffix}{end}")
                for name in tokenizer.ON_TOKENS
                for what in ("", "_minus")
                for end in ENDS
            },
        }


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
