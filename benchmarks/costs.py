"""What a profile costs: time, disk and memory of the whole, calculated from measured parts.

`PYTHONPATH=src python benchmarks/costs.py NAME …` measures, on one core, a few operators of the
profile's own space and grid for a few steps, its features on one trajectory and one window of its
agent, and prints a line for each total. Minutes for a wide space.
"""

import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

import features
from clock import timed
from spinlock import params, profiles, runtime
from spinlock.check import SECTIONS
from spinlock.features import extract, names
from spinlock.noa import conditioning, model
from spinlock.operators.build import build as build_operator
from spinlock.operators.build import num_parameters
from spinlock.rollout import engine
from spinlock.sampling import build
from spinlock.sampling.table import Operators

STRATA = 16  # of operators by type and number of weights; one of each is timed
DESIGN = 1024  # first operators of the design, which are laid out to find the strata
STEPS = (1, 3)  # of the timed rollouts; their difference is what a step costs
GRAPH = 2  # steps of the agent whose graph is measured
CORES = 16
FLOAT = 4  # bytes
EVALUATIONS = 6  # of the one-step map, by the group sensitivity
GB, HOUR = 1e9, 3600.0

Profile = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Seconds of one core, and bytes."""

    setup: float  # of building an operator, its mean over the space
    step: float  # of one step of one operator, all realizations
    field: float  # of describing one field of all channels
    window: float  # of one step of one window in the agent's training
    graph: float  # bytes that such a step keeps for its gradient
    rollout: int  # bytes of one operator's u
    start: int  # bytes of its u0


def main() -> None:
    """Print the totals of the profiles named."""
    runtime.single_thread()
    for name in sys.argv[1:]:
        tree = profiles.merge(params.read(), profiles.load(name))
        profile = {key: params.parse(key, tree, schema) for key, schema in SECTIONS.items()}
        parts = measure(profile)
        print("\n".join([f"{name}:", *lines(profile, parts)]), flush=True)


def measure(profile: Profile) -> Parts:
    """Time the parts."""
    sample, generate = profile["sample"], profile["generate"]
    few = replace(sample, num_operators=min(sample.num_operators, DESIGN))
    operators = build.build(profile["seed"], few)
    setup, step = operator_cost(operators, generate)
    window, graph = agent_cost(operators, profile["train_noa"])
    start = sample.channels * sample.grid_size**2 * FLOAT
    return Parts(
        setup=setup,
        step=step,
        field=field_cost(profile),
        window=window,
        graph=graph,
        rollout=start * generate.steps * generate.realizations,
        start=start,
    )


def operator_cost(operators: Operators, config: Any) -> tuple[float, float]:
    """Seconds to build an operator and for a step of it: their means over the space.

    The middle operator of each stratum, by number of weights, stands for it.
    """
    sizes = np.array([num_parameters(operators, theta) for theta in operators.theta])
    types = np.array([theta.operator_type for theta in operators.theta])
    setup = step = 0.0
    for rows in np.array_split(np.lexsort((sizes, types)), STRATA):
        middle = int(rows[len(rows) // 2])
        build_operator(operators, middle, config.precision)  # draws the shared weights
        short, long = (
            timed(partial(engine.roll_out, operators, middle, replace(config, steps=steps)))[0]
            for steps in STEPS
        )
        one = (long - short) / (STEPS[1] - STEPS[0])
        share = len(rows) / len(operators)
        step += share * one
        setup += share * max(short - one, 0.0)
    return setup, step


def field_cost(profile: Profile) -> float:
    """Seconds to describe a field of all channels in the profile's groups, on its grid."""
    u = features.trajectories(profile["sample"].grid_size)
    groups = profile["extract"].summary_groups, profile["extract"].temporal_groups
    before, after = u[:, 0].contiguous(), u[:, 1:].contiguous()
    work = partial(extract.describe, after, before, *groups, None)
    work()
    spent = statistics.median(timed(work)[0] for _ in range(3))
    return spent / (after.shape[0] * after.shape[1])


def agent_cost(operators: Operators, config: Any) -> tuple[float, float]:
    """Seconds and bytes of the graph of one step of one window, with its gradient."""
    size = config.batch_size // config.microbatches
    some = operators.take(slice(0, size))
    columns = conditioning.fit(operators)
    agent = model.initialized(config, columns, operators.channels, operators.seed)
    given = agent.given(some, None)
    u0 = torch.stack([engine.initial_condition(some, row) for row in range(size)])
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def learn() -> None:
        predicted = agent.unroll(given, u0, steps=GRAPH, gradient_steps=config.gradient_steps)
        torch.autograd.grad(predicted.square().mean(), list(agent.parameters()))

    learn()
    spent = timed(learn)[0]
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        learn()
    return spent / (GRAPH * size), sum(kept.values()) / (GRAPH * size)


