"""The 256 colors of a GIF: a color that is rare in a film must not become another one."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.colors import to_rgb
from PIL import Image

from spinlock.plots import style
from spinlock.rendering.scene import Scene

SIZE = 256
GRAYS = 24  # of words and axes
ACCENTS = (style.BLUE, style.VERMILION, style.PALE)
SHADES = 36  # of a color map beside colored images
SAMPLE = 8  # steps whose images the colors of images are made of

Colors = UInt8[np.ndarray, "n 3"]


def palette(scene: Scene, steps: Sequence[int]) -> Colors:
    """Shades of gray and accents, then parts for each color map and for colored images.

    Args:
        scene: what the film shows.
        steps: which steps it shows, ascending.
    """
    panels = (scene.shown[0], scene.variance, scene.power)
    maps = dict.fromkeys(panel.scale.colors for panel in panels if panel.scale is not None)
    fixed = [_spread("gray", GRAYS), _bytes(np.array([to_rgb(name) for name in ACCENTS]))]
    colored = scene.shown[0].scale is None
    share = SHADES if colored else (SIZE - GRAYS - len(ACCENTS)) // len(maps)
    known = np.concatenate([*fixed, *(_spread(name, share) for name in maps)])
    if not colored:
        return known
    return np.concatenate([known, _of_images(scene, steps, SIZE - len(known))])


def _spread(name: str, count: int) -> Colors:
    return _bytes(matplotlib.colormaps[name](np.linspace(0.0, 1.0, count))[:, :3])


def _bytes(colors: np.ndarray) -> Colors:
    return np.rint(255 * colors).astype(np.uint8)


def _of_images(scene: Scene, steps: Sequence[int], count: int) -> Colors:
    """Colors that stand for those of the images of some steps, the rare ones included."""
    chosen = [steps[index] for index in np.linspace(0, len(steps) - 1, SAMPLE).astype(int)]
    colors = scene.shown[0].images[chosen].reshape(-1, 3)
    there = _bytes(colors[np.isfinite(colors).all(1)])
    if len(there) == 0:
        return there
    image = Image.fromarray(there[None])
    found = image.quantize(count, Image.Quantize.MAXCOVERAGE, kmeans=3).getpalette()
    return np.array(found, dtype=np.uint8).reshape(-1, 3)
