"""Share all runs of the pipeline, not only the last: `python -m spinlock.sharing push | pull`.

DVC keeps a record of each run of a stage, the run-cache, so that parameters that somebody ran
before are looked up and not computed. `dvc push --run-cache` sends the records, but of the files
that they name only those of the commit at hand, and no metric (metrics are in Git); a colleague who
asks for other parameters finds a record without files, and the stage runs again. Here the files of
all records travel too, each once, by its content; what is at the other end already stays there.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError
from dvc.cli import main as dvc
from dvc.exceptions import CollectCacheError, DvcException
from dvc.repo import Repo
from dvc_data.hashfile.hash_info import HashInfo


def share(direction: str) -> int:
    """Push or pull the files of the commit, the records of all runs, and the files of these.

    Args:
        direction: `"push"` or `"pull"`.

    Returns:
        The exit status: that of `dvc push` or `pull` if it fails, whose message then stands alone.
    """
    if status := dvc([direction]):
        return status
    with Repo() as repo:
        getattr(repo.stage_cache, direction)(None)
        runs = list(_runs(repo))
        wanted = {found for run in runs for found in _files(repo, run)}
        if direction == "push":
            moved = repo.cloud.push({f for f in wanted if repo.cache.local.exists(f.value)})
        else:
            moved = repo.cloud.pull(wanted)
    done = f"{len(runs)} runs of stages, {len(moved.transferred)} more files"
    print(f"{direction}: {done}" + (f", {len(moved.failed)} failed" if moved.failed else ""))
    return 1 if moved.failed else 0


def _runs(repo: Repo) -> Iterator[tuple[str, str]]:
    """Every record of the run-cache: the hash of what went in, and of what came out."""
    for path in sorted(Path(repo.stage_cache.cache_dir).glob("*/*/*")):
        yield path.parent.name, path.name


def _files(repo: Repo, run: tuple[str, str]) -> set[HashInfo]:
    """The files that a run wrote; none if the list of a folder's files is nowhere any more."""
    try:
        return set().union(*repo.stage_cache.get_used_objs([run]).values())
    except CollectCacheError:
        return set()


def main() -> int:
    """Push or pull; what goes wrong is one line."""
    parser = argparse.ArgumentParser(prog="python -m spinlock.sharing", description=__doc__)
    parser.add_argument("direction", choices=["push", "pull"])
    try:
        return share(parser.parse_args().direction)
    except (DvcException, OSError, BotoCoreError) as error:
        print(f"sharing: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
