"""A picture becomes a PNG: the same bytes for the same values, and never half a file."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from spinlock import workers
from spinlock.artifacts import replacing
from spinlock.plots.canvas import Canvas
from spinlock.plots.style import DPI, settings

Drawing = Callable[[], Figure | Canvas]  # a picture that is not drawn yet


def draw(
    drawings: Mapping[str, Drawing], folder: Path, start: workers.Run = workers.here
) -> Iterator[None]:
    """Draw pictures and write them under their names; done when the result is read to its end."""
    return start([partial(_draw, drawing, folder / name) for name, drawing in drawings.items()])


def _draw(drawing: Drawing, path: Path) -> None:
    made = drawing()
    if isinstance(made, Canvas):
        made.save(path)
    else:
        save(made, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the version of the program that drew it."""
    with replacing(path) as beside, settings():
        figure.savefig(beside, format="png", dpi=DPI, metadata={"Software": None})
