"""`spinlock scorecard`: the criteria of the last evaluation."""

import argparse
import csv
from pathlib import Path

from spinlock.refusals import Refusal

SCORECARD = Path("plots/scorecard.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A path."""
    parser.add_argument("path", type=Path, nargs="?", default=SCORECARD)


def answer(options: argparse.Namespace) -> str:
    """A table."""
    return scorecard(options.path)


def scorecard(path: Path) -> str:
    """The scorecard as an aligned table."""
    if not path.is_file():
        raise Refusal(f"{path}: not found; `make repro` makes it")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal(f"{path}: no table: {error}") from None
    if not rows:
        raise Refusal(f"{path}: empty; `make repro` makes it")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise Refusal(f"{path}: row {number} has {len(row)} cells, the first {len(rows[0])}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
