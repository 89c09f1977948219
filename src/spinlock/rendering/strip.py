"""A picture: some steps of a rollout side by side."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib.figure import Figure

from spinlock.plots import style
from spinlock.rendering import charts, sheet
from spinlock.rendering.scene import Panel, Scene
from spinlock.rendering.sheet import CHARTS, FOOT, GAP, MARGIN, TITLE, Sheet

TILE = 160  # pixels that a field is about as wide as
NAMES = 110  # width of the names of rows


@style.styled
def strip(scene: Scene, steps: Sequence[int]) -> Figure:
    """Draw rows of images, a column a step, and the curves of the whole rollout below.

    Args:
        scene: what to draw.
        steps: some of 0 … T, ascending.
    """
    groups = (scene.shown, scene.means, (scene.variance,), (scene.power,))
    size = sheet.tile(scene.power, TILE)
    rows = sum(map(len, groups))
    width = MARGIN + NAMES + len(steps) * (size + GAP) + sheet.BAR + MARGIN
    page = sheet.sheet(scene, width, TITLE + rows * (size + GAP) + GAP + CHARTS + FOOT)
    for column, step in enumerate(steps):
        name = "u₀" if step == 0 else f"step {step}"
        page.write(MARGIN + NAMES + column * (size + GAP), page.top - 2, name, fontsize=7)
    for number, panel in enumerate(chain(*groups)):
        _row(page, panel, steps, page.top + TITLE + number * (size + GAP))
    _bars(page, groups, MARGIN + NAMES + len(steps) * (size + GAP), size)
    curves = charts.charts(page, scene, page.height - CHARTS - FOOT)
    charts.spectra(curves[2], scene, steps)
    return page.figure


def _row(page: Sheet, panel: Panel, steps: Sequence[int], top: float) -> None:
    size = sheet.tile(panel, TILE)
    width = len(steps) * (size + GAP) - GAP
    page.write(
        MARGIN, top + 4, panel.name.replace(", ", "\n").replace(" of ", "\nof "), fontsize=6.5
    )
    axes = page.axes(MARGIN + NAMES, top, width, size)
    sheet.bare(axes, width, size)
    for column, step in enumerate(steps):
        left = column * (size + GAP)
        if np.isfinite(panel.images[step]).all():
            sheet.image(axes, panel, step, (left, left + size, 0, size))
        else:
            axes.axvspan(left, left + size, color=style.PALE, linewidth=0)
            axes.text(left + size / 2, size / 2, sheet.nothing(panel), **sheet.CENTERED)


def _bars(page: Sheet, groups: Sequence[Sequence[Panel]], left: float, size: int) -> None:
    top = page.top + TITLE
    for group in groups:
        if group[0].scale is not None and group is not groups[1]:
            sheet.bar(page, group[0].scale, left, top, size)
        top += len(group) * (size + GAP)
