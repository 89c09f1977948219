"""Portraits of the features: their distributions, how they go together, and who stands out."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from spinlock.cleaning.raw import Features
from spinlock.rollout.index import Index
from spinlock.sampling.table import Operators

MAD_TO_DEVIATION = 1.4826  # of a normal distribution
MEAN = ".mean"  # the block of SUMMARY that is shown
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of unusualness: who is portrayed
NUM_UNUSUAL = 12  # columns of a portrait
NUM_FRAMES = 6  # pictures of a portrait


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One operator beside its most unusual features."""

    operator: int  # id
    policy: str
    initial_condition: str
    steps: tuple[int, ...]
    frames: Float[np.ndarray, "S H W"]  # channel 0 of realization 0
    columns: tuple[str, ...]  # the most unusual first
    scores: Float[np.ndarray, " K"]  # robust z-scores, see `robust_scores`


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """What the pictures of the features show, of valid training operators."""

    columns: tuple[str, ...]  # INITIAL, means of SUMMARY, means over time of TEMPORAL
    values: Float[np.ndarray, "n D"]
    correlation: Float[np.ndarray, "D D"]  # Pearson, NaN beside a constant column
    portraits: tuple[Portrait, ...]  # of test operators


def gallery(features: Features, operators: Operators, index: Index) -> Gallery:
    """Describe the columns on training operators, and portray test operators.

    Args:
        features: the raw features.
        operators: the table, in the same order.
        index: the rollouts.
    """
    columns, values = one_number_each(features)
    train = values[features.metadata.rows("train")]
    test = features.metadata.rows("test")
    scores = robust_scores(values[test], train)
    unusual = np.sqrt(np.nanmean(np.square(scores), axis=1))
    order = np.argsort(unusual, kind="stable")
    chosen = [order[round(q * (len(order) - 1))] for q in QUANTILES] if len(order) else []
    return Gallery(
        columns=columns,
        values=train,
        correlation=correlation(train),
        portraits=tuple(
            _portrait(operators, index, int(test[place]), columns, scores[place])
            for place in chosen
        ),
    )


def one_number_each(features: Features) -> tuple[tuple[str, ...], Float[np.ndarray, "N D"]]:
    """A number per operator and column: SUMMARY by its means, TEMPORAL by means over time.

    A TEMPORAL column is missing if it is at any step.
    """
    summary = [n for n, name in enumerate(features.names["summary"]) if name.endswith(MEAN)]
    columns = (
        *features.names["initial"],
        *(features.names["summary"][n].removesuffix(MEAN) for n in summary),
        *features.names["temporal"],
    )
    whole = features.aggregated
    parts = [whole.initial, whole.summary[:, summary], whole.temporal.mean(1)]
    return columns, torch.cat(parts, -1).numpy().astype(np.float64)


def robust_scores(
    values: Float[np.ndarray, "n D"], reference: Float[np.ndarray, "m D"]
) -> Float[np.ndarray, "n D"]:
    """(x − median) / (1.4826 MAD) of the reference; NaN where its MAD is 0 or x is missing."""
    middle = np.nanmedian(reference, axis=0)
    spread = MAD_TO_DEVIATION * np.nanmedian(np.abs(reference - middle), axis=0)
    return (values - middle) / np.where(spread > 0, spread, np.nan)


def correlation(values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D D"]:
    """Pearson's r of every pair of columns; a missing value stands at its column's mean."""
    centered = values - np.nanmean(values, axis=0)
    centered = np.where(np.isnan(centered), 0.0, centered)
    scale = np.sqrt(np.square(centered).sum(0))
    scaled = centered / np.where(scale > 0, scale, np.nan)
    return scaled.T @ scaled


def _portrait(
    operators: Operators, index: Index, row: int, columns: tuple[str, ...], scores: np.ndarray
) -> Portrait:
    steps = shown_steps(index.steps)
    u = index.read(operators, row).u[0, [step - 1 for step in steps], 0]
    order = np.argsort(-np.abs(np.where(np.isnan(scores), 0.0, scores)), kind="stable")
    order = order[:NUM_UNUSUAL]
    return Portrait(
        operator=int(operators.ids[row]),
        policy=operators.theta[row].update_policy,
        initial_condition=operators.ic_types[row],
        steps=steps,
        frames=u.numpy(),
        columns=tuple(columns[place] for place in order),
        scores=scores[order],
    )


def shown_steps(steps: int) -> tuple[int, ...]:
    """Steps of about equal ratios from 1 to T, each once."""
    found: Int[np.ndarray, " n"] = np.unique(np.geomspace(1, steps, NUM_FRAMES).round().astype(int))
    return tuple(int(step) for step in found)
