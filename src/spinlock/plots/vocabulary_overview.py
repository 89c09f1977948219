"""All categories on one page: what each speaks of, how much it tells, its two extreme tokens."""

import numpy as np

from spinlock.evaluation.exemplars import Code, Dictionary, Entry
from spinlock.plots import canvas, vocabulary
from spinlock.plots.canvas import FINE, Canvas
from spinlock.plots.vocabulary import LINE, MARGIN, ROLLOUT, RULE

NAMES = 900  # width of the names of features, with what they tell apart
TOLD = 180  # width of what the levels tell
SIDE = ROLLOUT + 24  # width of an extreme token
WIDTH = 2 * MARGIN + NAMES + TOLD + 2 * SIDE
ROW = 128
SHOWN = 3  # features of a category
COMMON = 0.02  # share of the training operators that an extreme token needs
HOW = (
    "Every category groups columns that vary together; its tokens say what an operator does there. "
    "Percentages beside features: share of the category's variance that they explain, with those "
    "before. Bars: share of that variance on test operators that the first level explains (dark), "
    "and all levels (light), if a code stands for the mean that it adds; the decoder tells more. "
    "At the right the two common codes that are lowest and highest in the "
    "first feature, each with the training operator nearest to its mean. Every code has a row in "
    "the picture of its category; vocabulary.html names all tokens, the finer ones too."
)


def overview(dictionary: Dictionary) -> Canvas:
    """The page."""
    how = canvas.wrap(HOW, WIDTH - 2 * MARGIN)
    top = 64 + LINE * len(how) + 40
    page = Canvas(WIDTH, top + ROW * len(dictionary.entries) + MARGIN)
    tokens = sum(len(entry.levels) for entry in dictionary.entries)
    title = f"The vocabulary: {len(dictionary.entries)} categories, {tokens} tokens an operator"
    page.write((MARGIN, 12), title, 28, bold=True)
    page.lines((MARGIN, 56), how, LINE, tone=FINE)
    steps = vocabulary.named_steps(dictionary)
    for left, words in (
        (MARGIN, "category and its defining features"),
        (MARGIN + NAMES, "explained on test"),
        (MARGIN + NAMES + TOLD, f"lowest ({steps})"),
        (MARGIN + NAMES + TOLD + SIDE, "highest"),
    ):
        page.write((left, top - 24), words, bold=True)
    for number, entry in enumerate(dictionary.entries):
        _row(page, entry, dictionary, top + ROW * number)
    return page


def extremes(entry: Entry, train: int) -> tuple[Code, ...]:
    """The common codes that are lowest and highest in the first feature; one if there is one."""
    common = [code for code in entry.codes if code.count >= COMMON * train] or list(entry.codes)
    return tuple(common[:1] + common[1:][-1:])


def _row(page: Canvas, entry: Entry, dictionary: Dictionary, top: int) -> None:
    page.line((MARGIN, top), (WIDTH - MARGIN, top), RULE)
    page.write((MARGIN, top + 8), entry.name, 18, bold=True)
    count = "1 level" if len(entry.levels) == 1 else f"{len(entry.levels)} levels"
    sizes = f"{len(entry.columns)} columns, {count} of {entry.size} codes"
    page.write((MARGIN, top + 32), sizes, tone=FINE)
    for number, feature in enumerate(entry.features[:SHOWN]):
        height = top + 52 + 22 * number
        name = f"{vocabulary.label(feature.name)}  {feature.told:.0%}"
        page.write((MARGIN, height), canvas.fit(name, 300))
        page.write(
            (MARGIN + 308, height), canvas.fit(feature.purpose, NAMES - 324, 12), 12, tone=FINE
        )
    _told(page, entry, MARGIN + NAMES, top + 40)
    for number, code in enumerate(extremes(entry, dictionary.train)):
        left = MARGIN + NAMES + TOLD + SIDE * number
        mean = (
            vocabulary.signed(float(code.mean[entry.features[0].place])) if entry.features else ""
        )
        words = f"code {code.code}: {mean} σ, {code.count} training operators"
        page.write((left, top + 6), words, bold=True)
        for one in code.exemplars[:1]:
            vocabulary.rollout(page, dictionary.shown[one.row], left, top + 22)


def _told(page: Canvas, entry: Entry, left: int, top: int) -> None:
    width = TOLD - 40
    told = [float(entry.levels[at].told) for at in (0, -1)]
    first, last = (float(np.nan_to_num(np.clip(share, 0, 1))) for share in told)
    page.box(left, top, width, 16, canvas.PALE)
    page.box(left, top, width * last, 16, canvas.SKY)
    page.box(left, top, width * first, 16, canvas.BLUE)
    page.write((left, top + 20), " → ".join(dict.fromkeys(map(vocabulary.percent, told))))
