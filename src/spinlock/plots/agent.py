"""The agent beside its baselines: error by step, fields beside the truth, final numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import NullFormatter

from spinlock.plots import headline, style

HIGHEST = 3.0  # VRMSE shown; what grows without bound leaves the panel
WINDOW = " to "  # in the names of means over steps, which are too many to show
# Baselines by the names they are drawn under: color, dashes. Others take the next color.
LINES = {
    "agent": (style.BLUE, "-"),
    "persistence": (style.VERMILION, "-"),
    "policy alone": (style.ORANGE, "-"),
    "train mean": (style.GRAY, "-"),
    "stencil": (style.PURPLE, "-"),
    "no theta": (style.SKY, "-"),
    "shuffled theta": (style.SKY, ":"),
    "noise floor": (style.GREEN, "--"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCurve:
    """VRMSE over the steps 1 … T: median over operators and its interval."""

    median: Float[np.ndarray, "T"]
    low: Float[np.ndarray, "T"]
    high: Float[np.ndarray, "T"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One operator's rollout at a few steps, one channel."""

    title: str  # such as "median operator 417 (convex)"
    steps: tuple[int, ...]
    truth: Float[np.ndarray, "S H W"]
    prediction: Float[np.ndarray, "S H W"]
    vrmse: Float[np.ndarray, "S"]  # of the agent at these steps


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPicture:
    """All that the agent's dashboard shows, measured."""

    groups: Mapping[str, Mapping[str, ErrorCurve]]  # such as "residual" → "agent" → curve
    counts: Mapping[str, int]  # operators of each group
    strips: tuple[Strip, ...]  # such as the 10th, 50th and 90th percentile
    headlines: tuple[headline.Headline, ...]


@style.styled
def dashboard(picture: AgentPicture) -> Figure:
    """Error curves by group, headline numbers, and truth / prediction / error strips."""
    figure = style.figure(16, 11.8, "Agent: how far its rollouts stay with the operator's")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.6, 1.0), hspace=0.03)
    upper, lower = parts[:, 0]
    count = len(picture.groups)
    panels = upper.subplots(1, count + 1, width_ratios=[1.0] * count + [1.15])
    for axes, (group, curves) in zip(panels, picture.groups.items(), strict=False):
        _errors(axes, curves, f"{group}: {picture.counts[group]} operators")
    shown = [row for row in picture.headlines if WINDOW not in row.name]
    headline.draw(panels[-1], shown, "On test operators (95 % interval)", 9)
    for part, strip in zip(
        lower.subfigures(1, len(picture.strips), wspace=0.03, squeeze=False)[0],
        picture.strips,
        strict=True,
    ):
        _strip(part, strip)
    return figure


def _errors(axes: Axes, curves: Mapping[str, ErrorCurve], title: str) -> None:
    axes.set(title=title, xlabel="step", ylabel="VRMSE, median over operators", yscale="log")
    axes.grid(axis="y")
    ends = []
    spare = cycle((style.PURPLE, style.SKY, style.INK))
    for name, curve in curves.items():
        color, dashes = LINES[name] if name in LINES else (next(spare), "-")
        steps = np.arange(1, len(curve.median) + 1)
        width = 2.4 if name == "agent" else 1.4
        axes.plot(steps, curve.median, dashes, color=color, linewidth=width)
        if name == "agent":  # eight bands would hide each other
            axes.fill_between(steps, curve.low, curve.high, color=color, alpha=0.2, linewidth=0)
        ends.append((float(curve.median[-1]), name, color))
    axes.axhline(1.0, color=style.INK, linewidth=0.6, linestyle=":")
    axes.text(
        0.99,
        0.99,
        "error of the frame's own mean",
        fontsize=7,
        color=style.INK,
        ha="right",
        va="top",
        transform=axes.get_yaxis_transform(),
    )
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(1, max(2, *(len(curve.median) for curve in curves.values())))
    axes.set_ylim(top=min(axes.get_ylim()[1], HIGHEST))
    style.name_lines(axes, ends)


def _strip(part: SubFigure, strip: Strip) -> None:
    """Draw truth and agent on the scale of the truth, the error on the same width about zero."""
    style.heading(part, strip.title)
    low, high = (float(value) for value in np.nanquantile(strip.truth, (0.005, 0.995)))
    half = max((high - low) / 2, 1e-6)
    panels = part.subplots(3, len(strip.steps), squeeze=False)
    for frames, line in zip((strip.truth, strip.prediction), panels, strict=False):
        fields = _frames(line, frames, (low, low + 2 * half), style.FIELD)
    error = strip.prediction - strip.truth
    errors = _frames(panels[2], error, (-half, half), style.DIVERGING)
    for name, axes in zip(("truth", "agent", "error"), panels[:, 0], strict=True):
        axes.set_ylabel(name)
    for index, step in enumerate(strip.steps):
        panels[0, index].set_title(f"step {step}", fontsize=8, fontweight="normal", pad=3)
        panels[2, index].set_xlabel(f"VRMSE {style.number(float(strip.vrmse[index]))}", fontsize=8)
    for image, rows, label in ((fields, panels[:2], "field"), (errors, panels[2:], "error")):
        bar = part.colorbar(image, ax=rows, fraction=0.04, pad=0.02, aspect=20 * len(rows))
        bar.set_label(label)
        bar.outline.set_visible(False)


def _frames(
    line: np.ndarray, frames: Float[np.ndarray, "S H W"], limits: tuple[float, float], colors: str
) -> AxesImage:
    """Draw fields side by side on one scale; values that do not exist are pale gray."""
    for axes, frame in zip(line, frames, strict=True):
        image = style.heat_map(axes, frame, limits, colors)
        axes.set(xticks=[], yticks=[], aspect="equal")
    return image
