"""The curves of a training, logged with DVCLive while it runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from dvclive import Live

from spinlock import artifacts

Record = Mapping[str, float]


def log(folder: Path, records: Iterable[tuple[int, Record]]) -> list[Record]:
    """Log (step, record) as they come, one TSV a metric; return the records.

    DVC removes the curves of an interrupted run; a training that resumes yields its records again
    from the first. DVCLive's summary of the last step is not kept: it nests `a/b` keys, and the
    stage writes its own.
    """
    seen: list[Record] = []
    with Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=False) as live:
        for step, record in records:
            live.step = step
            for name, value in record.items():
                live.log_metric(name, artifacts.rounded(value))
            seen.append(record)
    (folder / "metrics.json").unlink()
    return seen
