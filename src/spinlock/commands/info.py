"""`spinlock info`: what a file of a stage is."""

import argparse
from pathlib import Path

from spinlock import artifacts
from spinlock.refusals import Refusal
from spinlock.validation import bytes_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A path."""
    parser.add_argument("path", type=Path)


def answer(options: argparse.Namespace) -> str:
    """Shapes, names and parameters."""
    return describe(options.path)


def describe(path: Path) -> str:
    """Say what a file or folder is that a stage wrote.

    Raises:
        Refusal: missing, or not one of ours; if it is not what dvc.lock lists, with the remedy.
    """
    try:
        return _described(path)
    except Refusal as refusal:
        raise Refusal(f"{refusal}{bytes_of.remedy(path)}") from None


def _described(path: Path) -> str:
    if path.is_dir():
        path = path / "index.json"
    if path.suffix == ".json":
        return _describe_json(path)
    if path.suffix == ".h5":
        return _describe_hdf5(path)
    if path.suffix == ".pt":
        return _describe_checkpoint(path)
    raise Refusal(f"{path}: expected a .h5, .pt or .json file of a stage, or data/rollouts")


def _describe_json(path: Path) -> str:
    content = artifacts.read_object(path)
    lines = []
    for key, value in content.items():
        size = f"{len(value)} entries" if isinstance(value, dict | list) else value
        lines.append(f"  {key}: {size}")
    return "\n".join([str(path), *lines])


def _describe_hdf5(path: Path) -> str:
    with artifacts.reading(path, bytes_of.kind(path)) as source:
        lines = [f"{path}: {bytes_of.kind(path)}"]
        for name in source.names():
            shape, axes, kind = source.layout(name)
            lines.append(f"  {name}  [{', '.join(map(str, shape))}]  {axes}  {kind}")
        return "\n".join([*lines, f"  made by: {source.provenance}"])


def _describe_checkpoint(path: Path) -> str:
    content = artifacts.load_checkpoint(path)
    lines = [f"{path}: {content['kind']}"]
    lines += [f"  {key}: {_sketch(value)}" for key, value in content.items() if key != "kind"]
    return "\n".join(lines)


def _sketch(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f"{len(value)} entries"
    if hasattr(value, "shape"):
        return f"tensor {list(value.shape)}"
    return str(value)
