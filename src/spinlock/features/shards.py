"""Features of some consecutive operators: described from the stream, kept in the store."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32

from spinlock import artifacts, runtime
from spinlock.features import extract
from spinlock.features.config import Config
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import Index
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
    """Some operators, one trajectory at a time; NaN where a value does not exist."""

    fields: Float32[np.ndarray, "N C H W"]  # u0
    initial: Float32[np.ndarray, "N D"]
    summary: Float32[np.ndarray, "N R D"]
    temporal: Float32[np.ndarray, "N R T D"]
    diverged: Bool[np.ndarray, "N R"]

    @property
    def valid(self) -> Bool[np.ndarray, "N"]:
        """Whether no realization diverged."""
        return np.logical_not(self.diverged.any(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker needs to describe one shard."""

    operators: Operators
    folder: Path  # of the rollouts
    config: Config


def plan(operators: Operators, index: Index, config: Config, batch_size: int) -> list[Shard]:
    """Cut the table into pieces of `batch_size`; each has a hash of all that it depends on."""
    code = runtime.code_fingerprint()
    made_with = (index.steps, index.realizations, index.bound, asdict(config))
    shards = []
    for first in range(0, len(operators), batch_size):
        piece = operators.take(slice(first, first + batch_size))
        end = first + len(piece)
        read = [
            entry.sha256
            for entry in index.contents.shards
            if entry.first < end and first < entry.first + entry.count
        ]
        key = runtime.fingerprint("features", code, made_with, read, identities(piece))
        work = Work(operators=piece, folder=index.folder, config=config)
        shards.append(Shard(key=key, work=work))
    return shards


def compute(work: Work, path: Path) -> None:
    """Describe the operators of one shard and write what was found."""
    stream = rollouts(work.operators, work.folder)
    parts = [describe(rollout, work.config) for rollout in stream]
    found = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    found["initial"] = extract.initial(torch.from_numpy(found["fields"])).numpy()
    with artifacts.writing(path, KIND, asdict(work.config)) as sink:
        for name, axes in AXES.items():
            sink.put(f"{name}/values", found[name], axes)


def describe(rollout: Rollout, config: Config) -> dict[str, np.ndarray]:
    """One operator, all its realizations; those that diverged have no features but INITIAL."""
    diverged = rollout.diverged_at > 0
    u0 = rollout.u0.expand(len(diverged), *rollout.u0.shape)
    groups = config.summary_groups, config.temporal_groups
    summary, temporal = extract.describe(rollout.u, u0, *groups, None)
    summary[diverged], temporal[diverged] = torch.nan, torch.nan
    return {
        "fields": rollout.u0.numpy(),
        "summary": summary.numpy(),
        "temporal": temporal.numpy(),
        "diverged": diverged.numpy(),
    }


def read(paths: Sequence[Path]) -> Described:
    """Join shards, in order.

    Raises:
        Refusal: a shard is missing or damaged.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in AXES}
    for path in paths:
        with artifacts.reading(path, KIND) as source:
            for name, axes in AXES.items():
                parts[name].append(source.raw(f"{name}/values", axes))
    return Described(**{name: np.concatenate(found) for name, found in parts.items()})
