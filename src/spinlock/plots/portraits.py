"""Rollouts of some operators beside their most unusual features."""

import numpy as np

from spinlock.evaluation.portraits import Portrait
from spinlock.plots import canvas, style
from spinlock.plots.canvas import FINE, Canvas

TILE = 160  # pixels of a frame
GAP = 10
MARGIN = 24
TOP = 84
ROW = 286  # height of a portrait
LABELS = 320  # width of the names of features
BARS = 440  # width of the bars
NUMBER = 60  # room for a number on either side of them
LINE = 17
LIMIT = 30.0  # robust deviations at the end of the longest bar; one that is longer is cut
HOW = (
    "Channel 0 of realization 0, blue to red from minus to plus its largest value, which stands "
    "beneath. Bars: robust deviations from the median training operator, (x − median) / "
    f"(1.4826 MAD), of the most unusual features; those beyond {LIMIT:g} are cut, their numbers "
    "are not."
)


def page(chosen: tuple[Portrait, ...]) -> Canvas:
    """The picture."""
    across = max((len(portrait.steps) for portrait in chosen), default=0) * (TILE + GAP)
    width = max(across + LABELS + 2 * NUMBER + BARS, 1200) + 2 * MARGIN
    made = Canvas(width, TOP + ROW * len(chosen) + MARGIN)
    title = "Test operators, from the most common to the most unusual"
    made.write((MARGIN, 12), title, 28, bold=True)
    made.write((MARGIN, 54), HOW, tone=FINE)
    for number, portrait in enumerate(chosen):
        _portrait(made, portrait, MARGIN + across, TOP + ROW * number)
    return made


def _portrait(made: Canvas, portrait: Portrait, left: int, top: int) -> None:
    name = f"operator {portrait.operator} ({portrait.policy}, {portrait.initial_condition})"
    made.write((MARGIN, top + 10), name, 16, bold=True)
    for number, (step, frame) in enumerate(zip(portrait.steps, portrait.frames, strict=True)):
        place, limit = MARGIN + number * (TILE + GAP), float(np.abs(frame).max())
        made.write((place, top + 38), f"step {step}", tone=FINE)
        scaled = frame / (limit if limit > 0 else 1.0)
        made.field(place, top + 58, canvas.enlarged(scaled, TILE))
        below = (place + TILE / 2, top + 62 + TILE)
        made.write(below, f"±{style.number(limit)}", 12, tone=FINE, anchor="ma")
    zero = left + LABELS + NUMBER + BARS // 2
    longest = min(LIMIT, float(np.nan_to_num(np.abs(portrait.scores)).max(initial=0.0)))
    unit = BARS / 2 / (longest if longest > 0 else 1.0)
    for row, (name, score) in enumerate(zip(portrait.columns, portrait.scores, strict=True)):
        height = top + 40 + LINE * row
        made.write((left + LABELS, height), canvas.fit(name, LABELS - 8), anchor="ra")
        end = float(np.clip(np.nan_to_num(score), -LIMIT, LIMIT)) * unit
        made.box(zero + min(end, 0), height + 2, max(1, abs(end)), LINE - 5, canvas.VERMILION)
        side, anchor = (6, "la") if end >= 0 else (-6, "ra")
        made.write((zero + end + side, height), style.number(float(score)), 12, anchor=anchor)
    made.line((zero, top + 38), (zero, top + 40 + LINE * len(portrait.columns)), FINE)
