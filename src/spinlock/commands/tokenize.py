"""`spinlock tokenize`: tokens of every operator of a features file."""

import argparse
from pathlib import Path

import numpy as np

from spinlock import library
from spinlock.cleaning import raw


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Features, and a tokenizer for them."""
    parser.add_argument("features", type=Path)
    parser.add_argument("--tokenizer", type=Path, default=Path("models/tokenizer.pt"))


def answer(options: argparse.Namespace) -> str:
    """A table."""
    return tokenize(options.features, options.tokenizer)


def tokenize(features: Path, tokenizer: Path) -> str:
    """Tokens of every operator as TSV: a row an operator, a column a category and level.

    As in `data/tokens.h5`, those of an operator that diverged are −1.
    """
    learned = library.load_tokenizer(tokenizer)
    source = raw.read(features)
    learned.model.cleaner.check(source.names, str(features))
    tokens = learned.encode(source).numpy()
    header = ["operator_id", *learned.token_names]
    rows = np.column_stack([source.metadata.operator_id, tokens])
    return "\n".join("\t".join(map(str, row)) for row in [header, *rows.tolist()])
