"""Speeds as ratios, measured in one run: `make bench` writes results.json and results.md here.

Absolute times of a shared machine say little; each ratio compares two ways of doing the same work,
in turn, and is the median over the pairs. Needs what `make repro` made.
"""

import os
import platform
import statistics
import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn

import features
from clock import timed
from spinlock import artifacts, params, runtime
from spinlock.cleaning import raw
from spinlock.operators.cnn import widths
from spinlock.rollout import engine, policies, stream
from spinlock.rollout.config import Config
from spinlock.sampling import table
from spinlock.sampling.table import Operators
from spinlock.sampling.theta import Theta
from spinlock.tokenizer import model

FOLDER = Path(__file__).parent
PAIRS = 3  # repetitions of each comparison


def main() -> None:
    """Measure and write."""
    runtime.single_thread()
    operators = table.read("data/operators.h5")
    config = params.load("generate", Config)
    few, many = (
        operators.take(range(0, len(operators), len(operators) // count)) for count in (10, 32)
    )
    measured = {
        **rollout(few, config),
        **workers(many, config),
        **features.measure(many, config),
        **tokenizer(),
    }
    rounded = {name: artifacts.rounded(value, 3) for name, value in measured.items()}
    artifacts.write_json(FOLDER / "results.json", {"machine": machine(), "results": rounded})
    rows = [f"| `{name}` | {value:g} |" for name, value in rounded.items()]
    lines = ["# Speeds", "", f"{machine()}. Made by `make bench`; see run.py for what each is.", ""]
    (FOLDER / "results.md").write_text(
        "\n".join([*lines, "| what | value |", "|---|---|", *rows, ""])
    )


def machine() -> str:
    """What the figures were measured on."""
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{os.cpu_count()} × {platform.machine()} ({capability}), torch {torch.__version__}"


def rollout(some: Operators, config: Config) -> dict[str, float]:
    """`rollout/float32_ratio`: ours against plain modules, one realization after the other.

    Plain time over our time, > 1 is faster.
    """
    ratios = []
    for index in range(len(some)):
        ours, _ = timed(partial(features.roll_out, some, index, config))
        plain, _ = timed(partial(plainly, some, index, config))
        ratios.append(plain / ours)
    return {"rollout/float32_ratio": statistics.median(ratios)}


def plainly(operators: Operators, index: int, config: Config) -> Tensor:
    """The same architecture from torch's own modules, white noise, one realization at a time."""
    theta, channels = operators.theta[index], operators.channels
    network = plain_network(theta, channels, operators.max_width)
    keep, gain = policies.coefficients(theta)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(config.realizations):
            u = engine.initial_condition(operators, index)[None]
            for _ in range(config.steps):
                noise = torch.randn(u.shape, generator=generator)
                u = keep * u + gain * (network(u) + theta.noise_scale * noise)
    return u


def plain_network(theta: Theta, channels: int, max_width: int) -> nn.Module:
    """Conv blocks as a textbook would write them; the weights' values do not change the time."""
    layers: list[nn.Module] = []
    inputs = channels
    for width in widths(theta.num_layers, theta.base_channels, max_width):
        pad = theta.kernel_size // 2
        layers += [
            nn.Conv2d(inputs, width, theta.kernel_size, padding=pad, padding_mode="circular"),
            nn.InstanceNorm2d(width),
            nn.GELU(),
            nn.Dropout2d(theta.dropout_rate),
        ]
        inputs = width
    return nn.Sequential(*layers, nn.Conv2d(inputs, channels, 1))


def workers(some: Operators, config: Config) -> dict[str, float]:
    """`rollout/workers2_ratio`: time of one process over that of two, both warm, > 1 is faster."""
    times = {count: [] for count in (1, 2)}
    for _ in range(PAIRS):
        for count, found in times.items():
            found.append(warm(stream.replay(some, config, 0, count), len(some)))
    return {"rollout/workers2_ratio": statistics.median(times[1]) / statistics.median(times[2])}


def warm(rollouts: Iterator[object], total: int) -> float:
    """Seconds per rollout after the first two, which wait for the processes to start."""
    for _ in islice(rollouts, 2):
        pass
    start = time.perf_counter()
    for _ in rollouts:
        pass
    return (time.perf_counter() - start) / (total - 2)


def tokenizer() -> dict[str, float]:
    """`tokenizer/encode_per_second`: operators per second and core, from raw features."""
    learned, raw_features = (
        model.load("models/tokenizer.pt"),
        raw.read("data/features.h5").aggregated,
    )
    times = [timed(lambda: learned.encode(raw_features))[0] for _ in range(PAIRS)]
    return {"tokenizer/encode_per_second": len(raw_features) / statistics.median(times)}


if __name__ == "__main__":
    main()
