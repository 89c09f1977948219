"""Where the agent fails: by the parameters of the operators, and by category of tokens."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spinlock.evaluation.failures import Failures, Row
from spinlock.plots import style

MOST = 12  # parameters shown, those with the largest correlations
SPREAD = 0.15  # of a line's height, between equal shares of different predictors
COLORS = {
    "agent": style.BLUE,
    "persistence": style.VERMILION,
    "another realization": style.GREEN,
}


@style.styled
def dashboard(found: Failures) -> Figure:
    """Correlations of the error with θ for each policy, and agreement of tokens by category."""
    figure = style.figure(14, 6.5, "Agent: where it fails, on test operators")
    count = len(found.parameters)
    panels = figure.subplots(1, count + 1, width_ratios=[1.0] * count + [1.4], squeeze=False)[0]
    for axes, (policy, rows) in zip(panels, found.parameters.items(), strict=False):
        _correlations(axes, policy, rows[:MOST])
    _agreement(panels[-1], found.categories)
    return figure


def _correlations(axes: Axes, policy: str, rows: Sequence[Row]) -> None:
    """Bars from 0: to the right, the larger the parameter the larger the error."""
    axes.set(title=f"{policy}: error against θ", xlabel="Spearman correlation with mean VRMSE")
    values = [float(str(row["correlation"])) for row in rows]
    places = np.arange(len(rows))
    axes.barh(places, values, color=[style.VERMILION if v > 0 else style.BLUE for v in values])
    axes.set_yticks(places, [str(row["parameter"]).replace("_", " ") for row in rows])
    axes.set(xlim=(-1, 1), ylim=(max(len(rows), 1) - 0.4, -0.6), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.axvline(0, color=style.GRAY, linewidth=0.6)


def _agreement(axes: Axes, rows: Sequence[Row]) -> None:
    """A dot for each predictor in the line of each category."""
    axes.set_title("equal tokens by category", pad=24)
    axes.set_xlabel("share of tokens equal to the truth's")
    places = np.arange(len(rows))
    shown = [name for name in COLORS if rows and name in rows[0]]
    for name, shift in zip(shown, np.linspace(-SPREAD, SPREAD, len(shown)), strict=True):
        shares = [float(str(row[name])) for row in rows]
        axes.plot(shares, places + shift, "o", color=COLORS[name], markersize=5, label=name)
    axes.set_yticks(places, [str(row["category"]) for row in rows])
    axes.grid(axis="x")
    axes.set(xlim=(-0.02, 1.02), ylim=(max(len(rows), 1) - 0.4, -0.6))
    if shown:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(shown), frameon=False)
