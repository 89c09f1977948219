"""Features of some consecutive operators: described from the stream, kept in the store."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32

from spinlock import artifacts, runtime
from spinlock.features import extract, names
from spinlock.features.config import Config
from spinlock.features.summary.trajectories import Step
from spinlock.rollout.engine import Rollout, initial_condition
from spinlock.rollout.index import Index, open_rollouts
from spinlock.rollout.last_step import last_step
from spinlock.rollout.shards import identities
from spinlock.rollout.stream import rollouts
from spinlock.sampling.table import Operators
from spinlock.store import Shard

KIND = "feature-shard"
AXES = {
    "fields": "N C H W",
    "initial": "N D",
    "summary": "N R D",
    "temporal": "N R T D",
    "diverged": "N R",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Described:
    """All operators, one trajectory at a time; NaN where a value does not exist."""

    fields: Float32[np.ndarray, "N C H W"]  # u0
    initial: Float32[np.ndarray, "N D"]
    summary: Float32[np.ndarray, "N R D"]
    temporal: Float32[np.ndarray, "N R T D"]
    diverged: Bool[np.ndarray, "N R"]
    known: Bool[np.ndarray, "N"]  # whether its rollout was described: not beyond `max_operators`

    def take(self, rows: slice) -> "Described":
        """Some of the rows."""
        return Described(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    @property
    def valid(self) -> Bool[np.ndarray, "N"]:
        """Whether the rollout was described and no realization diverged."""
        return self.known & ~self.diverged.any(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker needs to describe one shard."""

    operators: Operators
    folder: Path  # of the rollouts
    config: Config
    draw: int  # 0 is the data; see `engine.roll_out`


def plan(operators: Operators, index: Index, config: Config, batch_size: int) -> list[Shard]:
    """Cut what is wanted into pieces of `batch_size`; each has a hash of all it depends on."""
    wanted = operators.take(slice(config.max_operators))
    return _cut(wanted, index, config, batch_size, draw=0)


def plan_further(
    operators: Operators, index: Index, config: Config, batch_size: int
) -> tuple[list[Shard], Operators]:
    """The same for further draws of the training operators, and which operator each row is.

    All training operators with the first draw, then all with the second, and so on; of a partial
    set those that are described.
    """
    described = operators.take(slice(config.max_operators))
    train = described.take(described.rows("train"))
    draws = range(1, config.further_draws + 1)
    shards = [shard for draw in draws for shard in _cut(train, index, config, batch_size, draw)]
    return shards, train.take(np.tile(np.arange(len(train)), len(draws)))


def _cut(
    operators: Operators, index: Index, config: Config, batch_size: int, draw: int
) -> list[Shard]:
    """Pieces of one draw; the first reads the stored rollouts, any other replays its own."""
    code, shards = runtime.code_fingerprint(), []
    settings = (index.steps, index.realizations, index.bound, index.precision)
    for first in range(0, len(operators), batch_size):
        piece = operators.take(slice(first, first + batch_size))
        stored = [] if draw else _stored(index, first, len(piece))
        made_with = settings, _groups(config), draw, stored
        key = runtime.fingerprint("features", code, made_with, identities(piece))
        work = Work(operators=piece, folder=index.folder, config=config, draw=draw)
        name = f"operators {piece.ids[0]} … {piece.ids[-1]}" + (f", draw {draw}" if draw else "")
        shards.append(Shard(key=key, work=work, name=name))
    return shards


def _stored(index: Index, first: int, count: int) -> list[str]:
    """Hashes of the rollout files that hold some consecutive operators of the table."""
    return [
        entry.sha256
        for entry in index.contents.shards
        if entry.first < first + count and first < entry.first + entry.count
    ]


def _groups(config: Config) -> dict[str, tuple[str, ...]]:
    return {"summary_groups": config.summary_groups, "temporal_groups": config.temporal_groups}


def compute(work: Work, path: Path) -> None:
    """Describe the operators of one shard and write what was found."""
    index = open_rollouts(work.folder)
    needs_step = names.needs_step(work.config.summary_groups)
    parts = []
    for row, rollout in enumerate(rollouts(work.operators, work.folder, draw=work.draw)):
        step = last_step(work.operators, row, index, work.draw) if needs_step else None
        parts.append(describe(rollout, work.config, step))
    found = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    found["initial"] = extract.initial(torch.from_numpy(found["fields"])).numpy()
    with artifacts.writing(path, KIND, _groups(work.config)) as sink:
        for name, axes in AXES.items():
            sink.put(f"{name}/values", found[name], axes)


def describe(rollout: Rollout, config: Config, step: Step | None) -> dict[str, np.ndarray]:
    """One operator, all its realizations; those that diverged have no features but INITIAL."""
    diverged = rollout.diverged_at > 0
    u0 = rollout.u0.expand(len(diverged), *rollout.u0.shape)
    summary, temporal = extract.describe(rollout.u, u0, **_groups(config), step=step)
    summary[diverged], temporal[diverged] = torch.nan, torch.nan
    return {
        "fields": rollout.u0.numpy(),
        "summary": summary.numpy(),
        "temporal": temporal.numpy(),
        "diverged": diverged.numpy(),
    }


def read(paths: Sequence[Path], operators: Operators) -> Described:
    """Join shards, in order; of the operators that they leave out only u0 and INITIAL are known.

    Raises:
        Refusal: a shard is missing or damaged.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in AXES}
    for path in paths:
        with artifacts.reading(path, KIND) as source:
            for name, axes in AXES.items():
                parts[name].append(source.raw(f"{name}/values", axes))
    found = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    rest = range(len(found["initial"]), len(operators))
    known = np.arange(len(operators)) < len(found["initial"])
    if rest:
        found = {
            name: np.concatenate([found[name], more])
            for name, more in _left_out(operators, rest, found).items()
        }
    return Described(known=known, **found)


def _left_out(
    operators: Operators, rows: Sequence[int], found: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What is known of operators without a rollout."""
    fields = torch.stack([initial_condition(operators, row) for row in rows])
    absent = {
        name: np.full((len(rows), *found[name].shape[1:]), np.nan, np.float32)
        for name in ("summary", "temporal")
    }
    return {
        "fields": fields.numpy(),
        "initial": extract.initial(fields).numpy(),
        **absent,
        "diverged": np.zeros((len(rows), found["diverged"].shape[1]), dtype=bool),
    }
