"""The static table of initial conditions: variant → family, defining numbers and generator."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.initial_conditions import (
    continuum,
    critical,
    geometric,
    growth,
    information,
    kinetics,
    localized,
    mixtures,
    quantum,
    relativity,
    spectral,
    tissue,
    transformed,
    waves,
)
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


def _of_its_own(
    name: str,
    generate: Callable[[int, int, np.random.Generator], np.ndarray],
    variance: float | None = None,
    band: tuple[float, float] | None = None,
) -> dict[str, Variant]:
    """The one row of a family with a single variant, which bears the family's name."""
    return {name: Variant(family=name, generate=generate, variance=variance, band=band)}


VARIANTS = {
    "grf_0.25": _random_field(0.25),
    "grf_0.5": _random_field(0.5),
    "grf_1": _random_field(1.0),
    "grf_2": _random_field(2.0),
    "grf_4": _random_field(4.0),
    "band_limited_low": _band_limited("low"),
    "band_limited_mid": _band_limited("mid"),
    "band_limited_high": _band_limited("high"),
    **_of_its_own("sinusoids", waves.sinusoids, variance=1.0),
    **_of_its_own("localized", localized.blobs),
    **_of_its_own("structured", geometric.structured),
    **_of_its_own("mixed", mixtures.mixed, variance=1.0),
    **_of_its_own("multiscale_grf", spectral.multiscale_grf, variance=1.0, band=(1.0, 16.0)),
    **_of_its_own("composite", mixtures.composite),
    **_of_its_own("heavy_tailed", transformed.heavy_tailed),
    **_of_its_own("quantum_wave_packet", quantum.quantum_wave_packet),
    **_of_its_own("thermal_gradient", continuum.thermal_gradient),
    **_of_its_own("light_cone", relativity.light_cone),
    **_of_its_own("phase_boundary", transformed.phase_boundary),
    **_of_its_own("interference_pattern", quantum.interference_pattern),
    **_of_its_own("shock_front", continuum.shock_front),
    **_of_its_own("coherent_state", quantum.coherent_state, variance=1.0, band=quantum.VACUUM),
    **_of_its_own("relativistic_wave_packet", relativity.relativistic_wave_packet),
    **_of_its_own("turing_pattern", kinetics.turing_pattern),
    **_of_its_own("morphogen_gradient", tissue.morphogen_gradient),
    **_of_its_own("reaction_front", growth.reaction_front),
    **_of_its_own("critical_fluctuation", critical.critical_fluctuation),
    **_of_its_own("bz_reaction", kinetics.bz_reaction),
    **_of_its_own("shannon_entropy", information.shannon_entropy, variance=1.0),
    **_of_its_own("cell_population", tissue.cell_population),
    **_of_its_own("chromatin_domain", tissue.chromatin_domain),
    **_of_its_own("gene_expression", tissue.gene_expression),
    **_of_its_own(
        "mutual_information", information.mutual_information, variance=1.0, band=information.CYCLES
    ),
    **_of_its_own("regulatory_network", kinetics.regulatory_network),
    **_of_its_own("dla_cluster", growth.dla_cluster),
    **_of_its_own("error_correcting_code", information.error_correcting_code),
}


def draw(
    variant: str, channels: int, grid_size: int, rng: np.random.Generator
) -> Float[Tensor, "C H W"]:
    """One initial condition; its channels are independent draws, but for `mutual_information`.

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
