"""The agent beside its baselines: error by step, fields beside the truth, final numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from spinlock.plots import headline, style

# Baselines by the names they are drawn under: color, dashes. Others take the next color.
LINES = {
    "agent": (style.BLUE, "-"),
    "persistence": (style.VERMILION, "-"),
    "policy alone": (style.ORANGE, "-"),
    "train mean": (style.GRAY, "-"),
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
    figure = style.figure(16, 10.5, "Agent: how far its rollouts stay with the operator's")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.25, 1.0), hspace=0.03)
    count = len(picture.groups)
    panels = upper.subplots(1, count + 1, width_ratios=[1.0] * count + [1.15])
    for axes, (group, curves) in zip(panels, picture.groups.items(), strict=False):
        _errors(axes, curves, f"{group}: {picture.counts[group]} operators")
    headline.draw(panels[-1], picture.headlines, "Measured on test operators (95 % interval)")
    for part, strip in zip(
        np.atleast_1d(lower.subfigures(1, len(picture.strips), wspace=0.03)),
        picture.strips,
        strict=True,
    ):
        _strip(part, strip)
    return figure


def _errors(axes: Axes, curves: Mapping[str, ErrorCurve], title: str) -> None:
    axes.set(title=title, xlabel="step", ylabel="VRMSE, median over operators", yscale="log")
    axes.grid(axis="y")
    ends = []
    spare = iter((style.PURPLE, style.SKY, style.INK) * len(curves))
    for name, curve in curves.items():
        color, dashes = LINES[name] if name in LINES else (next(spare), "-")
        steps = np.arange(1, len(curve.median) + 1)
        width = 2.4 if name == "agent" else 1.4
        axes.plot(steps, curve.median, dashes, color=color, linewidth=width)
        axes.fill_between(steps, curve.low, curve.high, color=color, alpha=0.15, linewidth=0)
        ends.append((float(curve.median[-1]), name, color))
    axes.axhline(1.0, color=style.INK, linewidth=0.6, linestyle=":")
    axes.margins(x=0)
    style.name_lines(axes, ends)


def _strip(part: SubFigure, strip: Strip) -> None:
    style.heading(part, strip.title)
    rows = (strip.truth, strip.prediction, strip.prediction - strip.truth)
    reach = float(np.nanquantile(np.abs(strip.truth), 0.995))
    panels = part.subplots(3, len(strip.steps), squeeze=False)
    for name, frames, line in zip(("truth", "agent", "error"), rows, panels, strict=True):
        line[0].set_ylabel(name)
        for axes, frame in zip(line, frames, strict=True):
            image = _frame(axes, frame, reach)
    for index, step in enumerate(strip.steps):
        panels[0, index].set_title(f"step {step}", fontsize=8, fontweight="normal", pad=3)
        panels[2, index].set_xlabel(f"VRMSE {style.number(float(strip.vrmse[index]))}", fontsize=8)
    bar = part.colorbar(image, ax=panels, fraction=0.03, pad=0.02, aspect=40)
    bar.outline.set_visible(False)


def _frame(axes: Axes, frame: Float[np.ndarray, "H W"], reach: float):
    """Draw one field on the scale -reach … reach; values that do not exist are pale gray."""
    axes.set_facecolor(style.PALE)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    masked = np.ma.masked_invalid(frame)
    return axes.imshow(masked, cmap=style.DIVERGING, vmin=-reach, vmax=reach)
