"""A figure becomes a PNG: the same bytes for the same values, and never half a file."""

from pathlib import Path

from matplotlib.figure import Figure

from spinlock.artifacts import replacing
from spinlock.plots.style import DPI, settings


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the version of the program that drew it."""
    with replacing(path) as beside, settings():
        figure.savefig(beside, format="png", dpi=DPI, metadata={"Software": None})
