"""Fitting the feature heads to the finished agent."""

from concurrent.futures import Executor

import torch
from torch import Tensor

from spinlock.noa import heads, losses
from spinlock.noa.heads import Embeddings, Heads, Inside
from spinlock.noa.model import Agent
from spinlock.noa.training import Data
from spinlock.noa.validation import CHUNK, REALIZATION
from spinlock.noa.windows import Windows, take
from spinlock.randomness import integer_seed
from spinlock.tokenizer.model import Tokenizer


def add_heads(agent: Agent, data: Data, seed: int, executor: Executor) -> dict[str, float]:
    """Fit the heads on the training operators and give them to the agent.

    Args:
        agent: the finished one; its own weights do not move.
        data: training and validation rollouts, and the tokenizer.
        seed: root seed.
        executor: from `parallel.threads`.

    Returns:
        R² of each family's embedding on the validation operators; nothing without heads.
    """
    config = agent.config.heads
    if not config.updates:
        return {}
    inside, target = _observe(agent, data.train, data.space.tokenizer, executor)
    sizes = inside.bottleneck.shape[-1], inside.skips.shape[-1]
    dims = {name: values.shape[1] for name, values in target.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(seed, "noa/heads"))
        agent.heads = Heads(sizes, dims, config.width)
    heads.fit(agent.heads, inside, target, config)
    agent.heads.eval().requires_grad_(False)
    inside, target = _observe(agent, data.validation, data.space.tokenizer, executor)
    found = agent.heads(inside)
    return {f"head_r2_{name}": heads.r2(found[name], target[name]) for name in target}


def _observe(
    agent: Agent, windows: Windows, tokenizer: Tokenizer, executor: Executor
) -> tuple[Inside, Embeddings]:
    """What the agent sees on its rollouts, and the embeddings of the true ones.

    Of operators whose realization 0 stays bounded.
    """
    whole = torch.from_numpy(windows.lengths[:, REALIZATION] == windows.steps).nonzero()[:, 0]
    parts = list(
        executor.map(
            lambda rows: _observe_rows(agent, windows, tokenizer, rows), whole.split(CHUNK)
        )
    )
    inside = Inside(
        bottleneck=torch.cat([own.bottleneck for own, _ in parts]),
        skips=torch.cat([own.skips for own, _ in parts]),
    )
    return inside, {name: torch.cat([own[name] for _, own in parts]) for name in parts[0][1]}


@torch.no_grad()
def _observe_rows(
    agent: Agent, windows: Windows, tokenizer: Tokenizer, rows: Tensor
) -> tuple[Inside, Embeddings]:
    first = windows.context_steps
    places = [(windows, int(row), REALIZATION, first) for row in rows]
    batch = take(places, windows.steps - first)
    inside = agent.inside(batch.given, batch.start, windows.steps - first)
    frames = windows.fields[rows, REALIZATION]
    view = losses.single_view(frames[:, 1:], frames[:, 0], tokenizer.cleaner, None)
    return inside, tokenizer.embeddings(tokenizer.cleaner.apply(view, smooth=False))
