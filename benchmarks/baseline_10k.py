"""The design and the initial conditions of `profiles/baseline_10k.yaml`, made in full and measured.

`PYTHONPATH=src python benchmarks/baseline_10k.py` prints the tables of LOG.md; a minute and a half.
"""

import math
import statistics
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from spinlock import params, profiles, runtime
from spinlock.initial_conditions import families, measure
from spinlock.rollout import engine
from spinlock.sampling import build, design, labels, quality, report, space
from spinlock.sampling.config import Config
from spinlock.sampling.space import Continuous
from spinlock.sampling.table import Operators

SEEDS = 20
RANDOM_DESIGNS = 200


def main() -> None:
    """Print both tables."""
    runtime.single_thread()
    seed, config = read("baseline_10k")
    print("\n".join(design_table([build.build(seed + i, config) for i in range(SEEDS)], config)))
    print()
    print("\n".join(condition_table(build.build(seed, config), config)))


def read(name: str) -> tuple[int, Config]:
    """Root seed and section `sample` of params.yaml with the changes of a profile."""
    tree = profiles.merge(params.read(), profiles.load(name))
    return params.parse("seed", tree, int), params.parse("sample", tree, Config)


def design_table(designs: list[Operators], config: Config) -> Iterator[str]:
    """Medians over seeds beside the earlier work and random points; see `quality`."""
    count, free = designs[0].unit.shape
    rng = np.random.default_rng(0)
    correlation = quality.max_abs_correlation
    random = statistics.median(
        correlation(rng.random((count, free))) for _ in range(RANDOM_DESIGNS)
    )
    points = [operators.unit for operators in designs]
    scores = [report.label_metrics(o, config)["sample/ic_theta_p_value"] for o in designs]
    yield f"| {count} × {free}, {len(designs)} seeds | median | least … most | earlier | random |"
    yield "|---|---|---|---|---|"
    expected = quality.expected_discrepancy(count, free)
    yield row(
        "squared centered L2 discrepancy", map(quality.discrepancy, points), 5.15e-4, expected
    )
    yield row("largest abs. r, unit coordinates", map(correlation, points), 0.0016, random)
    yield row("largest abs. r, decoded θ", map(correlation, map(numbers, designs)), 0.0016, random)
    yield row("labels against θ, least p × 15", scores, None, None)
    for power in (2 ** (count.bit_length() - 1), 2 ** count.bit_length()):
        whole = [design.points(operators.seed, power, free) for operators in designs]
        yield row(f"largest abs. r, {power} points", map(correlation, whole), None, None)


def row(what: str, values: Iterable[float], earlier: float | None, random: float | None) -> str:
    """One line of the table."""
    found = list(values)
    beside = " | ".join("" if value is None else f"{value:.3g}" for value in (earlier, random))
    middle = statistics.median(found)
    return f"| {what} | {middle:.3g} | {min(found):.3g} … {max(found):.3g} | {beside} |"


def numbers(operators: Operators) -> np.ndarray:
    """θ as one column for each varying dimension: log scales in log10, words by their index."""
    return np.array([column(operators, d) for d in space.varying(operators.dimensions)]).T


def column(operators: Operators, dimension: space.Varying) -> list[float]:
    """One varying dimension of all operators."""
    values = [getattr(theta, dimension.name) for theta in operators.theta]
    if isinstance(dimension, Continuous):
        return [math.log10(v) for v in values] if dimension.scale == "log" else values
    if isinstance(values[0], str):
        words = space.extremes(dimension)
        return [float(words.index(value)) for value in values]
    return [float(value) for value in values]


def condition_table(operators: Operators, config: Config) -> Iterator[str]:
    """Shares, variances and purities of every variant, from the fields themselves."""
    yield "| variant | operators | in a block | mean variance | expected | least band purity |"
    yield "|---|---|---|---|---|---|"
    found = measured(operators)
    family = labels.family_of(config.ic_mix)
    for variant in config.variants:
        per_block = blocks(operators, config, variant)
        expected, (variance, purity) = families.lookup(variant).variance, found[variant]
        yield (
            f"| {family[variant]}: {variant} | {operators.ic_types.count(variant)} | "
            f"{min(per_block)} … {max(per_block)} | {np.mean(variance):.4f} | "
            f"{'' if expected is None else f'{expected:g}'} | "
            f"{'' if purity is None else f'{min(purity):.6f}'} |"
        )


def blocks(operators: Operators, config: Config, variant: str) -> list[int]:
    """Operators of a variant in each block."""
    own = np.array(operators.ic_types) == variant
    starts = range(0, len(operators), config.block_size)
    return [int(own[start : start + config.block_size].sum()) for start in starts]


def measured(operators: Operators) -> dict[str, tuple[list[float], list[float] | None]]:
    """Variance, and band purity where there is a band, of every field; one operator at a time."""
    variances: dict[str, list[float]] = {}
    purities: dict[str, list[float]] = {}
    for index, variant in enumerate(operators.ic_types):
        u0 = engine.initial_condition(operators, index)
        band = families.lookup(variant).band
        variances.setdefault(variant, []).extend(measure.variance(u0).tolist())
        if band is not None:
            purities.setdefault(variant, []).extend(measure.band_purity(u0, band).tolist())
        if not torch.isfinite(u0).all():
            raise ValueError(f"operator {index}: u0 is not finite")
    return {name: (values, purities.get(name)) for name, values in variances.items()}


if __name__ == "__main__":
    main()
