"""Compare finished runs: spread of their scores, agreement of categories and tokens, rate curve.

`PYTHONPATH=src python benchmarks/runs.py RUN RUN … [-o FOLDER]`; a RUN is a folder that holds a
finished pipeline, or a revision of Git: a commit, or the name of an experiment of DVC, of which
the tables are read from Git and data from DVC's cache. Prints the tables; with a folder, writes
there `rate_distortion.csv` and `.png` of all runs, such as those of
`dvc exp run --queue -S train_vqvae.codebook_size=4,8,16,64`.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import dvc.api
import numpy as np

from spinlock import artifacts
from spinlock.evaluation import stability
from spinlock.plots import files, rate
from spinlock.tokenizer import report
from stability import table

METRICS = ("metrics/train_vqvae.json", "metrics/evaluate.json", "metrics/discover_categories.json")
CURVE = "plots/evaluate/rate_distortion.csv"
Read = Callable[[str], bytes]


def main(*arguments: str) -> None:
    """Print the tables, and write the curve if there is a folder for it."""
    names = list(arguments)
    folder = Path(names.pop(names.index("-o") + 1)) if "-o" in names else None
    runs = {name: reader(name) for name in names if name != "-o"}
    print("\n".join(table(stability.spread([metrics(read) for read in runs.values()]))))
    mappings = [json.loads(read("data/categories.json"))["categories"] for read in runs.values()]
    if len(runs) > 1:
        print(f"\nARI of the categories: {stability.categories(mappings):.4g}")
        found = [tokens(read) for read in runs.values()]
        if all(
            np.array_equal(found[0].metadata.operator_id, f.metadata.operator_id) for f in found
        ):
            valid = np.all([f.metadata.valid for f in found], axis=0)
            print("\nAdjusted mutual information of the tokens")
            pairs = [(f.tokens[valid], f.names) for f in found]
            print("\n".join(table(stability.tokens(pairs))))
    if folder is not None:
        rows = [{"run": name} | dict(row) for name, read in runs.items() for row in curve(read)]
        folder.mkdir(parents=True, exist_ok=True)
        artifacts.write_table(folder / "rate_distortion.csv", rows)
        title = "Rate and distortion of codes, test operators (95 % intervals)"
        files.save(rate.curve(rows, title), folder / "rate_distortion.png")


def reader(name: str) -> Read:
    """What reads a file of a run."""
    if Path(name).is_dir():
        return lambda path: (Path(name) / path).read_bytes()
    return lambda path: dvc.api.read(path, rev=name, mode="rb")


def metrics(read: Read) -> dict[str, float | int | None]:
    """All metrics of a run."""
    return {key: value for path in METRICS for key, value in json.loads(read(path)).items()}


def tokens(read: Read) -> report.Tokens:
    """Tokens of a run."""
    with NamedTemporaryFile(suffix=".h5") as file:
        file.write(read("data/tokens.h5"))
        file.flush()
        return report.read(Path(file.name))


def curve(read: Read) -> Iterator[Mapping[str, object]]:
    """Rate and distortion of a run: of all that share its bits, so that each point stands once."""
    rows = list(csv.DictReader(StringIO(read(CURVE).decode())))
    own = next(row["bits"] for row in rows if row["code"] == rate.OWN)
    yield from (row for row in rows if row["bits"] == own)


if __name__ == "__main__":
    main(*sys.argv[1:])
