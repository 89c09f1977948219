"""The static table of initial conditions: variant → family, defining numbers and generator."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.initial_conditions import localized, spectral, waves
from spinlock.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to draw an initial condition."""

    family: str
    generate: Callable[[int, int, np.random.Generator], np.ndarray]  # (C, H, rng) → [C, H, W]
    variance: float | None  # expected variance over the domain, where the definition states it
    band: tuple[float, float] | None  # half-open, cycles per domain, where all power lies in one


def _random_field(variance: float) -> Variant:
    return Variant(
        family="gaussian_random_field",
        generate=partial(spectral.random_field, variance),
        variance=variance,
        band=None,
    )


def _band_limited(band: str) -> Variant:
    return Variant(
        family="band_limited",
        generate=partial(spectral.band_limited, band),
        variance=1.0,
        band=spectral.BANDS[band],
    )


VARIANTS = {
    "grf_0.25": _random_field(0.25),
    "grf_0.5": _random_field(0.5),
    "grf_1": _random_field(1.0),
    "grf_2": _random_field(2.0),
    "grf_4": _random_field(4.0),
    "band_limited_low": _band_limited("low"),
    "band_limited_mid": _band_limited("mid"),
    "band_limited_high": _band_limited("high"),
    "sinusoids": Variant(family="sinusoids", generate=waves.sinusoids, variance=1.0, band=None),
    "localized": Variant(family="localized", generate=localized.blobs, variance=None, band=None),
}


def draw(
    variant: str, channels: int, grid_size: int, rng: np.random.Generator
) -> Float[Tensor, "C H W"]:
    """One initial condition; its channels are independent draws of the same variant.

    Args:
        variant: a key of `VARIANTS`.
        channels: C.
        grid_size: H = W, points per axis of the periodic unit square.
        rng: the operator's stream, `randomness.stream(seed, "initial_condition/…", operator)`.

    Raises:
        Refusal: the variant is unknown, or the grid cannot resolve it.
    """
    field = lookup(variant).generate(channels, grid_size, rng)
    return torch.from_numpy(field.astype(np.float32))


def family(variant: str) -> str:
    """The family a variant belongs to, such as `band_limited` for `band_limited_low`."""
    return lookup(variant).family


def lookup(variant: str) -> Variant:
    """The row of the table.

    Raises:
        Refusal: the variant is unknown; the message suggests the nearest and lists all.
    """
    if variant not in VARIANTS:
        close = difflib.get_close_matches(variant, VARIANTS, n=1)
        hint = f", did you mean '{close[0]}'?" if close else ""
        raise Refusal(
            f"sample.ic_mix: unknown initial condition '{variant}'{hint} "
            f"Known: {', '.join(VARIANTS)}"
        )
    return VARIANTS[variant]
