"""Training of the agent beside the same network trained plainly, and what its step costs."""

import multiprocessing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from clock import timed
from spinlock import params, runtime
from spinlock.noa import conditioning, extra, model, training, windows
from spinlock.noa.config import Config
from spinlock.noa.model import Agent
from spinlock.noa.parallel import gradients, threads
from spinlock.noa.windows import Windows
from spinlock.randomness import stream
from spinlock.rollout.index import Index, open_rollouts
from spinlock.rollout.stream import rollouts
from spinlock.sampling import table
from spinlock.sampling.table import Operators

OPERATORS = 32  # whose windows are drawn
EXTRA = 8  # replayed, to know what one costs
UPDATES = 2  # timed at each horizon


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What both ways of training share."""

    agent: Agent
    operators: Operators
    windows: Windows
    index: Index
    config: Config


def measure() -> dict[str, float]:
    """`noa/train_ratio`, `noa/ms_per_window_step`, `noa/step_ratio` and `noa/train_mb`.

    The ratio compares windows per second over the whole curriculum, on one core: stored rollouts
    and extra operators replayed once, in the precision of params.yaml, against float32 and, for
    each window, a replay of one realization of its operator from u0 up to the window's last step.
    `noa/step_ratio` is the time of an agent's step over that of an operator's, one field each.
    """
    case = _case(params.load("train_noa", Config))
    plain = replace(case, agent=_agent(replace(case.config, precision="float32"), case.operators))
    ours = _replaying(case)
    theirs = steps = 0.0
    for phase in case.config.curriculum:
        spent = timed(partial(_learn, case, phase.horizon))[0] / UPDATES
        inline = timed(partial(_learn, plain, phase.horizon))[0] / UPDATES
        ours += phase.updates * spent
        theirs += phase.updates * (inline + _inline(case, phase.horizon))
        steps += phase.updates * phase.horizon * case.config.batch_size
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        peak = pool.apply(resident, (case.config,))
    return {
        "noa/train_ratio": theirs / ours,
        "noa/ms_per_window_step": 1e3 * ours / steps,
        "noa/step_ratio": _step_ratio(case),
        "noa/train_mb": peak,
    }


def resident(config: Config) -> float:
    """Megabytes at most of a process that makes an update at the curriculum's last horizon."""
    runtime.single_thread()
    case = _case(config)
    _learn(case, config.curriculum[-1].horizon)
    # getrusage would tell the peak of the parent, which outlasts exec
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(status.split()[0]) / 1e3


def _case(config: Config) -> Case:
    operators, folder = table.read("data/operators.h5"), Path("data/rollouts")
    some = operators.take(operators.rows("train")[:OPERATORS])
    agent = _agent(config, some)
    held = windows.collect(some, agent.told(some), rollouts(some, folder), config.normalize, 0)
    return Case(
        agent=agent, operators=some, windows=held, index=open_rollouts(folder), config=config
    )


def _agent(config: Config, some: Operators) -> Agent:
    return model.initialized(config, conditioning.fit(some), some.channels, some.seed)


def _learn(case: Case, horizon: int) -> None:
    """Some updates on windows in memory."""
    parameters, count = list(case.agent.parameters()), case.config.microbatches
    with threads(1) as pool:
        for update in range(UPDATES):
            rng = stream(0, "bench/noa", step=update)
            batch = windows.draw([case.windows], case.config.batch_size, horizon, 0.2, rng)
            parts = [
                partial(training.supervised, case.agent, part, torch.Generator(), 1 / count)
                for part in batch.split(count)
            ]
            gradients(parts, parameters, pool)


def _inline(case: Case, horizon: int) -> float:
    """Seconds to replay the windows of one update: u_1 … u_(t+h) of one realization each."""
    rng = stream(0, "bench/inline", step=horizon)
    last = case.index.steps - horizon
    steps = [int(rng.integers(last + 1)) + horizon for _ in range(EXTRA)]
    spent = sum(
        timed(partial(_replay, case.operators.take([row]), case.index, count))[0]
        for row, count in enumerate(steps)
    )
    return spent * case.config.batch_size / EXTRA


def _replay(some: Operators, index: Index, steps: int) -> None:
    for row in range(len(some)):
        extra.first_steps(some, row, settings=index, steps=steps, realizations=1)


def _replaying(case: Case) -> float:
    """Seconds to replay the extra operators."""
    some, config = case.operators.take(slice(EXTRA)), case.config
    if not config.extra_operators:
        return 0.0
    spent = timed(partial(_replay, some, case.index, config.extra_steps))[0]
    return spent * config.extra_realizations * config.extra_operators / EXTRA


def _step_ratio(case: Case) -> float:
    """Time of a step of the agent over that of an operator, median-sized operators of the table."""
    some, steps = case.operators.take(slice(EXTRA)), case.index.steps
    u0 = case.windows.fields[:EXTRA, 0, 0]
    own = sum(
        timed(lambda row=row: case.agent.rollout(some.take([row]), u0[[row]], steps))[0]
        for row in range(EXTRA)
    )
    return own / timed(partial(_replay, some, case.index, steps))[0]
