"""Features made of a few hidden factors, so that what cleaning and categories find is known."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from spinlock import artifacts
from spinlock.cleaning import fitting, metadata
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.raw import Features
from spinlock.cleaning.sets import FeatureSet

THRESHOLDS = fitting.Config(
    max_missing=0.2,
    min_variance=1e-8,
    clip_sigmas=5.0,
    max_correlation=0.99,
    min_reliability=None,
)
STEPS, REALIZATIONS = 8, 3
GROUPS = ("energy", "rhythm", "memory")  # of SUMMARY, four statistics each
NAMES = {
    "initial": tuple(f"initial.{g}.s{i}" for g in ("shape", "spectrum") for i in range(7)),
    "summary": tuple(
        f"summary.{g}.s{i}.{a}" for a in ("mean", "std", "cv") for g in GROUPS for i in range(4)
    ),
    "temporal": tuple(f"temporal.{g}.s{i}" for g in ("spatial", "spectral") for i in range(4)),
}
SPLITS = ("train", "train", "train", "validation", "test", "held_out")


def features(count: int = 60, seed: int = 0, noise: float = 0.3) -> Features:
    """Columns of one group (and aggregate) share a hidden factor; some cells are missing."""
    rng = np.random.default_rng(seed)

    def columns(names: tuple[str, ...], *shape: int) -> np.ndarray:
        groups = [
            name.split(".")[1] + name.rpartition(".")[2].rstrip("0123456789") for name in names
        ]
        factors = {group: rng.standard_normal(shape) for group in dict.fromkeys(groups)}
        signal = np.stack([factors[group] for group in groups], -1)
        return (signal + noise * rng.standard_normal(signal.shape)).astype(np.float32)

    per_trajectory = columns(NAMES["summary"][:12], count, REALIZATIONS)
    spreads = columns(NAMES["summary"][12:], count)
    spreads[rng.random(spreads.shape) < 0.05] = np.nan
    steps = columns(NAMES["temporal"], count, REALIZATIONS, STEPS)
    steps += columns(NAMES["temporal"], count)[:, None, None] * 3
    return Features(
        aggregated=FeatureSet(
            initial=torch.from_numpy(columns(NAMES["initial"], count)),
            summary=torch.from_numpy(np.concatenate([per_trajectory.mean(1), spreads], -1)),
            temporal=torch.from_numpy(steps.mean(1)),
            fields=torch.from_numpy(rng.standard_normal((count, 2, 4, 4)).astype(np.float32)),
        ),
        summary=torch.from_numpy(per_trajectory),
        temporal=torch.from_numpy(steps),
        names=NAMES,
        metadata=_metadata(count),
    )


def _metadata(count: int) -> Metadata:
    split = np.array([SPLITS[i % len(SPLITS)] for i in range(count)])
    return Metadata(
        operator_id=np.arange(count),
        split=split,
        ic_types=np.array(["grf_1", "sinusoids"])[np.arange(count) % 2],
        evolution_policies=np.array(["convex"] * count),
        noise_regimes=np.array(["gaussian"] * count),
        held_out=(split == "held_out")[:, None],
        held_out_groups=("theta_corner",),
        valid=np.arange(count) % 17 != 2,
    )


def train(found: Features) -> FeatureSet:
    """The rows a cleaner may learn from."""
    return found.aggregated.take(found.metadata.rows("train"))


def further(found: Features, spread: float, seed: int = 1) -> Features:
    """A draw of each training operator: its values, and something normal of a deviation added."""
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(found.metadata.split == "train")

    def moved(values: torch.Tensor) -> torch.Tensor:
        chosen = values[torch.from_numpy(kept)]
        return chosen + spread * torch.from_numpy(rng.standard_normal(chosen.shape)).float()

    names = [field.name for field in fields(FeatureSet)]
    who = {field.name: getattr(found.metadata, field.name) for field in fields(Metadata)}
    return replace(
        found,
        aggregated=FeatureSet(**{name: moved(getattr(found.aggregated, name)) for name in names}),
        summary=moved(found.summary),
        temporal=moved(found.temporal),
        metadata=Metadata(**{k: v if k == "held_out_groups" else v[kept] for k, v in who.items()}),
    )


def with_column(found: FeatureSet, family: str, index: int, values: torch.Tensor) -> FeatureSet:
    """The same set with one column replaced."""
    changed = getattr(found, family).clone()
    changed[..., index] = values
    return replace(found, **{family: changed})


def write(path: Path, found: Features, kind: str = "features") -> None:
    """Write a file in the layout of `data/features.h5`, or of `data/further.h5`."""
    whole, names = found.aggregated, found.names
    mean_names = tuple(
        name.rpartition(".")[0] for name in names["summary"][: len(NAMES["summary"]) // 3]
    )
    groups = {
        "initial/aggregated": (whole.initial, "N D", names["initial"]),
        "summary/aggregated": (whole.summary, "N D", names["summary"]),
        "summary/per_trajectory": (found.summary, "N R D", mean_names),
        "temporal": (whole.temporal, "N T D", names["temporal"]),
        "temporal/per_trajectory": (found.temporal, "N R T D", names["temporal"]),
    }
    with artifacts.writing(path, kind, {}) as sink:
        for group, (values, axes, columns) in groups.items():
            mask = np.isfinite(values.numpy())
            sink.put(f"features/{group}/features", values.numpy(), axes, columns=columns, mask=mask)
        sink.put("inputs/fields", whole.fields.numpy(), "N C H W")
        metadata.write(sink, found.metadata)
