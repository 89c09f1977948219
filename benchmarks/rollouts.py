"""What rollouts cost: beside plain modules, beside the machine's peak, on two processes, in memory.

Ratios are of processor time, measured in turn on the same operators; > 1 is faster. Those of
processes are of wall time and want two free cores.
"""

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from clock import timed
from spinlock import check, params, profiles, runtime, store
from spinlock.operators import cnn
from spinlock.operators.build import build as build_operator
from spinlock.operators.build import num_parameters
from spinlock.operators.convolution import DTYPES, Precision
from spinlock.rollout import engine, policies, shards
from spinlock.rollout.config import Config
from spinlock.sampling import build
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta

WIDE = "space_cnn12"  # profile of the 12-parameter space
DESIGN = 512  # operators among which ten are chosen
TEN = 10  # operators: the middle ones of tenths by number of weights
REALIZATIONS = 3
STEPS, REPETITIONS = 3, 3  # of what is timed of each operator, in turn
PAIRS = 3  # repetitions of each comparison of processes
SHARDS = 10  # of one operator again and again, with which processes are compared
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
PEAK_SHAPES = ((64, 7), (128, 5), (256, 3), (256, 7))  # channels, kernel
MANY = 32  # operators of the default space

Measured = dict[str, float]


def measure(config: Config) -> Measured:
    """All figures, with the default space's way to roll out."""
    ten, many = spread(wide(), TEN), spread(default(), MANY)
    return {
        **against_plain(ten),
        **against_plain(spread(many, TEN), "rollout/default"),
        **processes(
            many.take([MANY // 2] * (SHARDS * 4)), replace(config, shard_size=4), "rollout"
        ),
        **processes(
            ten.take([TEN - 3] * SHARDS), replace(config, shard_size=1, steps=16), "rollout/wide"
        ),
        **memory(config),
        **scaling(spread(many, 3), config),
        **counts(many, config),
    }


def wide() -> Operators:
    """Operators of the 12-parameter space, laid out as its profile says."""
    return laid_out(profiles.merge(params.read(), profiles.load(WIDE)))


def default() -> Operators:
    """Operators of the default space."""
    return laid_out(params.read())


def laid_out(tree: Mapping[str, object]) -> Operators:
    """The first operators of a design."""
    seed, sample = (params.parse(name, tree, check.SECTIONS[name]) for name in ("seed", "sample"))
    return build.build(seed, replace(sample, num_operators=DESIGN))


def spread(operators: Operators, count: int) -> Operators:
    """The middle operators of so many equal parts of the distribution of the number of weights."""
    sizes = [num_parameters(operators, theta) for theta in operators.theta]
    order = sorted(range(len(operators)), key=sizes.__getitem__)
    return operators.take([order[(2 * i + 1) * len(order) // (2 * count)] for i in range(count)])


def against_plain(some: Operators, name: str = "rollout") -> Measured:
    """Steps of operators, ours in both precisions, beside plain float32 modules.

    `…_ratio` is the sum of the plain times over that of ours, `…_ratio_median` the median over
    operators. `…_peak_share` counts the multiplications that direct convolutions would take, and
    can exceed 1: products in Fourier space take fewer. The peak is that of the best convolution
    of `PEAK_SHAPES` in the same precision, prepared by nobody and padded beforehand.
    """
    times = [of_operator(some, row) for row in range(len(some))]
    work = sum(operations(some, theta) for theta in some.theta)
    found: Measured = {}
    for precision in PRECISIONS:
        ratios = [each["plain"] / each[precision] for each in times]
        total = sum(each[precision] for each in times)
        best = peak(precision)
        found |= {
            f"{name}/{precision}_ratio": sum(each["plain"] for each in times) / total,
            f"{name}/{precision}_ratio_median": statistics.median(ratios),
            f"{name}/{precision}_ms_per_step": 1e3 * total / len(some),
            f"{name}/{precision}_peak_share": work / total / best,
            f"peak/{precision}_gflops": best / 1e9,
        }
    return found


def of_operator(operators: Operators, row: int) -> Mapping[str, float]:
    """Seconds of one step of all realizations, three ways, in turn; medians."""
    ways: dict[str, Callable[[], object]] = {
        "plain": plain_steps(operators, row),
        **{precision: our_steps(operators, row, precision) for precision in PRECISIONS},
    }
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(REPETITIONS + 1):
        for way, work in ways.items():
            spent[way].append(timed(work)[0] / STEPS)
    return {way: statistics.median(found[1:]) for way, found in spent.items()}


def our_steps(operators: Operators, row: int, precision: Precision) -> Callable[[], object]:
    """Some steps of all realizations together, from u0."""
    operator = build_operator(operators, row, precision)
    advance = engine.step_map(operator)
    u0 = engine.initial_condition(operators, row)

    def work() -> Tensor:
        u = u0.expand(REALIZATIONS, *u0.shape).contiguous()
        for step in range(1, STEPS + 1):
            u = advance(u, operator.chance.at(step, STEPS, REALIZATIONS, 0))
        return u

    return work


def plain_steps(operators: Operators, row: int) -> Callable[[], object]:
    """The same from torch's own modules, with white noise, one realization after the other."""
    theta = operators.theta[row]
    network = plain_network(theta, operators.channels, operators.max_width)
    keep, gain = policies.coefficients(theta)
    generator = torch.Generator().manual_seed(0)
    u0 = engine.initial_condition(operators, row)[None]

    @torch.no_grad()
    def work() -> Tensor:
        for _ in range(REALIZATIONS):
            u = u0
            for _ in range(STEPS):
                noise = torch.randn(u.shape, generator=generator)
                u = keep * u + gain * (network(u) + theta.noise_scale * noise)
        return u

    return work


def plain_network(theta: Theta, channels: int, max_width: int) -> nn.Module:
    """Conv blocks as a textbook would write them; the weights' values do not change the time."""
    layers: list[nn.Module] = []
    inputs = channels
    for width in cnn.widths(theta.num_layers, theta.base_channels, max_width):
        pad = theta.kernel_size // 2
        layers += [
            nn.Conv2d(inputs, width, theta.kernel_size, padding=pad, padding_mode="circular"),
            nn.InstanceNorm2d(width),
            nn.GELU(),
            nn.Dropout2d(theta.dropout_rate),
        ]
        inputs = width
    return nn.Sequential(*layers, nn.Conv2d(inputs, channels, 1))


def operations(operators: Operators, theta: Theta) -> float:
    """Multiplications and additions of one step with direct convolutions."""
    return 2.0 * num_parameters(operators, theta) * operators.grid_size**2 * REALIZATIONS


def peak(precision: Precision) -> float:
    """Operations per second of the fastest convolution of some usual shapes."""
    return max(throughput(channels, size, DTYPES[precision]) for channels, size in PEAK_SHAPES)


@torch.no_grad()
def throughput(channels: int, kernel_size: int, dtype: torch.dtype) -> float:
    """Operations per second of one convolution, channels last."""
    side = 64 + kernel_size - 1
    x = torch.ones(REALIZATIONS, channels, side, side, dtype=dtype)
    weight = torch.ones(channels, channels, kernel_size, kernel_size, dtype=dtype)
    x, weight = (one.contiguous(memory_format=torch.channels_last) for one in (x, weight))
    work = partial(functional.conv2d, x, weight)
    work()
    spent = statistics.median(timed(work)[0] for _ in range(REPETITIONS))
    return 2 * REALIZATIONS * 64**2 * weight.numel() / spent


def processes(some: Operators, config: Config, name: str) -> Measured:
    """`…_per_second_1`, `_2`: rollouts by one process and by two; `workers2_ratio`: their ratio.

    In shards, as `generate` makes them, all of equal cost, so that no process waits at the end.
    """
    plan = shards.plan(some, config)
    ways: dict[int, store.Executor] = {1: store.sequential, 2: store.Processes(2)}
    spent: dict[int, list[float]] = {count: [] for count in ways}
    for _ in range(PAIRS):
        for count, execute in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                made = execute(plan, store.Task(shards.compute, Path(folder)))
                spent[count].append(warm(made, len(plan)) / config.shard_size)
    one, two = (statistics.median(found) for found in spent.values())
    return {
        f"{name}/per_second_1": 1 / one,
        f"{name}/per_second_2": 1 / two,
        f"{name}/workers2_ratio": one / two,
    }


def warm(made: Iterator[object], total: int) -> float:
    """Seconds per shard after the first two, which wait for the processes to start."""
    for _ in islice(made, 2):
        pass
    start = time.perf_counter()
    for _ in made:
        pass
    return (time.perf_counter() - start) / (total - 2)


def memory(config: Config) -> Measured:
    """Megabytes: of a rollout on disk, and the peaks of processes of their own.

    `…_idle` has imported all and laid the wide table out; `…_widest` has rolled out its operator
    of most weights besides, in float32.
    """
    table = wide()
    values = table.channels * table.grid_size**2 * config.steps * config.realizations
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        idle, widest = (pool.apply(resident, (roll, config)) for roll in (False, True))
    return {
        "rollout/mb_stored": 4e-6 * values,
        "rollout/mb_idle": idle,
        "rollout/mb_widest": widest,
    }


def resident(roll: bool, config: Config) -> float:
    """Megabytes at most of this process, after a rollout or without one."""
    runtime.single_thread()
    widest = spread(wide(), DESIGN).take([DESIGN - 1])
    if roll:
        engine.roll_out(widest, 0, replace(config, steps=STEPS))
    # getrusage would tell the peak of the parent, which outlasts exec
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(status.split()[0]) / 1e3


def scaling(some: Operators, config: Config) -> Measured:
    """Milliseconds per operator and step of the default space, at several T and grids."""
    found: Measured = {}
    for steps in (16, 64, 256):
        found[f"rollout/ms_per_step_T{steps}"] = per_step(some, replace(config, steps=steps))
    for size in (32, 64, 128):
        sized = replace(some, grid_size=size)
        found[f"rollout/ms_per_step_grid{size}"] = per_step(sized, replace(config, steps=16))
    return found


def counts(many: Operators, config: Config) -> Measured:
    """Milliseconds per operator and step of the default space, at two N."""
    short = replace(config, steps=16)
    return {
        f"rollout/ms_per_step_N{count}": per_step(spread(many, count), short) for count in (8, MANY)
    }


def per_step(some: Operators, config: Config) -> float:
    """Milliseconds of processor time per operator and step, building included."""
    rows: Sequence[int] = range(len(some))
    spent, _ = timed(lambda: [engine.roll_out(some, row, config) for row in rows])
    return 1e3 * spent / (len(some) * config.steps)
