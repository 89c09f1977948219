"""Speeds as ratios, measured in one run: `make bench` writes results.json and results.md here.

Absolute times of a shared machine say little; each ratio compares two ways of doing the same work,
in turn, and is the median over the pairs. Needs what `make repro` made.
"""

import os
import platform
from pathlib import Path

import torch

import agent
import features
import rollouts
import tokenizer
from spinlock import artifacts, params, runtime
from spinlock.rollout.config import Config
from spinlock.sampling import table

FOLDER = Path(__file__).parent


def main() -> None:
    """Measure and write."""
    runtime.single_thread()
    operators = table.read("data/operators.h5")
    config = params.load("generate", Config)
    many = operators.take(range(0, len(operators), len(operators) // 32))
    measured = {
        **rollouts.measure(config),
        **features.measure(many, config),
        **tokenizer.measure(),
        **agent.measure(),
    }
    rounded = {name: artifacts.rounded(value, 3) for name, value in measured.items()}
    artifacts.write_json(FOLDER / "results.json", {"machine": machine(), "results": rounded})
    rows = [f"| `{name}` | {value:g} |" for name, value in rounded.items()]
    lines = [
        "# Speeds",
        "",
        f"{machine()}. Made by `make bench`; the functions that measure say what each is.",
        "What bfloat16 does to features: precision.md, made by precision.py.",
        "",
    ]
    (FOLDER / "results.md").write_text(
        "\n".join([*lines, "| what | value |", "|---|---|", *rows, ""])
    )


def machine() -> str:
    """What the figures were measured on."""
    capability = torch.backends.cpu.get_cpu_capability()
    flags = Path("/proc/cpuinfo").read_text().split()
    half = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags]
    instructions = ", ".join([capability, *half])
    return f"{os.cpu_count()} × {platform.machine()} ({instructions}), torch {torch.__version__}"


if __name__ == "__main__":
    main()
