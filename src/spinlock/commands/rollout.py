"""`spinlock rollout`: roll an operator out again."""

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np

from spinlock import artifacts, runtime
from spinlock.commands import operators
from spinlock.refusals import Refusal
from spinlock.rendering import caption, ensemble, source
from spinlock.rollout.config import Config
from spinlock.rollout.engine import Rollout
from spinlock.sampling.table import Operators

HEADLINE_STEPS = (0, 1, 8, 32, 64)  # and the last


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which operator, and where to write."""
    operators.add_arguments(parser)
    parser.add_argument("--out", type=Path, help="an .h5 for u0 and u")


def answer(options: argparse.Namespace) -> str:
    """Roll one operator out from the table alone; say how it goes, and write it if asked to.

    Raises:
        Refusal: the operator, a file or its name cannot be right.
    """
    if options.out is not None and (options.out.suffix != ".h5" or options.out.is_dir()):
        raise Refusal(f"{options.out}: expected the name of an .h5 file")
    operator = source.operator(options.operators, options.operator_id)
    settings = operators.settings(options)
    runtime.single_thread()
    found = source.replayed(operator, settings)
    if options.out is not None:
        _write(options.out, operator, found, settings)
    return "\n".join(
        [
            f"{caption.title(operator)}; T = {settings.steps}, R = {settings.realizations}",
            f"  {caption.parameters(operator)}",
            *_course(found),
            f"  {caption.fate(found)}",
        ]
    )


def _course(found: Rollout) -> list[str]:
    """Mean and standard deviation of u over realizations, channels and domain, by step."""
    u = ensemble.frames(found).astype(np.float64)
    last = u.shape[1] - 1
    lines = [f"{'step':>6} {'mean':>11} {'std':>11} {'alive':>6}"]
    for step in sorted({*(step for step in HEADLINE_STEPS if step < last), last}):
        alive = u[np.isfinite(u[:, step]).all((-3, -2, -1)), step]
        mean, std = (f"{alive.mean():.4g}", f"{alive.std():.4g}") if len(alive) else ("–", "–")
        lines.append(f"{step:>6} {mean:>11} {std:>11} {len(alive):>6}")
    return lines


def _write(path: Path, operator: Operators, found: Rollout, settings: Config) -> None:
    """u0, u (NaN from the step of divergence on) and that step; 0 = never."""
    made_by = {
        "generate": asdict(settings),
        "operator": found.operator,
        "seed": operator.seed,
        "theta": asdict(operator.theta[0]),
        "initial_condition": operator.ic_types[0],
    }
    with artifacts.writing(path, "rollout", made_by) as sink:
        sink.put("u0", found.u0.numpy(), "C H W", units=["1"])
        sink.put("u", found.u.numpy(), "R T C H W", units=["1"])
        sink.put("diverged_at", found.diverged_at.numpy(), "R", units=["steps"])
