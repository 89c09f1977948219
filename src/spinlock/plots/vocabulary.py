"""The vocabulary as pictures: one a category, a row for each code of its first level."""

import numpy as np
from jaxtyping import Float

from spinlock.evaluation.exemplars import Code, Dictionary, Entry, Shown
from spinlock.evaluation.meanings import Level
from spinlock.plots import canvas, style
from spinlock.plots.canvas import FINE, Canvas

TILE = 64  # pixels of a frame
GAP = 4  # between the frames of a rollout
MARGIN = 24
WORDS = 276  # width of the words of a code
ROLLOUT = 4 * TILE + 3 * GAP + 22  # width of a rollout with its surroundings
LABELS = 272  # width of the names of features
BARS = 220  # width of the bars
NUMBER = 44  # room for a number beyond them
WIDTH = 2 * MARGIN + WORDS + 3 * ROLLOUT + LABELS + BARS + NUMBER
ROW = 116  # height of a code
RULE = 220  # tone of the lines between rows
LINE = 17  # height of a line of words
REACH = 3.0  # standard deviations at the end of a bar
COLORS = 2.5  # standard deviations of a frame at the ends of the color scale
MAX_CODES = 32  # rows of a picture
MAX_LEVELS = 3  # finer levels that are shown
CELL = 44  # width of a code of a finer level
STRONG = 2.0  # standard deviations of a finer level's effect that have the strongest color
HOW = (
    "Each row is a token: a code of the first level, /0. Its three rollouts are the training "
    "operators nearest to the mean of all that have it, with their id, update policy, initial "
    "condition, and ±, how far realizations are apart at the last step, as a share of the "
    "pattern; the frames are u of channel 0, realization 0, each around its own mean, blue to red"
    " from −2.5 to 2.5 of its own deviation σ. Bars: mean of the training operators that have the"
    " code, in standard deviations of all of them, with a thin line from one deviation among them"
    " below to one above. Green: mean of the test operators that have it, to which nothing was "
    "fitted. Rows ascend in the first feature. What operators have in common is named where "
    "chance is hardly an explanation (|z| ≥ 3.5 of rank sums, or of the exact chance of a share)."
)


def category(entry: Entry, dictionary: Dictionary) -> Canvas:
    """A page: what a category speaks of, a row for each code, and what finer levels add."""
    codes = most_common(entry, MAX_CODES)
    words = canvas.wrap(facts(entry), WIDTH - 2 * MARGIN, 15)
    how = canvas.wrap(HOW, WIDTH - 2 * MARGIN)
    head = 60 + 20 * len(words)
    top = head + LINE * (len(how) + len(entry.features)) + 76
    finer = entry.levels[1 : 1 + MAX_LEVELS]
    block = LINE * (len(entry.features) + 4)
    page = Canvas(WIDTH, top + ROW * len(codes) + block * len(finer) + MARGIN)
    page.write((MARGIN, 12), entry.name, 30, bold=True)
    page.lines((MARGIN, 54), words, 20, 15)
    page.lines((MARGIN, head + 4), how, LINE, tone=FINE)
    _defining(page, entry, head + LINE * len(how) + 16)
    _titles(page, entry, dictionary, top - 24)
    for number, code in enumerate(codes):
        _row(page, entry, code, dictionary, top + number * ROW)
    for number in range(1, 1 + len(finer)):
        _finer(page, entry, number, top + ROW * len(codes) + block * (number - 1))
    return page


def facts(entry: Entry) -> str:
    """What a category is, in a sentence or two."""
    told = ", ".join(percent(level.told) for level in entry.levels[:6])
    more = " …" if len(entry.levels) > 6 else ""
    levels = (
        f"its {len(entry.levels)} levels, coarse to fine, explain" if "," in told else "it explains"
    )
    return (
        f"A category of {len(entry.columns)} columns; training operators use {len(entry.codes)} of "
        f"{entry.size} codes of the first level; {levels} {told}{more} of the columns' variance on "
        "test operators, if a code stands for the mean that it adds; the decoder, which reads all "
        "tokens together, tells more (reconstruction_by_category.csv)."
    )


def most_common(entry: Entry, count: int) -> tuple[Code, ...]:
    """The most common codes, in the order of the entry."""
    kept = sorted(entry.codes, key=lambda code: -code.count)[:count]
    return tuple(code for code in entry.codes if code in kept)


def _defining(page: Canvas, entry: Entry, top: int) -> None:
    share = f"the {len(entry.columns)} columns' variance that it and those above it explain"
    page.write((MARGIN, top), "defining feature", bold=True)
    page.write((MARGIN + 310, top), "explained", bold=True)
    page.write((MARGIN + 400, top), f"what it tells apart (explained: share of {share})")
    for number, feature in enumerate(entry.features, 1):
        height = top + LINE * number
        page.write((MARGIN, height), label(feature.name))
        page.write((MARGIN + 310, height), f"{feature.told:.0%}")
        page.write((MARGIN + 400, height), feature.purpose, tone=FINE)


def _titles(page: Canvas, entry: Entry, dictionary: Dictionary, top: int) -> None:
    steps = named_steps(dictionary)
    page.write((MARGIN, top), canvas.fit(f"{entry.name}/0", WORDS - 30), bold=True)
    for number in range(3):
        page.write((MARGIN + WORDS + number * ROLLOUT, top), steps, bold=True)
    left = MARGIN + WORDS + 3 * ROLLOUT + LABELS
    page.write((left + BARS / 2, top), "below ← mean of all → above", bold=True, anchor="ma")


def named_steps(dictionary: Dictionary) -> str:
    """The steps of the frames of a rollout."""
    return " · ".join("u₀" if step == 0 else f"t = {step}" for step in dictionary.steps)


