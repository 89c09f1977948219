"""What bfloat16 convolutions do to features: `python benchmarks/precision.py` writes precision.md.

Operators are rolled out in float32 with twice the realizations, from the same u0, and in bfloat16
with the noise of the first half. The features of the bfloat16 rollouts and, as a yardstick, those
of the second half are compared with those of the first half; differences are told in standard
deviations of a feature over operators. Takes two minutes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rollouts import default, spread
from spinlock import params, runtime
from spinlock.features import extract
from spinlock.features.config import Config as Extract
from spinlock.features.names import columns
from spinlock.rollout import engine
from spinlock.rollout.config import Config
from spinlock.rollout.last_step import last_step
from spinlock.sampling.table import Operators

COUNT = 48  # operators of the default space
QUANTILES = (0.5, 0.95)
OTHERS = {
    "bfloat16": "bfloat16, same noise",
    "redrawn": "float32, other noise",
}

Described = Mapping[str, Float[Tensor, "N D"]]  # by family


def main() -> None:
    """Measure and write."""
    runtime.single_thread()
    config, settings = params.load("generate", Config), params.load("extract", Extract)
    operators = spread(default(), COUNT)
    found = [describe(operators, row, config, settings) for row in range(COUNT)]
    way = {name: joined([one[name] for one in found]) for name in found[0]}
    groups = {"summary": settings.summary_groups, "temporal": settings.temporal_groups}
    rows = [
        f"| {family}.{group} | " + " | ".join(cells(way, family, place)) + " |"
        for family, chosen in groups.items()
        for group, place in places(family, chosen)
    ]
    head = " | ".join(f"{text}: median | 95 %" for text in OTHERS.values())
    lines = [
        "# Features of bfloat16 rollouts",
        "",
        f"|difference| from float32 in standard deviations over {COUNT} operators of the default",
        "space; quantiles over operators, columns and steps. Made by precision.py.",
        "",
        f"| group | {head} |",
        "|---|" + "---|" * len(QUANTILES) * len(OTHERS),
        *rows,
        "",
    ]
    (Path(__file__).parent / "precision.md").write_text("\n".join(lines))


def describe(
    operators: Operators, row: int, config: Config, settings: Extract
) -> Mapping[str, Mapping[str, Tensor]]:
    """Means over realizations, by way of rolling out and family."""
    count = config.realizations
    full = of(operators, row, replace(config, realizations=2 * count), settings)
    half = of(operators, row, replace(config, precision="bfloat16"), settings)
    return {
        "float32": mean(full, slice(0, count)),
        "bfloat16": mean(half, slice(0, count)),
        "redrawn": mean(full, slice(count, 2 * count)),
    }


def of(operators: Operators, row: int, config: Config, settings: Extract) -> Mapping[str, Tensor]:
    """SUMMARY and TEMPORAL of every realization of one operator."""
    rollout = engine.roll_out(operators, row, config)
    before = rollout.u0.expand(config.realizations, *rollout.u0.shape)
    step = last_step(operators, row, config)
    describe_all = partial(extract.describe, rollout.u, before)
    summary, temporal = describe_all(settings.summary_groups, settings.temporal_groups, step)
    return {"summary": summary, "temporal": temporal}


def mean(of_all: Mapping[str, Tensor], some: slice) -> Mapping[str, Tensor]:
    """Over some realizations; NaN where one has none."""
    return {family: values[some].mean(0) for family, values in of_all.items()}


def joined(parts: list[Mapping[str, Tensor]]) -> Described:
    """All operators."""
    return {family: torch.stack([part[family] for part in parts]) for family in parts[0]}


def places(family: str, groups: tuple[str, ...]) -> Iterator[tuple[str, slice]]:
    """Where the columns of each group stand."""
    start = 0
    for group in groups:
        end = start + len(columns(family, (group,)))
        yield group, slice(start, end)
        start = end


def cells(way: Mapping[str, Described], family: str, place: slice) -> Iterator[str]:
    """Quantiles of the difference of each other way."""
    reference = way["float32"][family][..., place]
    spread_out = torch.stack(
        [one[~one.isnan()].std() for one in reference.flatten(1).T], 0
    ).reshape(reference.shape[1:])
    for other in OTHERS:
        off = ((way[other][family][..., place] - reference).abs() / spread_out).flatten()
        off = off[off.isfinite()]
        for quantile in torch.quantile(off, torch.tensor(QUANTILES)):
            yield f"{quantile:.2g}"


if __name__ == "__main__":
    main()
