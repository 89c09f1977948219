"""The distribution of every feature over operators: one histogram a column, by group."""

from itertools import groupby

import numpy as np
from jaxtyping import Float

from spinlock.evaluation.portraits import Gallery
from spinlock.plots import canvas, style
from spinlock.plots.canvas import FINE, Canvas

ACROSS = 12  # histograms in a row
BINS = 40
BAR = 3  # pixels across
TALL = 60  # pixels of the tallest bar
MARGIN = 24
PANEL = BINS * BAR + 52  # width of a histogram with its surroundings
ROW = TALL + 48  # height of it
HEADING = 42  # height of the name of a group
TOP = 76
SHOWN = (0.005, 0.995)  # quantiles at the edges of a histogram: a long tail would hide the rest
HOW = (
    "Counts over the value, from the value that 0.5 % are below to the one that 0.5 % are above, "
    "which stand beneath; a mark where 0 is. Missing values are counted beside the name."
)


def groups(columns: tuple[str, ...]) -> list[tuple[str, list[int]]]:
    """Neighboring columns `family.group.statistic` of one group, with their places."""
    keys = [tuple(name.split(".")[:2]) for name in columns]
    names = ["initial" if key[0] == "initial" else ".".join(key) for key in keys]
    return [
        (name, [place for place, _ in members])
        for name, members in groupby(enumerate(names), key=lambda item: item[1])
    ]


def page(gallery: Gallery) -> Canvas:
    """The picture."""
    found = groups(gallery.columns)
    heights = [HEADING + ROW * -(-len(places) // ACROSS) for _, places in found]
    made = Canvas(2 * MARGIN + ACROSS * PANEL, TOP + sum(heights) + MARGIN)
    title = f"Features of {len(gallery.values)} training operators"
    made.write((MARGIN, 12), title, 28, bold=True)
    made.write((MARGIN, 54), HOW, tone=FINE)
    top = TOP
    for (name, places), height in zip(found, heights, strict=True):
        made.write((MARGIN, top + 14), f"{name}, {len(places)} columns", 18, bold=True)
        for number, place in enumerate(places):
            row, column = divmod(number, ACROSS)
            left = MARGIN + column * PANEL
            below = top + HEADING + row * ROW
            _histogram(made, gallery.columns[place], gallery.values[:, place], left, below)
        top += height
    return made


def _histogram(
    made: Canvas, column: str, values: Float[np.ndarray, " n"], left: int, top: int
) -> None:
    known = values[np.isfinite(values)]
    absent = len(values) - len(known)
    limits = np.quantile(known, SHOWN) if len(known) else (0.0, 1.0)
    counts, edges = np.histogram(known, BINS, tuple(limits))
    label = column.rpartition(".")[2].replace("_", " ") + f" ({absent} missing)" * bool(absent)
    made.write((left, top), canvas.fit(label, PANEL - 4, 11), 11)
    base, width = top + 18 + TALL, BINS * BAR
    for number, height in enumerate(TALL * counts / max(1, counts.max())):
        made.box(left + BAR * number, base - height, BAR, height, canvas.BLUE)
    made.line((left, base), (left + width - 1, base), FINE)
    low, high = float(edges[0]), float(edges[-1])
    if low < 0 < high:
        zero = left + round(width * -low / (high - low))
        made.line((zero, base), (zero, base + 4), FINE)
    made.write((left, base + 5), style.number(low), 11, tone=FINE)
    made.write((left + width, base + 5), style.number(high), 11, tone=FINE, anchor="ra")
