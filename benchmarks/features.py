"""What features cost: by the field, beside the rollout, beside their oracles, and in memory."""

import importlib
import multiprocessing
import resource
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from clock import timed
from spinlock import params, runtime
from spinlock.features import extract, shards
from spinlock.features.config import Config as Extract
from spinlock.features.names import DEFAULT_SUMMARY, DEFAULT_TEMPORAL
from spinlock.rollout import engine
from spinlock.rollout.config import Config
from spinlock.rollout.last_step import last_step
from spinlock.sampling import table
from spinlock.sampling.table import Operators

STEPS, REALIZATIONS, CHANNELS = 64, 3, 3  # of the trajectories that are timed
SIZES = (32, 64)  # cells per axis
REPETITIONS = 15
FRAMES = 2  # fields that each oracle of a step describes
TESTS = str(Path(__file__).parents[1] / "tests")
FEW, MANY = 2, 16  # operators described, for the peak of memory


def measure(operators: Operators, config: Config) -> dict[str, float]:
    """All figures.

    `features/us_per_field[_32]`: microseconds of one core per field of 64² (32²) and three
    channels, all default groups but what the one-step map costs. `features/oracle_ratio`: the same
    columns one by one by the oracles of the tests, over that, on fields of 32²; > 1 is faster.
    `features/rollout_share`: what the stage does, INITIAL and the one-step map included, over the
    rollout's time, all operators together. `features/memory_ratio`: peak memory of describing 16
    operators over that of 2.
    """
    costs = {size: cost(trajectories(size)) for size in SIZES}
    return {
        "features/us_per_field": costs[64],
        "features/us_per_field_32": costs[32],
        "features/oracle_ratio": oracle_cost(trajectories(32)) / costs[32],
        "features/rollout_share": share(operators, config),
        "features/memory_ratio": peak(MANY) / peak(FEW),
    }


def trajectories(size: int) -> Float[Tensor, "R T+1 C H W"]:
    """Gaussian fields, smooth and rough, that forget: u_0 … u_T."""
    generator = torch.Generator().manual_seed(0)
    shape = (REALIZATIONS, STEPS + 1, CHANNELS, size, size)
    ky, kx = torch.fft.fftfreq(size, 1 / size)[:, None], torch.fft.rfftfreq(size, 1 / size)
    noise = torch.fft.rfft2(torch.randn(shape, generator=generator))
    kicks = torch.fft.irfft2(noise / (1 + ky**2 + kx**2), s=(size, size))
    frames = [kicks[:, 0]]
    for step in range(1, STEPS + 1):
        frames.append(0.9 * frames[-1] + 0.4 * kicks[:, step])
    return torch.stack(frames, 1)


def cost(u: Float[Tensor, "R T+1 C H W"]) -> float:
    """Microseconds per field; the median of some repetitions."""
    before, after = u[:, 0].contiguous(), u[:, 1:].contiguous()
    work = partial(extract.describe, after, before, DEFAULT_SUMMARY, DEFAULT_TEMPORAL, None)
    work()
    return 1e6 * statistics.median(timed(work)[0] for _ in range(REPETITIONS)) / (len(u) * STEPS)


def oracle_cost(u: Float[Tensor, "R T+1 C H W"]) -> float:
    """Microseconds per field of the oracles of the tests, each column by itself, in float64."""
    path = u[0].double()
    frames = path[1 : 1 + FRAMES].numpy()
    channels = frames.reshape(-1, *frames.shape[-2:])
    of_fields = spent(oracles("oracles_field", "SPATIAL"), channels)
    of_fields += spent(oracles("oracles_field", "SPECTRAL"), channels)
    of_fields += spent(oracles("test_features_cross_channel"), frames)
    of_paths = spent(oracles("oracles_series", "SERIES"), [path.numpy()])
    of_paths += spent(oracles("test_features_causality"), [path[1:]])
    of_paths += spent(oracles("test_features_drift"), [path[1:]])
    return 1e6 * (of_fields / FRAMES + of_paths / STEPS)


def oracles(module: str, table_name: str = "ORACLES") -> Iterable[Callable[..., object]]:
    """The functions of a module of the tests that compute one column each."""
    if TESTS not in sys.path:
        sys.path.append(TESTS)
    return getattr(importlib.import_module(module), table_name).values()


def spent(functions: Iterable[Callable[..., object]], values: Sequence[object]) -> float:
    """Seconds for all functions of all values."""
    return timed(lambda: [function(value) for function in functions for value in values])[0]


def share(operators: Operators, config: Config) -> float:
    """Time to describe some operators over the time to roll them out."""
    settings = params.load("extract", Extract)
    starts = torch.stack([engine.initial_condition(operators, i) for i in range(len(operators))])
    describing, rolling = timed(lambda: extract.initial(starts))[0], 0.0
    for row in range(len(operators)):
        of_rollout, rollout = timed(partial(roll_out, operators, row, config))
        of_features, _ = timed(partial(describe, operators, row, config, settings, rollout))
        rolling += of_rollout
        describing += of_features
    return describing / rolling


def roll_out(operators: Operators, row: int, config: Config) -> engine.Rollout:
    """What stage generate does."""
    return engine.roll_out(operators, row, config)


def describe(
    operators: Operators, row: int, config: Config, settings: Extract, rollout: engine.Rollout
) -> object:
    """What stage extract does of one operator, INITIAL apart."""
    return shards.describe(rollout, settings, last_step(operators, row, config))


def peak(count: int) -> float:
    """Peak resident memory of a fresh process that describes so many operators."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(describe_some, (count,))


def describe_some(count: int) -> float:
    """Roll out and describe operators one by one; peak memory of this process, KiB."""
    runtime.single_thread()
    config, settings = params.load("generate", Config), params.load("extract", Extract)
    operators = table.read("data/operators.h5")
    for row in range(count):
        describe(operators, row, config, settings, roll_out(operators, row, config))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
