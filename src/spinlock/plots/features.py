"""Pictures of the features: distributions by group, correlations, portraits of operators."""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from spinlock.evaluation.portraits import Gallery
from spinlock.plots import distributions, portraits, style
from spinlock.plots.distributions import groups
from spinlock.plots.files import Drawing


def pictures(gallery: Gallery) -> dict[str, Drawing]:
    """The pictures by the names of their files."""
    return {
        "features.png": partial(distributions.page, gallery),
        "features_correlation.png": partial(correlation, gallery),
        "features_portraits.png": partial(portraits.page, gallery.portraits),
    }


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
