"""`spinlock validate`: whether a file of a stage is what it must be."""

import argparse
import sys
from pathlib import Path

from spinlock.validation.validate import Invalid, judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A path."""
    parser.add_argument("path", type=Path)


def answer(options: argparse.Namespace) -> str:
    """Every check, and how it ended; the exit status is 1 if one failed."""
    try:
        return judge(options.path)
    except Invalid as invalid:
        print(invalid)
        sys.exit(1)
