"""What a picture of a rollout shows, at every step, before any of it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from spinlock.plots import style
from spinlock.refusals import Refusal
from spinlock.rendering import caption, colors, ensemble
from spinlock.rollout.engine import Rollout
from spinlock.sampling.table import Operators

Mode = Literal["heatmap", "rgb", "pca"]
MODES: tuple[Mode, ...] = get_args(Mode)
DECADES = 6.0  # of power below the strongest mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What to show of a rollout."""

    mode: Mode
    realization: int  # the one that is shown
    channel: int | None  # of a heatmap; None: all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From numbers to a color map."""

    low: float
    high: float
    colors: str
    label: str
    extend: Literal["both", "max"]  # the ends beyond which there are values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One image for each of the steps 0 … T, S = T + 1."""

    name: str
    images: Float[np.ndarray, "S H W"] | Float[np.ndarray, "S H W 3"]  # NaN where there is none
    scale: Scale | None  # None: the images are colors


Paint = Callable[[str, Float[np.ndarray, "S C H W"]], tuple[Panel, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Everything that is drawn of one rollout."""

    title: str
    parameters: str
    fate: str
    key: str  # what the colors of the fields mean
    shown: tuple[Panel, ...]  # of one realization
    means: tuple[Panel, ...]  # over realizations, as many
    variance: Panel  # over realizations
    power: Panel  # of the realization that is shown
    realization: int
    mean: Float[np.ndarray, "R S"]  # over the domain and the channels
    spread: Float[np.ndarray, "R S"]  # variance over the domain, mean over the channels
    spectrum: Float[np.ndarray, "S B"]  # of the realization that is shown, at |k| = 1 … B

    @property
    def steps(self) -> int:
        """T."""
        return self.mean.shape[1] - 1


def scene(operator: Operators, rollout: Rollout, look: Look) -> Scene:
    """Measure and color a rollout.

    Args:
        operator: a table of one operator.
        rollout: its rollout.
        look: what to show of it.

    Raises:
        Refusal: there is no such realization or channel, or the mode cannot show such fields.
    """
    u = ensemble.frames(rollout)
    _check(u, look)
    (shown, means), key = _views(u, look)
    mean, spread = ensemble.courses(u)
    chosen = u[look.realization]
    return Scene(
        title=caption.title(operator),
        parameters=caption.parameters(operator),
        fate=caption.fate(rollout),
        key=key,
        shown=shown,
        means=means,
        variance=_variance(u),
        power=_power(chosen),
        realization=look.realization,
        mean=mean,
        spread=spread,
        spectrum=ensemble.radial(chosen),
    )


def _check(u: Float[np.ndarray, "R S C H W"], look: Look) -> None:
    realizations, _, channels, *_ = u.shape
    if not 0 <= look.realization < realizations:
        raise Refusal(f"--realization: expected 0 … {realizations - 1}, got {look.realization}")
    if look.channel is None:
        return
    if look.mode != "heatmap":
        raise Refusal(f"--channel: only --mode heatmap shows one channel, got {look.mode}")
    if not 0 <= look.channel < channels:
        raise Refusal(f"--channel: expected 0 … {channels - 1}, got {look.channel}")


def _views(
    u: Float[np.ndarray, "R S C H W"], look: Look
) -> tuple[tuple[tuple[Panel, ...], tuple[Panel, ...]], str]:
    """Panels of the realization that is shown and of the mean, colored alike; and the key."""
    paint, key = {"heatmap": _heatmap, "rgb": _rgb, "pca": _pca}[look.mode](u, look)
    shown = paint(f"realization {look.realization}", u[look.realization])
    return (shown, paint(f"mean of {len(u)}", ensemble.mean(u))), key


def _heatmap(u: Float[np.ndarray, "R S C H W"], look: Look) -> tuple[Paint, str]:
    channels = list(range(u.shape[2])) if look.channel is None else [look.channel]
    size = colors.extent(u[:, :, channels])
    scale = Scale(low=-size, high=size, colors=style.DIVERGING, label="u", extend="both")
    key = f"one scale for all channels, steps and realizations, ±{style.number(size)}"
    return lambda name, field: tuple(
        Panel(name=f"{name}, channel {c}", images=field[:, c], scale=scale) for c in channels
    ), key


def _rgb(u: Float[np.ndarray, "R S C H W"], look: Look) -> tuple[Paint, str]:
    size = colors.extent(u)
    key = f"red, green, blue: channels 0, 1, 2 within ±{style.number(size)}"
    return lambda name, field: (Panel(name=name, images=colors.rgb(field, size), scale=None),), key


def _pca(u: Float[np.ndarray, "R S C H W"], look: Look) -> tuple[Paint, str]:
    projection = colors.fit(u)
    sizes = colors.extents(colors.project(u, projection))
    shares = ", ".join(f"{100 * share:.3g}" for share in projection.share)

    def paint(name: str, field: Float[np.ndarray, "S C H W"]) -> tuple[Panel, ...]:
        scores = colors.symmetric(colors.project(field, projection), sizes)
        return (Panel(name=name, images=np.moveaxis(scores, -3, -1), scale=None),)

    return paint, f"red, green, blue: components with {shares} % of the variance, each to its size"


def _variance(u: Float[np.ndarray, "R S C H W"]) -> Panel:
    images = ensemble.variance(u)
    high = min(colors.reach(images), colors.extent(u) ** 2)
    scale = Scale(low=0.0, high=high, colors=style.SEQUENTIAL, label="variance", extend="max")
    return Panel(name=f"variance of {len(u)}", images=images, scale=scale)


def _power(chosen: Float[np.ndarray, "S C H W"]) -> Panel:
    power = ensemble.power(chosen)
    most = min(np.nanmax(power), colors.GROWTH**2 * power[0].max())
    highest = np.log10(most or 1.0)
    floor = 10.0 ** (highest - DECADES)
    scale = Scale(
        low=highest - DECADES,
        high=highest,
        colors=style.FIELD,
        label="log₁₀ power of modes",
        extend="both",
    )
    name = f"power, |k| ≤ {chosen.shape[-1] // 2}"
    return Panel(name=name, images=np.log10(np.maximum(power, floor)), scale=scale)
