"""What the commands about one operator share: which one it is, and how it is rolled out."""

import argparse
from pathlib import Path

from spinlock import params
from spinlock.rollout.config import Config

OPERATORS = Path("data/operators.h5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its number, the table that it is in, and parameters."""
    parser.add_argument("operator_id", type=int)
    parser.add_argument("--operators", type=Path, default=OPERATORS, help="the operator table")
    parser.add_argument("--params", type=Path, help=f"file of section generate ({params.PATH})")


def settings(options: argparse.Namespace) -> Config:
    """Section `generate` of the file that was named, or of the project's."""
    return params.load("generate", Config, options.params or params.PATH)
