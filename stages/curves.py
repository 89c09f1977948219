"""The curves of a training, logged with DVCLive while it runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from dvclive import Live

from spinlock import artifacts

Record = Mapping[str, float]


def log(folder: Path, records: Iterable[Record], step: str | None = None) -> list[Record]:
    """Log records as they come, one TSV a metric; return them.

    DVC removes the curves of an interrupted run; a training that resumes yields its records again
    from the first. DVCLive's summary of the last step is not kept: it nests `a/b` keys, and the
    stage writes its own.

    Args:
        folder: where the curves go.
        records: what a training yields.
        step: the entry that is the abscissa; without one, records are counted from 1.
    """
    seen: list[Record] = []
    try:
        with Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=False) as live:
            for count, record in enumerate(records, 1):
                live.step = int(record[step]) if step else count
                for name in record.keys() - {step}:
                    live.log_metric(name, artifacts.rounded(record[name]))
                seen.append(record)
    finally:
        (folder / "metrics.json").unlink(missing_ok=True)  # also of a run that Ctrl-C ends
    return seen
