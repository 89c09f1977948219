"""The `sample` section that tests start from, and ways to change it."""

import copy
from pathlib import Path

from spinlock import params
from spinlock.sampling.config import Config

SEED = 20251121
FIXED = {
    "operator_type": "cnn",
    "encoder_levels": 2,
    "mode_share": 1.0,
    "afno_blocks": 2,
    "blocks_per_level": 1,
    "activation": "gelu",
    "normalization": "instance",
    "noise_type": "gaussian",
    "noise_schedule": "constant",
    "schedule_period": 100,
}
SECTION: dict = {
    "num_operators": 512,
    "channels": 3,
    "grid_size": 32,
    "max_width": 32,
    "weights": {"kind": "basis", "num_sets": 1},
    "block_size": 32,
    "split": {"train": 12, "validation": 2, "test": 2},
    "held_out": {
        "ic_variants": ["band_limited_high"],
        "update_policies": [],
        "theta_corner": [
            {"name": "noise_scale", "above": 0.7},
            {"name": "spatial_correlation", "above": 0.7},
        ],
    },
    "ic_mix": [
        {"family": "grf", "variants": ["grf_0.25", "grf_0.5", "grf_1", "grf_2", "grf_4"]},
        {
            "family": "band_limited",
            "variants": ["band_limited_low", "band_limited_mid", "band_limited_high"],
        },
        {"family": "sinusoids", "variants": ["sinusoids"]},
        {"family": "localized", "variants": ["localized"]},
    ],
    "dimensions": [
        *({"name": name, "kind": "fixed", "value": value} for name, value in FIXED.items()),
        {"name": "num_layers", "kind": "integer", "low": 2, "high": 5},
        {"name": "base_channels", "kind": "integer", "low": 8, "high": 16},
        {"name": "kernel_size", "kind": "choice", "choices": [3, 5, 7], "weights": [1, 1, 1]},
        {"name": "dropout_rate", "kind": "continuous", "low": 0, "high": 0.3, "scale": "linear"},
        {"name": "noise_scale", "kind": "continuous", "low": 1e-5, "high": 1, "scale": "log"},
        {
            "name": "spatial_correlation",
            "kind": "continuous",
            "low": 0,
            "high": 0.3,
            "scale": "linear",
        },
        {
            "name": "update_policy",
            "kind": "choice",
            "choices": ["residual", "convex"],
            "weights": [0.75, 0.25],
        },
        {"name": "dt", "kind": "continuous", "low": 1e-3, "high": 1e-1, "scale": "log"},
        {"name": "alpha", "kind": "continuous", "low": 0.1, "high": 0.9, "scale": "linear"},
    ],
}


def section(**changes: object) -> dict:
    """The default section with some keys replaced."""
    return copy.deepcopy(SECTION) | changes


def config(**changes: object) -> Config:
    """The default section with some keys replaced, parsed as the stage does."""
    return params.parse("sample", {"sample": section(**changes)}, Config, Path("params.yaml"))


def dimensions(*changed: dict) -> list[dict]:
    """The default dimensions, with those of the same names replaced."""
    new = {dimension["name"]: dimension for dimension in changed}
    return [*(d for d in SECTION["dimensions"] if d["name"] not in new), *changed]


def fixed(name: str, value: object) -> dict:
    return {"name": name, "kind": "fixed", "value": value}


def choice(name: str, *choices: object) -> dict:
    return {"name": name, "kind": "choice", "choices": list(choices), "weights": [1] * len(choices)}


def linear(name: str, low: float, high: float) -> dict:
    return {"name": name, "kind": "continuous", "low": low, "high": high, "scale": "linear"}
