"""A small whole run in a folder, by the stages themselves, and ways to damage its files."""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from closure import ROOT, STAGES
from spinlock import params, profiles
from spinlock.validation import bytes_of

TABLE, ROLLOUTS, FEATURES = "data/operators.h5", "data/rollouts", "data/features.h5"
FURTHER = "data/further.h5"
CLEAN, CLEANER, CATEGORIES = "data/clean.h5", "models/cleaner.h5", "data/categories.json"
TOKENIZER, TOKENS, AGENT = "models/tokenizer.pt", "data/tokens.h5", "models/noa.pt"
METRICS = "metrics/sample.json"
ALL = (
    TABLE, ROLLOUTS, FEATURES, FURTHER, CLEAN, CLEANER, CATEGORIES, TOKENIZER, TOKENS, AGENT,
    METRICS,
)  # fmt: skip
SMALL = {
    "sample": {"num_operators": 48, "block_size": 16},
    "generate": {"steps": 8, "realizations": 2, "shard_size": 16},
    "extract": {"summary_groups": ["temporal"], "temporal_groups": ["spatial"]},
    "discover_categories": {"method": "semantic"},
    "train_vqvae": {"temporal_bins": 4, "warmup_epochs": 1, "epochs": 1},
    "runtime": {"executor": "sequential", "workers": 1},
}
IDLE = profiles.params.read(ROOT / "profiles" / "idle_agent.yaml")
RUN = {
    "sample": (TABLE, METRICS),
    "generate": (TABLE, ROLLOUTS, "metrics/generate.json"),
    "extract": (TABLE, ROLLOUTS, FEATURES, FURTHER, "metrics/extract.json"),
    "clean": (
        FEATURES, FURTHER, CLEAN, CLEANER, "metrics/clean.json", "data/clean_columns.csv",
    ),
    "discover_categories": (CLEAN, "mappings", CATEGORIES, "metrics/discover_categories.json"),
    "train_vqvae": (
        CLEAN, FURTHER, CLEANER, CATEGORIES, TOKENIZER, TOKENS, "metrics/train_vqvae.json",
        "plots/vqvae",
    ),
    "train_noa": (TABLE, ROLLOUTS, TOKENIZER, AGENT, "metrics/train_noa.json", "plots/noa"),
}  # fmt: skip


def build(folder: Path) -> Path:
    """Run the stages there, and write the lock file that DVC would."""
    tree = params.read(ROOT / "params.yaml")
    for overlay in (params.read(ROOT / "profiles" / "smoke.yaml"), IDLE, SMALL):
        tree = profiles.merge(tree, overlay)
    (folder / "params.yaml").write_text(json.dumps(tree))
    sys.path.insert(0, str(STAGES))
    with chdir(folder):
        for name in RUN:
            run(name)
    sys.path.remove(str(STAGES))
    outs = [{"path": path, "md5": bytes_of.md5(folder / path)} for path in ALL]
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"all": {"outs": outs}}}))
    return folder


def run(name: str) -> None:
    """Run a stage in the working folder; the folder of the stages must be on the path."""
    spec = importlib.util.spec_from_file_location(name, STAGES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(*map(Path, RUN[name]))


Change = Callable[[np.ndarray], None]


def dataset(name: str, change: Change) -> Callable[[Path], None]:
    """Change the values of a dataset in place; checksums are made anew, as by who meant it."""

    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = file[name][...]
            change(values)
            file[name][...] = values

    return damage


def put(index: object, value: object) -> Change:
    """Set some values."""
    return lambda values: values.__setitem__(index, value)


def columns(name: str, change: Callable[[list[str]], None]) -> Callable[[Path], None]:
    """Change the names of the columns of a dataset."""

    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            names = json.loads(file[name].attrs["columns"])
            change(names)
            file[name].attrs["columns"] = json.dumps(names)

    return damage


def flip(name: str) -> Callable[[Path], None]:
    """Flip a bit of a dataset on the disk."""

    def damage(path: Path) -> None:
        with h5py.File(path, "r") as file:
            offset = file[name].id.get_chunk_info(0).byte_offset
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)

    return damage


def truncate(path: Path) -> None:
    """Lose the second half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def listed(damage: Callable[[Path], None], number: int = 0) -> Callable[[Path], None]:
    """Damage a shard and write its new hash into the index."""

    def both(folder: Path) -> None:
        path = folder / f"shard-{number:05d}.h5"
        damage(path)
        index = json.loads((folder / "index.json").read_text())
        index["shards"][number]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "index.json").write_text(json.dumps(index))

    return both


def tree(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Change a JSON file."""

    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def checkpoint(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Change a checkpoint."""

    def damage(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return damage
