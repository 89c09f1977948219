"""`spinlock gallery`: a picture of all initial conditions."""

import argparse
from pathlib import Path

from spinlock.plots import gallery
from spinlock.refusals import Refusal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, how fine, and which draws."""
    parser.add_argument("--out", type=Path, required=True, help="a .png")
    parser.add_argument("--grid", type=int, default=gallery.GRID, help="points per axis")
    parser.add_argument("--seed", type=int, default=gallery.SEED, help="root seed of the draws")


def answer(options: argparse.Namespace) -> str:
    """Draw it; how many there are."""
    return show(options.out, options.grid, options.seed)


def show(out: Path, grid_size: int, seed: int) -> str:
    """Draw two fields and the spectrum of every variant of initial conditions.

    Raises:
        Refusal: the name is not one of a PNG, or the grid is too coarse for a variant.
    """
    if out.suffix != ".png" or out.is_dir():
        raise Refusal(f"{out}: expected the name of a .png file")
    specimens = gallery.specimens(grid_size, seed)
    gallery.save(gallery.picture(specimens), out)
    return f"{out}: {len(specimens)} variants of initial conditions on {grid_size}x{grid_size}"
