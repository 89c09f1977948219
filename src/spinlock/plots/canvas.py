"""A page of words and small images in whole pixels and few colors.

Matplotlib takes two milliseconds a word; a page of the vocabulary has a thousand.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.colors import to_rgb
from PIL import Image, ImageDraw, ImageFont

from spinlock.artifacts import replacing
from spinlock.plots import style

GRAYS = 16  # of words and lines
SHADES = 15  # of the diverging color map: few, so that noise takes little room; one is neutral
ACCENTS = (style.BLUE, style.VERMILION, style.GREEN, style.SKY, style.PALE)
BLUE, VERMILION, GREEN, SKY, PALE = range(GRAYS + SHADES, GRAYS + SHADES + len(ACCENTS))
INK, FINE, WHITE = 34, 100, 255  # tones
OPAQUE = 150  # words of this tone and darker are seen on a color
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


class Canvas:
    """A picture under construction; places count in pixels from the upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.words = Image.new("L", (width, height), WHITE)
        self.pen = ImageDraw.Draw(self.words)
        self.colors = np.zeros((height, width), dtype=np.uint8)  # of the palette; 0 is none

    def write(
        self,
        place: tuple[float, float],
        text: str,
        size: int = 13,
        *,
        bold: bool = False,
        tone: int = INK,
        anchor: str = "la",
    ) -> None:
        """Write words; `anchor` as Pillow's: l, m, r across and a (top), m, s (base line) down."""
        self.pen.text(place, text, fill=tone, font=font(size, bold), anchor=anchor)

    def lines(
        self,
        place: tuple[float, float],
        texts: Sequence[str],
        height: int,
        size: int = 13,
        *,
        tone: int = INK,
    ) -> None:
        """Write lines of words below each other."""
        for number, text in enumerate(texts):
            self.write((place[0], place[1] + height * number), text, size, tone=tone)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], tone: int, width: int = 1
    ) -> None:
        """Draw a line in a gray."""
        self.pen.line((start, end), fill=tone, width=width)

    def box(self, left: float, top: float, width: float, height: float, color: int) -> None:
        """Fill a rectangle with a color of the palette."""
        rows, columns = (
            slice(round(top), round(top + height)),
            slice(round(left), round(left + width)),
        )
        self.colors[rows, columns] = color

    def field(self, left: int, top: int, values: Float[np.ndarray, "h w"]) -> None:
        """Show numbers from −1 to 1 in the shades of the diverging map, a number a pixel."""
        height, width = values.shape
        self.colors[top : top + height, left : left + width] = shade(values)

    def image(self) -> Image.Image:
        """The picture."""
        gray = np.asarray(self.words)
        hidden = (self.colors > 0) & (gray > OPAQUE)
        index = np.where(hidden, self.colors, gray // (256 // GRAYS))
        made = Image.fromarray(index.astype(np.uint8), mode="P")
        made.putpalette(palette().ravel().tolist())
        return made

    def save(self, path: Path) -> None:
        """Write a PNG; the same bytes for the same picture."""
        with replacing(path) as beside:
            self.image().save(beside, format="PNG", compress_level=6)


@cache
def palette() -> UInt8[np.ndarray, "n 3"]:
    """Grays from black to white, shades of the diverging map, and accents."""
    gray = np.linspace(0, 1, GRAYS)[:, None].repeat(3, 1)
    map_ = matplotlib.colormaps[style.DIVERGING](np.linspace(0, 1, SHADES))[:, :3]
    accents = np.array([to_rgb(name) for name in ACCENTS])
    return np.rint(255 * np.concatenate([gray, map_, accents])).astype(np.uint8)


def shade(values: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n"]:
    """Color of the palette for each number; those beyond −1 and 1 have the outermost."""
    step = np.rint((np.clip(values, -1, 1) + 1) / 2 * (SHADES - 1))
    return (GRAYS + step).astype(np.uint8)


def enlarged(frame: Float[np.ndarray, "H W"], size: int) -> Float[np.ndarray, "s s"]:
    """A frame in `size` pixels on either side: the nearest cell a pixel."""
    rows, columns = (np.arange(size) * cells // size for cells in frame.shape)
    return frame[rows][:, columns]


@cache
def font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it, a size in pixels; laid out without other libraries."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)


def fit(text: str, width: float, size: int = 13) -> str:
    """The text, cut to a width if it is wider."""
    if font(size, False).getlength(text) <= width:
        return text
    while text and font(size, False).getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, width: float, size: int = 13) -> list[str]:
    """Lines of a text that are no wider than a width, unless a word is."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size, False).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
