"""Names beside the rows of a picture, pushed apart where they would lie on each other."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from spinlock.plots import style


def name_rows(
    axes: Axes,
    centers: Sequence[float],
    names: Sequence[str],
    colors: Sequence[str],
    side: str,
    gap: float,
) -> None:
    """Write a name beside each of some rows, with a line to it.

    Args:
        axes: an image or bars whose rows count from 0 at the top.
        centers: where the rows are.
        names: their names.
        colors: of the names.
        side: "left" or "right".
        gap: least distance, as a share of the height of the axes; less if all would not fit.
    """
    bottom, top = axes.get_ylim()
    height = bottom - top
    shares = (np.asarray(centers, dtype=float) - top) / height
    edge, place = (0.0, -0.02) if side == "left" else (1.0, 1.02)
    for name, color, row, share in zip(
        names, colors, centers, style.spread(shares, min(gap, 1 / max(1, len(names)))), strict=True
    ):
        axes.annotate(
            name,
            (edge, float(row)),
            (place, 1 - share),
            xycoords=("axes fraction", "data"),
            textcoords="axes fraction",
            ha="right" if side == "left" else "left",
            va="center",
            fontsize=7.5,
            color=color,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": style.GRAY, "shrinkA": 0},
        )
