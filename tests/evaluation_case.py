"""A small finished run to evaluate: rollouts, features, a tokenizer after k-means, and an agent."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import operator_cases
import synthetic_features
import tokenizer_cases
from spinlock import store
from spinlock.categories.grouping import Grouping
from spinlock.cleaning import cleanset, fitting, raw
from spinlock.evaluation.config import Config
from spinlock.evaluation.consistency import Sources
from spinlock.features import files
from spinlock.features import shards as feature_shards
from spinlock.features.config import Config as ExtractConfig
from spinlock.rollout import shards
from spinlock.rollout.config import Config as GenerateConfig
from spinlock.rollout.index import Index, open_rollouts
from spinlock.sampling.table import Operators

SPLITS = ("train", "train", "train", "validation", "test", "held_out")
LABELS = ("band_limited_low", "sinusoids", "localized")
STEPS, CHANNELS, GRID = 8, 3, 16
CONFIG = Config(
    num_bootstraps=100,
    num_pair_bootstraps=20,
    num_permutations=19,
    min_operators=8,
    headline_steps=(1, 4, 64),
    num_identity_operators=10,
    num_mean_operators=5,
    num_ensemble_operators=0,
    ensemble_members=2,
    batch_size=4,
    valid_vrmse=0.5,
    num_init=1,
    rate_codebook_sizes=(2,),
)


class Agent(nn.Module):
    """An agent whose predictions are given by a function of the operators and u0."""

    def __init__(self, predict: Callable[[Operators, Tensor, int], Tensor]) -> None:
        super().__init__()
        self.predict = predict
        self.weight = nn.Parameter(torch.zeros(CHANNELS, CHANNELS, 1, 1))
        self.neutral, self.context_steps = torch.zeros(1), 0

    def told(self, theta: Operators) -> Tensor:
        return torch.arange(len(theta))[:, None].float()

    def rollout(
        self,
        theta: Operators,
        u0: Tensor,
        steps: int,
        context: Tensor | None = None,
        *,
        age: int = 0,
        told: Tensor | None = None,
    ) -> Tensor:
        unmoved = u0
        for _ in range(steps):  # so that a step costs what it must, by the counter
            unmoved = unmoved + nn.functional.conv2d(unmoved, self.weight.detach())
        return self.predict(theta, unmoved, steps)

    def step_map(
        self, operators: Operators, age: int, context: Tensor | None = None
    ) -> Callable[[Tensor], Tensor]:
        return lambda u: self.rollout(operators, u, 1)[:, 0]


def oracle(index: Index) -> Agent:
    """An agent that knows realization 0."""
    return Agent(
        lambda operators, u0, steps: torch.stack(
            [index.read(operators, row).u[0, :steps] for row in range(len(operators))]
        )
    )


def idle() -> Agent:
    """An agent that never changes anything."""
    return Agent(lambda operators, u0, steps: u0[:, None].expand(-1, steps, -1, -1, -1))


def table(count: int = 72) -> Operators:
    """Operators of two policies and three initial conditions, a sixth of them held out."""
    thetas = [
        operator_cases.theta(
            update_policy=("convex", "residual")[row % 2],
            kernel_size=(1, 3, 5)[row % 3],
            noise_scale=0.01 * (1 + row % 7),
            dropout_rate=0.0,
            alpha=0.2 + 0.6 * row / count,
            dt=0.5,
        )
        for row in range(count)
    ]
    split = tuple(SPLITS[row // 2 % len(SPLITS)] for row in range(count))
    return operator_cases.table(
        *thetas,
        ic_types=tuple(LABELS[row // 4 % 3] for row in range(count)),
        split=split,
        held_out=(np.array(split) == "held_out")[:, None],
        held_out_groups=("theta_corner",),
        grid_size=GRID,
    )


def sources(folder: Path) -> Sources:
    """The whole run, with the agent that knows the truth."""
    operators = table()
    settings = GenerateConfig(
        steps=STEPS, realizations=2, bound=1e3, store="all", precision="float32", shard_size=8
    )
    paths = store.fill(shards.plan(operators, settings), shards.compute, folder / "s", 1, "test")
    shards.assemble(operators, settings, paths, folder / "rollouts")
    index = open_rollouts(folder / "rollouts")
    groups = ExtractConfig(
        further_draws=1,
        max_operators=None,
        summary_groups=("temporal",),
        temporal_groups=("spatial", "spectral"),
    )
    plan = feature_shards.plan(operators, index, groups, 3)
    paths = store.fill(plan, feature_shards.compute, folder / "s", 1, "test")
    files.write(folder / "f.h5", operators, feature_shards.read(paths, operators), index, groups)
    features = raw.read(folder / "f.h5")
    more, again = feature_shards.plan_further(operators, index, groups, 3)
    paths = store.fill(more, feature_shards.compute, folder / "s", 1, "test")
    described = feature_shards.read(paths, again)
    files.write(folder / "g.h5", again, described, index, groups, raw.FURTHER)
    further = raw.read(folder / "g.h5", raw.FURTHER)
    train = features.aggregated.take(features.metadata.rows("train"))
    cleaner = fitting.fit(train, features.names, synthetic_features.THRESHOLDS)
    cleaned = cleanset.clean(features, cleaner)
    tokenizer = tokenizer_cases.started(
        cleaner, cleaned, levels="allocated", codebook_size=6, latent_dim=4
    )
    return Sources(
        operators=operators,
        index=index,
        cleaned=cleaned,
        further=cleaner.apply(
            further.aggregated.take(further.metadata.rows("train")), smooth=False
        ),
        grouping=Grouping(categories=tokenizer.mapping, pools=tokenizer.mapping, trees={}),
        tokenizer=tokenizer,
        agent=oracle(index),
    )


def with_agent(given: Sources, agent: Agent) -> Sources:
    """The same run with another agent."""
    return replace(given, agent=agent)
