"""From files to what training needs, and from its history to metrics."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spinlock import runtime
from spinlock.noa import conditioning, extra, losses, windows
from spinlock.noa.conditioning import Columns
from spinlock.noa.config import Config
from spinlock.noa.losses import Space
from spinlock.noa.model import Agent, initialized
from spinlock.noa.training import MASKED, Data, chosen
from spinlock.noa.windows import Windows
from spinlock.operators import cnn
from spinlock.operators.u_afno import check_grid
from spinlock.refusals import Refusal
from spinlock.rollout.index import Index, open_rollouts
from spinlock.rollout.stream import rollouts
from spinlock.sampling import table
from spinlock.sampling.table import Operators
from spinlock.tokenizer import model as tokenizer_model
from spinlock.tokenizer.model import Tokenizer


def prepare(
    paths: tuple[Path, Path, Path], config: Config, seed: int, workers: int
) -> tuple[Agent, Data]:
    """An untrained agent and what it learns from.

    Args:
        paths: operator table, folder of rollouts, tokenizer.
        config: section `train_noa`.
        seed: root seed.
        workers: processes, if the rollouts have to be replayed.

    Raises:
        Refusal: the files do not fit each other or the config, or a split is empty.
    """
    operators, index = table.read(paths[0]), open_rollouts(paths[1])
    tokenizer = losses.freeze(tokenizer_model.load(paths[2]))
    train, validation = (operators.take(operators.rows(s)) for s in ("train", "validation"))
    columns = conditioning.fit(train)
    agent = initialized(config, columns, operators.channels, seed)
    _check(agent, operators, index, tokenizer)
    sets = [
        windows.collect(
            some,
            conditioning.standardized(some, columns),
            rollouts(some, paths[1], workers=workers),
            config.normalize,
            config.context_steps,
        )
        for some in (train, validation)
    ]
    space = Space(tokenizer=tokenizer, bound=index.bound, commit_to=config.alignment.commit_to)
    beyond = _extra(paths[0], config, columns, index, workers) if config.extra_operators else None
    return agent, Data(train=sets[0], extra=beyond, validation=sets[1], space=space)


def _extra(path: Path, config: Config, columns: Columns, index: Index, workers: int) -> Windows:
    """The further training operators, replayed; says how long that took."""
    start = time.monotonic()
    some = extra.operators(path, config.extra_operators)
    found = windows.collect(
        some,
        conditioning.standardized(some, columns),
        extra.rollouts(some, index, config.extra_steps, config.extra_realizations, workers),
        config.normalize,
        config.context_steps,
    )
    runtime.note(
        f"train-noa: {len(some)} extra operators, {config.extra_steps} steps each, replayed in "
        f"{time.monotonic() - start:.0f} s"
    )
    return found


def metrics(
    agent: Agent,
    data: Data,
    history: Sequence[Mapping[str, float]],
    heads: Mapping[str, float],
) -> dict[str, float | int | None]:
    """Metrics `noa/…`: validation scores of the best update, training losses as they were last.

    `head_r2_…` are the R² of the feature heads on validation operators.
    `val_loss` is L_traj on validation operators over the curriculum's last horizon;
    `masked_predictions` counts the predictions beyond the bound that alignment left out.
    """
    best = chosen(history, agent.config)
    found: dict[str, float | int | None] = {
        f"noa/{name}": value for name, value in best.items() if name.startswith("val_")
    }
    for name in ("trajectory_loss", "latent_loss", "commitment_loss", "code_loss"):
        values = [record[name] for record in history if name in record]
        found[f"noa/{name}"] = values[-1] if values else None
    found |= {f"noa/{name}": value for name, value in heads.items()}
    masked = sum(record[MASKED] for record in history if MASKED in record)
    return found | {
        "noa/masked_predictions": int(masked),
        "noa/updates": agent.config.updates,
        "noa/best_update": int(best["update"]),
        "noa/parameters": sum(parameter.numel() for parameter in agent.parameters()),
        "noa/train_operators": len(data.train),
        "noa/extra_operators": agent.config.extra_operators,
        "noa/diverged_realizations": int(np.sum(data.train.lengths < data.train.steps)),
    }


def _check(agent: Agent, operators: Operators, index: Index, tokenizer: Tokenizer) -> None:
    """Refuse what cannot be trained, before any work."""
    shape, config = agent.backbone.shape, agent.config
    check_grid(shape.encoder_levels, operators.grid_size)
    seen = max(
        (
            cnn.receptive_field(theta, operators.grid_size)
            for theta in operators.theta
            if theta.operator_type == "cnn"  # what others see beyond, the agent sees as they do
        ),
        default=1,
    )
    if shape.receptive_field < seen:
        raise Refusal(
            "train_noa.backbone.dilations: before the first stride the agent must see at least "
            f"the {seen} cells that an operator sees, got {shape.receptive_field}"
        )
    config.check_steps(index.steps)
    if tokenizer.num_steps != index.steps:
        raise Refusal(
            f"tokenizer: fitted on {tokenizer.num_steps} steps, the rollouts have {index.steps} "
            "(dvc repro)"
        )
