"""A film: the images of every step at one place, drawn over a background that is drawn once."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage

from spinlock.plots import style
from spinlock.rendering import charts, sheet
from spinlock.rendering.scene import Panel, Scene
from spinlock.rendering.sheet import BAR, CHARTS, FOOT, GAP, MARGIN, TITLE, Sheet

TILE = 192  # pixels that a field is about as wide as

Frame = UInt8[np.ndarray, "height width 3"]
Groups = tuple[tuple[tuple[Panel, ...], ...], ...]


def film(scene: Scene, steps: Sequence[int]) -> Iterator[Frame]:
    """Draw one frame for each of some steps."""
    with style.settings():
        stage = _Stage(scene)
        for step in steps:
            yield stage.frame(step)


class _Stage:
    """A background, and what moves on it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rows = _groups(scene)
        self._page = _page(scene, self._rows)
        self._images = list(_place(self._page, self._rows))
        bottom = self._page.height - CHARTS - FOOT
        *curves, spectrum = charts.charts(self._page, scene, bottom)
        at = charts.waves(scene.spectrum)
        spectrum.plot(at, scene.spectrum[0], color=style.PALE, linewidth=2.0)
        self._spectrum = spectrum.plot([], [], color=style.BLUE, linewidth=1.2)[0]
        self._marks = [axes.axvline(0, color=style.VERMILION, linewidth=0.9) for axes in curves]
        corner = self._page.width - MARGIN
        self._clock = self._page.write(corner, 14, "", fontsize=9, fontweight="bold", ha="right")
        self._canvas = FigureCanvasAgg(self._page.figure)
        for artist in self._moving():
            artist.set_animated(True)
        self._canvas.draw()
        self._background = self._canvas.copy_from_bbox(self._page.figure.bbox)

    def _moving(self) -> list[Artist]:
        images = [image for _, image in self._images]
        return [*images, self._spectrum, *self._marks, self._clock]

    def frame(self, step: int) -> Frame:
        """The picture of one step."""
        for panel, image in self._images:
            image.set_data(sheet.values(panel, step))
        for mark in self._marks:
            mark.set_xdata([step, step])
        waves = charts.waves(self._scene.spectrum)
        self._spectrum.set_data(waves, self._scene.spectrum[step])
        over = not np.isfinite(self._scene.mean[self._scene.realization, step])
        self._clock.set_text(f"diverged, step {step}" if over else f"step {step}")
        self._canvas.restore_region(self._background)
        for artist in self._moving():
            artist.draw(self._canvas.get_renderer())
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


def _groups(scene: Scene) -> Groups:
    """Rows of groups of panels that share a scale."""
    if len(scene.shown) == 1:
        return (((*scene.shown, *scene.means), (scene.variance,), (scene.power,)),)
    return ((scene.shown, (scene.variance,)), (scene.means, (scene.power,)))


def _page(scene: Scene, rows: Groups) -> Sheet:
    size = sheet.tile(scene.power, TILE)
    width = 2 * MARGIN + sum(_width(group, size) for group in rows[0])
    return sheet.sheet(scene, width, len(rows) * (TITLE + size + GAP) + GAP + CHARTS + FOOT)


def _width(group: Sequence[Panel], size: int) -> int:
    return len(group) * (size + GAP) + (BAR if group[0].scale is not None else 2 * GAP)


def _place(page: Sheet, rows: Groups) -> Iterator[tuple[Panel, AxesImage]]:
    for number, groups in enumerate(rows):
        left, size = MARGIN, sheet.tile(groups[0][0], TILE)
        top = page.top + TITLE + number * (TITLE + size + GAP)
        for group in groups:
            for index, panel in enumerate(group):
                place = left + index * (size + GAP)
                page.write(place, top - TITLE + 2, panel.name, fontsize=6.5)
                yield panel, _image(page.axes(place, top, size, size), panel, size)
            if group[0].scale is not None:
                sheet.bar(page, group[0].scale, left + len(group) * (size + GAP), top, size)
            left += _width(group, size)


def _image(axes: Axes, panel: Panel, size: int) -> AxesImage:
    sheet.bare(axes, size, size)
    axes.set_facecolor(style.PALE)
    return sheet.image(axes, panel, 0, (0, size, 0, size))
