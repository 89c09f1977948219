"""Pictures of the features: distributions by group, correlations, portraits of operators."""

from functools import partial
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from spinlock.evaluation.portraits import Gallery, Portrait
from spinlock.plots import style
from spinlock.plots.files import Drawing

ACROSS = 12  # panels in a row
BINS = 40
SHOWN = (0.005, 0.995)  # quantiles at the edges of a histogram: a long tail would hide the rest
LIMIT = 30.0  # robust deviations; a bar that is longer is cut, its number is not


def pictures(gallery: Gallery) -> dict[str, Drawing]:
    """The figures by the names of their files."""
    return {
        "features.png": partial(distributions, gallery),
        "features_correlation.png": partial(correlation, gallery),
        "features_portraits.png": partial(portraits, gallery.portraits),
    }


def groups(columns: tuple[str, ...]) -> list[tuple[str, list[int]]]:
    """Neighboring columns `family.group.statistic` of one group, with their places."""
    keys = [tuple(name.split(".")[:2]) for name in columns]
    names = ["initial" if key[0] == "initial" else ".".join(key) for key in keys]
    return [
        (name, [place for place, _ in members])
        for name, members in groupby(enumerate(names), key=lambda item: item[1])
    ]


@style.styled
def distributions(gallery: Gallery) -> Figure:
    """One histogram a column, by group; the number of missing values where there are any."""
    found = groups(gallery.columns)
    rows = [-(-len(places) // ACROSS) for _, places in found]
    title = (
        f"Features of {len(gallery.values)} training operators: counts over the value, "
        "without the outermost 1 %"
    )
    figure = style.figure(20, 1.0 + 0.5 * len(found) + 1.25 * sum(rows), title)
    heights = [0.4 + 1.25 * count for count in rows]
    parts = figure.subfigures(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (name, places), count in zip(parts, found, rows, strict=True):
        _group(part, gallery, name, places, count)
    return figure


def _group(part: SubFigure, gallery: Gallery, name: str, places: list[int], rows: int) -> None:
    style.heading(part, f"{name}, {len(places)} columns")
    panels = part.subplots(rows, ACROSS, squeeze=False).ravel()
    for axes in panels[len(places) :]:
        axes.set_axis_off()
    for axes, place in zip(panels, places, strict=False):
        _histogram(axes, gallery.columns[place], gallery.values[:, place])


def _histogram(axes: Axes, column: str, values: np.ndarray) -> None:
    known = values[np.isfinite(values)]
    absent = len(values) - len(known)
    low, high = np.quantile(known, SHOWN) if len(known) else (0.0, 1.0)
    # One outline: bar by bar it took a third of the time of the picture, for the same pixels.
    axes.stairs(*np.histogram(known, BINS, (low, high)), fill=True, color=style.BLUE)
    label = column.rpartition(".")[2].replace("_", " ")
    axes.set_title(label, fontsize=6.5, fontweight="normal", pad=2)
    axes.set_yticks([])
    axes.tick_params(labelsize=5.5, length=2, pad=1)
    axes.locator_params(axis="x", nbins=3)
    axes.spines["left"].set_visible(False)
    if absent:
        axes.text(
            0.98, 0.9, f"{absent} missing", transform=axes.transAxes, ha="right", fontsize=5.5,
            color=style.VERMILION,
        )  # fmt: skip


@style.styled
def correlation(gallery: Gallery) -> Figure:
    """r of every pair of columns, with lines between the groups."""
    count = len(gallery.values)
    figure = style.figure(14.5, 12, f"Correlation of features, {count} training operators")
    axes = figure.subplots()
    image = style.heat_map(axes, gallery.correlation, (-1.0, 1.0), style.DIVERGING)
    axes.set_aspect("equal")
    found = groups(gallery.columns)
    middles = [np.mean(places) for _, places in found]
    labels = [f"{name} ({len(places)})" for name, places in found]
    axes.set_yticks(middles, labels)
    axes.set_xticks(middles, labels, rotation=45, ha="right")
    for _, places in found[1:]:
        axes.axhline(places[0] - 0.5, color=style.INK, linewidth=0.8)
        axes.axvline(places[0] - 0.5, color=style.INK, linewidth=0.8)
    style.color_bar(axes, image, "correlation")
    return figure


@style.styled
def portraits(chosen: tuple[Portrait, ...]) -> Figure:
    """Rollouts of some operators beside their most unusual features."""
    title = (
        "Test operators from the most common to the most unusual (channel 0, realization 0; "
        f"a color scale a row; bars end at {LIMIT:g})"
    )
    figure = style.figure(18, 1.0 + 3.1 * max(1, len(chosen)), title)
    if not chosen:
        return figure
    parts = figure.subfigures(len(chosen), 1, squeeze=False, hspace=0.04)[:, 0]
    for part, portrait in zip(parts, chosen, strict=True):
        _portrait(part, portrait)
    return figure


def _portrait(part: SubFigure, portrait: Portrait) -> None:
    limit = np.nanmax(np.abs(portrait.frames))
    style.heading(
        part,
        f"operator {portrait.operator} ({portrait.policy}, {portrait.initial_condition}), "
        f"colors from −{style.number(limit)} to {style.number(limit)}",
    )
    count = len(portrait.steps)
    *pictures, bars = part.subplots(1, count + 1, width_ratios=[1.0] * count + [2.6])
    for axes, step, frame in zip(pictures, portrait.steps, portrait.frames, strict=True):
        axes.imshow(frame, cmap=style.DIVERGING, vmin=-limit, vmax=limit)
        axes.set_title(f"step {step}", fontweight="normal", fontsize=8)
        axes.set_axis_off()
    rows = np.arange(len(portrait.columns))
    bars.barh(rows, portrait.scores.clip(-LIMIT, LIMIT), color=style.VERMILION)
    bars.set_yticks(rows, portrait.columns, fontsize=6.5)
    bars.invert_yaxis()
    bars.axvline(0, color=style.GRAY, linewidth=0.8)
    bars.set_xlabel("robust deviations from the median training operator", fontsize=8)
    for row, score in zip(rows, portrait.scores, strict=True):
        place = float(np.clip(score, -LIMIT, LIMIT))
        bars.annotate(
            style.number(float(score)), (place, row), (3 if place >= 0 else -3, 0),
            textcoords="offset points", ha="left" if place >= 0 else "right", va="center",
            fontsize=6.5,
        )  # fmt: skip
    bars.margins(x=0.12)
