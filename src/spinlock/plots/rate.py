"""Rate and distortion: what a code loses at how many bits, from one run or from several."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinlock.plots import style

OWN = "tokenizer"
BOUND = "bound"  # of codes that nobody has
MARKS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7)  # of a decade
LINE = 0.026  # height of a name, as a share of that of the axes


@style.styled
def curve(rows: Sequence[Mapping[str, object]], title: str) -> Figure:
    """Reconstruction of each code against bits, both on logarithmic scales, with intervals.

    Args:
        rows: those of `rate_distortion.csv`, of one run or of several.
        title: what the operators are.
    """
    figure = style.figure(11, 7, title)
    axes = figure.subplots()
    names = list(dict.fromkeys(str(row["code"]) for row in rows))
    names.sort(key=lambda name: name == OWN)  # ours on top of the others
    colors = cycle(style.CYCLE[1:])
    ends: dict[float, list[tuple[float, str, str]]] = {}
    for name in names:
        color = style.BLUE if name == OWN else next(colors)
        points = sorted(point for row in rows if row["code"] == name for point in [_point(row)])
        shown = np.array([point for point in points if np.isfinite(point[1])])
        if len(shown):
            _line(axes, shown, color, 2.4 if name == OWN else 1.4, "--" if BOUND in name else "-")
            ends.setdefault(shown[-1, 0], []).append((shown[-1, 1], name.replace("_", " "), color))
    axes.set(xscale="log", yscale="log", xlabel="bits per operator")
    axes.set_ylabel("mean squared error of standardized columns (1 = train mean)")
    axes.grid(which="both")
    ticks = sorted({round(float(str(row["bits"]))) for row in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks], rotation=45)
    axes.minorticks_off()
    low, high = axes.get_ylim()
    marks = [d * m for d in (0.001, 0.01, 0.1, 1.0) for m in MARKS]
    inside = [mark for mark in marks if low <= mark <= high]
    axes.set_yticks(inside, [f"{mark:g}" for mark in inside])
    axes.margins(x=0.12)
    for bits, beside in ends.items():
        style.name_lines(axes, beside, LINE, bits)
    return figure


def _line(axes: Axes, points: np.ndarray, color: str, width: float, dashes: str) -> None:
    bits, lost, low, high = points.T
    axes.plot(bits, lost, dashes, color=color, lw=width, marker="o", markersize=3 + width)
    axes.vlines(bits, low, high, color=color, alpha=0.45, lw=width)


def _point(row: Mapping[str, object]) -> tuple[float, float, float, float]:
    """Bits, reconstruction and its interval; NaN for an empty cell."""
    cells = [row[name] for name in ("bits", "reconstruction", "low", "high")]
    values = [float("nan") if cell in ("", None) else float(str(cell)) for cell in cells]
    return values[0], values[1], values[2], values[3]
