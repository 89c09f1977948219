"""The `spinlock` command: it looks at what stages made and uses it; it makes no result."""

import argparse
import csv
import sys
from pathlib import Path

import h5py
import numpy as np

from spinlock import artifacts
from spinlock.cleaning import raw
from spinlock.refusals import Refusal
from spinlock.tokenizer import model

SCORECARD = Path("plots/scorecard.csv")


def main() -> None:
    """Parse the command line and answer; a refusal is one line and exit status 2."""
    options = _parser().parse_args()
    try:
        print(options.answer(options))
    except Refusal as refusal:
        sys.exit(_say(refusal))
    except BrokenPipeError:
        sys.exit(0)


def _say(refusal: Refusal) -> int:
    print(f"spinlock: {refusal}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spinlock", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    info = commands.add_parser("info", help="what an artefact is: shapes, names, parameters")
    info.add_argument("path", type=Path)
    info.set_defaults(answer=lambda options: describe(options.path))

    tokens = commands.add_parser("tokenize", help="tokens of every operator of a features file")
    tokens.add_argument("features", type=Path)
    tokens.add_argument("--tokenizer", type=Path, default=Path("models/tokenizer.pt"))
    tokens.set_defaults(answer=lambda options: tokenize(options.features, options.tokenizer))

    card = commands.add_parser("scorecard", help="the scorecard of the last evaluation")
    card.add_argument("path", type=Path, nargs="?", default=SCORECARD)
    card.set_defaults(answer=lambda options: scorecard(options.path))
    return parser


def describe(path: Path) -> str:
    """Say what a file or folder is that a stage wrote.

    Raises:
        Refusal: missing, or not one of ours.
    """
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
    with artifacts.reading(path, _kind(path)) as source:
        lines = [f"{path}: {_kind(path)}"]
        for name in source.names():
            shape, axes, kind = source.layout(name)
            lines.append(f"  {name}  [{', '.join(map(str, shape))}]  {axes}  {kind}")
        return "\n".join([*lines, f"  made by: {source.provenance}"])


def _kind(path: Path) -> str:
    """The kind that an HDF5 file says it is; whether that is true, `reading` checks."""
    try:
        with h5py.File(path, "r") as file:
            if "kind" not in file.attrs:
                raise Refusal(f"{path}: a foreign HDF5 file")
            return str(file.attrs["kind"])
    except OSError as error:
        raise Refusal(f"{path}: not found, not HDF5, or truncated ({error})") from None


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


def tokenize(features: Path, tokenizer: Path) -> str:
    """Tokens of every operator as TSV: a row an operator, a column a category and level."""
    learned = model.load(tokenizer)
    source = raw.read(features)
    learned.cleaner.check(source.names, str(features))
    tokens = learned.encode(source.aggregated).numpy()
    header = ["operator_id", *learned.token_names]
    rows = np.column_stack([source.metadata.operator_id, tokens])
    return "\n".join("\t".join(map(str, row)) for row in [header, *rows.tolist()])


def scorecard(path: Path) -> str:
    """The scorecard as an aligned table."""
    if not path.is_file():
        raise Refusal(f"{path}: not found; `make repro` makes it")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise Refusal(f"{path}: empty; `make repro` makes it")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    main()