def _row(page: Canvas, entry: Entry, code: Code, dictionary: Dictionary, top: int) -> None:
    page.line((MARGIN, top), (page.width - MARGIN, top), RULE)
    _words(page, code, dictionary, top + 8)
    for number, one in enumerate(code.exemplars):
        left = MARGIN + WORDS + number * ROLLOUT
        rollout(page, dictionary.shown[one.row], left, top + 6)
    _bars(page, entry, code, MARGIN + WORDS + 3 * ROLLOUT, top + 8)


def _words(page: Canvas, code: Code, dictionary: Dictionary, top: int) -> None:
    page.write((MARGIN, top), f"code {code.code}", 18, bold=True)
    page.write((MARGIN + 110, top + 4), f"{code.count / dictionary.train:.1%}", 15)
    lines = [f"operators: {code.count} training, {code.test} test"]
    for one in code.tendencies:
        lines += canvas.wrap(str(one), WORDS - 12, 12)
    page.write((MARGIN, top + 26), lines[0])
    page.lines((MARGIN, top + 44), lines[1:5], 15, 12, tone=FINE)


def rollout(page: Canvas, shown: Shown, left: int, top: int) -> None:
    """Some frames of a rollout, with a line of words above and numbers below."""
    apart = "" if np.isnan(shown.spread) else f" ±{shown.spread:.0%}"
    words = f"{shown.operator} {shown.policy}, {shown.initial_condition}{apart}"
    page.write((left, top), canvas.fit(words, ROLLOUT - 12))
    for number, frame in enumerate(shown.frames):
        place = left + number * (TILE + GAP)
        page.field(place, top + 18, scaled(frame))
        number_ = f"σ {style.number(float(frame.std()))}"
        page.write((place + TILE / 2, top + 20 + TILE), number_, 11, tone=FINE, anchor="ma")


def scaled(frame: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "t t"]:
    """A frame around its own mean, in units of the color scale; the nearest cell a pixel."""
    deviation = frame.std()
    centered = (frame - frame.mean()) / (COLORS * deviation if deviation > 0 else 1.0)
    return canvas.enlarged(centered, TILE)


def _bars(page: Canvas, entry: Entry, code: Code, left: int, top: int) -> None:
    zero, unit = left + LABELS + BARS / 2, BARS / 2 / REACH
    page.line((zero, top), (zero, top + LINE * len(entry.features)), 140)
    for number, feature in enumerate(entry.features):
        height, place = top + LINE * number, feature.place
        name = canvas.fit(label(feature.name), LABELS - 8)
        page.write((left + LABELS - 8, height), name, anchor="ra")
        value, apart = float(code.mean[place]), float(code.deviation[place])
        if not np.isfinite(value):
            page.write((zero + 6, height), "missing", tone=FINE)
            continue
        end = _reach(value) * unit
        color = canvas.BLUE if value < 0 else canvas.VERMILION
        page.box(zero + min(end, 0), height + 4, max(1, abs(end)), 8, color)
        low, high = (zero + _reach(value + way * apart) * unit for way in (-1, 1))
        page.line((low, height + 13), (high, height + 13), 120)
        test = float(code.test_mean[place])
        if np.isfinite(test):
            page.box(zero + _reach(test) * unit - 2, height + 2, 4, 12, canvas.GREEN)
        edge = zero + BARS / 2 + NUMBER
        page.write((edge, height), signed(value), anchor="ra")


def _reach(value: float) -> float:
    return float(np.clip(value, -REACH, REACH))


def _finer(page: Canvas, entry: Entry, number: int, top: int) -> None:
    level = entry.levels[number]
    told = " → ".join(percent(one.told) for one in entry.levels[number - 1 : number + 1])
    page.line((MARGIN, top + 4), (page.width - MARGIN, top + 4), RULE)
    what = "what its codes add, in standard deviations; explained on test operators, with those"
    page.write((MARGIN, top + 12), f"{entry.name}/{number}: {what} before: {told}", bold=True)
    effect = by_column(level, entry)
    count = min(len(level.codes), (WIDTH - 2 * MARGIN - WORDS) // CELL)
    kept = np.sort(np.argsort(-level.counts, kind="stable")[:count])
    for place, index in enumerate(kept):
        left = MARGIN + WORDS + place * CELL
        page.write((left + CELL / 2, top + 30), f"{level.codes[index]}", bold=True, anchor="ma")
        for row, feature in enumerate(entry.features):
            height, value = top + 48 + LINE * row, float(effect[index, feature.place])
            color = int(canvas.shade(np.array(value / STRONG / 2)))
            page.box(left + 1, height, CELL - 2, LINE - 1, color)
            page.write((left + CELL / 2, height + 1), signed(value), 12, anchor="ma")
    for row, feature in enumerate(entry.features):
        name = canvas.fit(label(feature.name), WORDS - 8)
        page.write((MARGIN + WORDS - 8, top + 49 + LINE * row), name, anchor="ra")


def percent(share: float) -> str:
    """A share in percent, or a dash where there is none."""
    return f"{share:.0%}" if np.isfinite(share) else "–"


def signed(value: float) -> str:
    """A number with its sign and one digit behind the point; 0 has none."""
    return f"{value:+.1f}".replace("+0.0", "0").replace("-0.0", "0").replace("-", "−")


def by_column(level: Level, entry: Entry) -> Float[np.ndarray, "u D"]:
    """Effect of each code on the columns; a series by its mean over time."""
    member = np.zeros((len(entry.cells), len(entry.columns)))
    member[np.arange(len(member)), entry.cells] = 1
    return level.effect @ (member / member.sum(0))


def label(name: str) -> str:
    """A column's name without its family; cv and std say what they are over."""
    words = name.partition(".")[2].replace("_", " ").split(".")
    return " · ".join(words)
