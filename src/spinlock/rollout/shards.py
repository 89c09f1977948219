"""Rollouts on disk: shards of consecutive operators, and the folder with their index."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from spinlock import artifacts, runtime
from spinlock.rollout.config import Config
from spinlock.rollout.engine import check, roll_out
from spinlock.sampling.table import Operators
from spinlock.store import Shard

KIND = "rollout-shard"
INDEX = "index.json"
SIZES = ("num_layers", "base_channels", "kernel_size", "encoder_levels")  # of the weight basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker needs to compute one shard."""

    operators: Operators
    config: Config


def plan(operators: Operators, config: Config) -> list[Shard]:
    """Cut the table into shards, each with a hash of all that its bytes depend on.

    Raises:
        Refusal: an operator cannot be rolled out; see `engine.check`.
    """
    check(operators)
    code = runtime.code_fingerprint()
    settings = asdict(config)  # with the shard size, which the operators listed imply anyway
    starts = range(0, len(operators), config.shard_size)
    pieces = [operators.take(slice(start, start + config.shard_size)) for start in starts]
    return [
        Shard(
            key=runtime.fingerprint("rollouts", code, settings, identities(piece)),
            work=Work(operators=piece, config=config),
        )
        for piece in pieces
    ]


def identities(operators: Operators) -> list[str]:
    """A hash for each operator of all that determines its rollouts, [N]."""
    space = (
        operators.seed,
        operators.channels,
        operators.grid_size,
        operators.max_width,
        operators.weights,
        *(operators.largest(name) for name in SIZES),
    )
    rows = zip(
        operators.ids.tolist(),
        operators.weights_z.tolist(),
        operators.theta,
        operators.ic_types,
        strict=True,
    )
    return [runtime.fingerprint(space, i, z, asdict(theta), ic) for i, z, theta, ic in rows]


def compute(work: Work, path: Path) -> None:
    """Roll out the operators of one shard and write it."""
    operators, config = work.operators, work.config
    rows = range(len(operators))
    rollouts = [roll_out(operators, row, config) for row in rows]
    with artifacts.writing(path, KIND, asdict(config)) as sink:
        sink.put("operator", operators.ids, "N")
        sink.put("identity", identities(operators), "N")
        sink.put("u0", torch.stack([r.u0 for r in rollouts]).numpy(), "N C H W", units=["1"])
        diverged_at = torch.stack([r.diverged_at for r in rollouts]).numpy()
        sink.put("diverged_at", diverged_at, "N R", units=["steps"])
        if config.store == "all":
            u = torch.stack([r.u for r in rollouts]).numpy()
            sink.put("u", u, "N R T C H W", units=["1"])


def assemble(operators: Operators, config: Config, paths: Sequence[Path], folder: Path) -> None:
    """Copy the shards of a table into one folder and write their index, all at once or not at all.

    Args:
        operators: the whole table; ids count from 0.
        config: what the shards were made with.
        paths: the shards in the order of the table.
        folder: where they will stand, such as `data/rollouts`.

    Raises:
        ValueError: the ids are not 0 … N - 1.
    """
    if operators.ids.tolist() != list(range(len(operators))):
        raise ValueError("assemble: expected a whole table, with ids 0 … N - 1")
    with artifacts.replacing(folder) as beside:
        beside.mkdir()
        entries = []
        for number, path in enumerate(paths):
            name, first = f"shard-{number:05d}.h5", number * config.shard_size
            shutil.copyfile(path, beside / name)
            entries.append(
                {
                    "file": name,
                    "first": first,
                    "count": min(config.shard_size, len(operators) - first),
                    "sha256": digest(beside / name),
                }
            )
        artifacts.write_json(beside / INDEX, _index(operators, config, entries))


def _index(
    operators: Operators, config: Config, entries: list[dict[str, object]]
) -> dict[str, object]:
    frame = [operators.channels, operators.grid_size, operators.grid_size]
    return {
        "steps": config.steps,
        "realizations": config.realizations,
        "bound": config.bound,
        "precision": config.precision,
        "store": config.store,
        "shapes": {
            "u0": frame,
            "u": [config.realizations, config.steps, *frame],
            "diverged_at": [config.realizations],
        },
        "shards": entries,
    }


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
