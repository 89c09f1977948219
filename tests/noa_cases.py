"""A small agent, and the small finished run of `evaluation_case` to train it on."""

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import evaluation_case
from spinlock.noa import conditioning, losses, training, windows
from spinlock.noa.config import Alignment, Backbone, Config, HeadsConfig, Phase
from spinlock.noa.losses import Space
from spinlock.noa.model import Agent, initialized
from spinlock.noa.training import Data, Record

SEED = 3
BACKBONE = Backbone(
    base_channels=8,
    stem_kernel=3,
    block_kernel=3,
    dilations=(1, 4),
    encoder_levels=2,
    blocks_per_level=1,
    afno_blocks=1,
    modes=4,
    mixing_groups=2,
    kernels=2,
    embedding_dim=8,
    dropout=0.1,
)
ALIGNMENT = Alignment(
    updates=4,
    learning_rate=1e-3,
    horizon=3,
    every=2,
    batch_size=4,
    gradient_steps=2,
    latent_weight=0.1,
    commitment_weight=0.5,
    commit_to="nearest",
    tolerance=0.0,
)
CONFIG = Config(
    backbone=BACKBONE,
    integrator="policy",
    certainty=True,
    context_steps=0,
    normalize="displacement",
    precision="float32",
    batch_size=8,
    microbatches=2,
    extra_operators=0,
    extra_steps=4,
    extra_realizations=1,
    curriculum=(Phase(horizon=1, updates=6), Phase(horizon=3, updates=2)),
    gradient_steps=2,
    initial_share=0.25,
    noise_injection=0.1,
    objective="mse",
    learning_rate=3e-3,
    warmup=2,
    weight_decay=1e-4,
    clip=1.0,
    validate_every=2,
    alignment=ALIGNMENT,
    heads=HeadsConfig(updates=0, width=8, learning_rate=1e-2, weight_decay=0.0),
)


def data(folder: Path, context_steps: int = 0) -> Data:
    """The training and validation operators of a small run, and its tokenizer."""
    sources = evaluation_case.sources(folder)
    operators = sources.operators
    train, validation = (operators.take(operators.rows(s)) for s in ("train", "validation"))
    columns = conditioning.fit(train)
    sets = [
        windows.collect(
            some,
            conditioning.standardized(some, columns),
            (sources.index.read(some, row) for row in range(len(some))),
            CONFIG.normalize,
            context_steps,
        )
        for some in (train, validation)
    ]
    space = Space(
        tokenizer=losses.freeze(sources.tokenizer), bound=sources.index.bound, commit_to="nearest"
    )
    return Data(train=sets[0], extra=None, validation=sets[1], space=space)


def agent(**changes: object) -> Agent:
    """An untrained agent for the operators of `evaluation_case`."""
    operators = evaluation_case.table()
    columns = conditioning.fit(operators.take(operators.rows("train")))
    return initialized(replace(CONFIG, **changes), columns, evaluation_case.CHANNELS, SEED)


def trained(
    data: Data, executor: Executor, folder: Path | None = None
) -> tuple[Agent, list[Record]]:
    """An agent after a short training, and its history."""
    made = agent()
    return made, list(training.fit(made, data, SEED, executor, folder))