def lines(profile: Profile, parts: Parts) -> Iterator[str]:
    """What stands at the head of the profile's file."""
    yield (
        f"# Measured on one core ({runtime_name()}): {parts.setup * 1e3:.0f} ms to build an "
        f"operator, {parts.step * 1e3:.0f} ms a step of its {profile['generate'].realizations}"
    )
    yield (
        f"# realizations, {parts.field * 1e6:.0f} µs to describe a field, "
        f"{parts.window * 1e3:.0f} ms a step of a window of the agent's training. Calculated:"
    )
    yield from times(profile, parts)
    yield from disk(profile, parts)
    yield from memory(profile, parts)


def runtime_name() -> str:
    """Processor's instructions and torch's version."""
    return f"{torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def times(profile: Profile, parts: Parts) -> Iterator[str]:
    """Hours of the long stages; validation and alignment of the agent are left out."""
    count, steps = profile["sample"].num_operators, profile["generate"].steps
    realizations, agent = profile["generate"].realizations, profile["train_noa"]
    building = count * parts.setup
    missing = count * steps - stored(profile)
    replaying = missing * parts.step + (building if missing else 0.0)
    describing = realizations * steps * parts.field + EVALUATIONS * parts.step
    drawing = further(profile) * (2 * parts.setup + steps * parts.step + describing)
    windows = agent.batch_size * sum(phase.horizon * phase.updates for phase in agent.curriculum)
    yield f"#   time, generate: {hours(building + count * steps * parts.step)}"
    yield f"#   time, extract: {hours(replaying + building + count * describing + drawing)}"
    yield f"#   time, train-noa: {hours(windows * parts.window, agent.microbatches)}"
    if replaying:
        yield f"#   time, replay before train-noa: {hours(replaying)}"
    if agent.extra_operators:
        share = agent.extra_realizations / realizations
        beyond = agent.extra_operators * (parts.setup + agent.extra_steps * share * parts.step)
        yield f"#   time, replay of the extra operators: {hours(beyond)}"


def trained(profile: Profile) -> float:
    """Operators to train on, those in held-out groups counted too."""
    sample = profile["sample"]
    return sample.num_operators * sample.split.train / sample.split.cycle


def further(profile: Profile) -> float:
    """Further draws of them, each replayed and described by `extract`."""
    return trained(profile) * profile["extract"].further_draws


def stored(profile: Profile) -> int:
    """Steps of all operators together that `generate.store` keeps on disk."""
    count, steps = profile["sample"].num_operators, profile["generate"].steps
    match profile["generate"].store:
        case "all":
            return count * steps
        case "none":
            return 0
        case blocks:
            kept = np.zeros(count, dtype=np.int64)
            for block in blocks:
                rows = slice(0, block.operators)
                kept[rows] = np.maximum(kept[rows], block.steps or steps)
            return int(kept.sum())


def hours(seconds: float, cores: int = CORES) -> str:
    """Hours on one core and on several, as if none waited for another."""
    return f"{short(seconds / HOUR)} h on 1 core, {short(seconds / HOUR / cores)} h on {cores}"


def gb(size: float) -> str:
    """Bytes, in gigabytes."""
    return f"{short(size / GB)} GB"


def short(number: float) -> str:
    """Three digits, without an exponent below a million."""
    return f"{float(f'{number:.3g}'):g}"


def disk(profile: Profile, parts: Parts) -> Iterator[str]:
    """Gigabytes of files; DVC's cache and the store of shards may hold one more copy each."""
    count, steps = profile["sample"].num_operators, profile["generate"].steps
    none = count * parts.start
    everything = none + count * parts.rollout
    here = none + stored(profile) * parts.rollout / steps
    rows = count + further(profile)
    described = rows * (parts.start + sum(feature_values(profile)) * (FLOAT + 1))  # 1: the mask
    yield (
        f"#   disk, rollouts: {gb(everything)} with store: all, {gb(none)} with "
        f"none, {gb(here)} here; features: {gb(described)}"
    )


def feature_values(profile: Profile) -> tuple[int, int]:
    """Values of an operator in `features.h5`: per trajectory, and aggregated."""
    steps, realizations = profile["generate"].steps, profile["generate"].realizations
    summary = len(names.names("summary", profile["extract"].summary_groups))
    temporal = len(names.names("temporal", profile["extract"].temporal_groups))
    single = summary + steps * temporal
    return realizations * single, len(names.AGGREGATES) * summary + steps * temporal


def memory(profile: Profile, parts: Parts) -> Iterator[str]:
    """Gigabytes of the largest arrays in the stages that hold much."""
    sample, generate, agent = (profile[name] for name in ("sample", "generate", "train_noa"))
    shard = 2 * generate.shard_size * parts.rollout  # a list of rollouts, and their stack
    described = 2 * sample.num_operators * feature_values(profile)[0] * FLOAT  # parts, joined
    held = trained(profile) * generate.realizations * (generate.steps + 1) * parts.start
    longest = max(phase.horizon for phase in agent.curriculum)
    graph = agent.batch_size * min(agent.gradient_steps, longest) * parts.graph
    yield (
        f"#   memory, generate: {gb(shard)} a worker; extract: {gb(described)}; "
        f"train-noa: {gb(held)} of rollouts, {gb(graph)} of graph"
    )


if __name__ == "__main__":
    main()
