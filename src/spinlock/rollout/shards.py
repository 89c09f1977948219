"""Rollouts on disk: shards of consecutive operators, and the folder with their index."""

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from spinlock import artifacts, runtime
from spinlock.refusals import Refusal
from spinlock.rollout.config import Config, stored_steps
from spinlock.rollout.engine import check, roll_out
from spinlock.rollout.together import roll_out_together
from spinlock.sampling.table import Operators
from spinlock.store import Shard, digest_of

KIND = "rollout-shard"
INDEX = "index.json"
CPU = torch.device("cpu")
SIZES = ("num_layers", "base_channels", "kernel_size", "encoder_levels")  # of the weight basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker needs to compute one shard."""

    operators: Operators
    config: Config
    stored_steps: int  # of each operator
    device: torch.device  # on the CPU one operator at a time, else those of a shard together


def plan(operators: Operators, config: Config, device: torch.device = CPU) -> list[Shard]:
    """Cut the table into shards, each with a hash of all that its bytes depend on.

    Args:
        operators: the operator table.
        config: section `generate`.
        device: where they are computed.

    Raises:
        Refusal: an operator cannot be rolled out, or not on that device; see `engine.check`.
    """
    check(operators)
    if device != CPU and config.precision != "float32":
        raise Refusal(
            f"generate.precision: {config.precision} is for runtime.device cpu; "
            f"{device.type} computes in float32"
        )
    code = runtime.code_fingerprint()
    shards = []
    for piece in pieces(len(operators), config):
        some = operators.take(slice(piece.start, piece.stop))
        work = Work(
            operators=some,
            config=config,
            stored_steps=stored_steps(config.store, config.steps, int(some.ids[0])),
            device=device,
        )
        key = runtime.fingerprint("rollouts", code, _provenance(work), identities(some))
        name = f"operators {some.ids[0]} … {some.ids[-1]}"
        shards.append(Shard(key=key, work=work, name=name))
    return shards


def pieces(count: int, config: Config) -> list[range]:
    """The rows of each shard: `shard_size` of them, cut where another number of steps is stored."""
    cuts = {*range(0, count, config.shard_size), count}
    if not isinstance(config.store, str):
        cuts |= {b.operators for b in config.store if b.operators and b.operators < count}
    return [range(*pair) for pair in itertools.pairwise(sorted(cuts))]


def _provenance(work: Work) -> dict[str, object]:
    """The parameters on which the bytes of a shard depend, beside the operators."""
    return {
        "steps": work.config.steps,
        "realizations": work.config.realizations,
        "bound": work.config.bound,
        "precision": work.config.precision,
        "stored_steps": work.stored_steps,
        "device": _name(work.device),
    }


def _name(device: torch.device) -> str:
    """What the bytes depend on: `cpu`, or the model of the accelerator."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


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
    operators = work.operators
    if work.device == CPU:
        rollouts = [roll_out(operators, row, work.config) for row in range(len(operators))]
    else:
        rollouts = roll_out_together(operators, work.config, work.device)
    with artifacts.writing(path, KIND, _provenance(work)) as sink:
        sink.put("operator", operators.ids, "N")
        sink.put("identity", identities(operators), "N")
        sink.put("u0", torch.stack([r.u0 for r in rollouts]).numpy(), "N C H W", units=["1"])
        diverged_at = torch.stack([r.diverged_at for r in rollouts]).numpy()
        sink.put("diverged_at", diverged_at, "N R", units=["steps"])
        if work.stored_steps:
            u = torch.stack([r.u[:, : work.stored_steps] for r in rollouts]).numpy()
            sink.put("u", u, "N R T C H W", units=["1"])


def assemble(operators: Operators, config: Config, paths: Sequence[Path], folder: Path) -> None:
    """Copy the shards of a table into one folder and write their index, all at once or not at all.

    Args:
        operators: the whole table; ids count from 0.
        config: what the shards were made with.
        paths: the shards in the order of the table, as the store gave them.
        folder: where they will stand, such as `data/rollouts`.

    Raises:
        Refusal: the disk does not let it be written.
        ValueError: the ids are not 0 … N - 1.
    """
    if operators.ids.tolist() != list(range(len(operators))):
        raise ValueError("assemble: expected a whole table, with ids 0 … N - 1")
    with artifacts.replacing(folder) as beside:
        beside.mkdir()
        entries: list[dict[str, object]] = []
        for path, piece in zip(paths, pieces(len(operators), config), strict=True):
            name = f"shard-{len(entries):05d}.h5"
            shutil.copyfile(path, beside / name)
            entries.append(
                {
                    "file": name,
                    "first": piece.start,
                    "count": len(piece),
                    "sha256": digest_of(path),
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
        "store": asdict(config)["store"],
        "shapes": {
            "u0": frame,
            "u": [config.realizations, config.steps, *frame],
            "diverged_at": [config.realizations],
        },
        "shards": entries,
    }
