"""Checks of DVC's cache, `.dvc/cache`, or of a folder that is a remote.

A file of the cache is named by its MD5. DVC trusts that once the file is there: a bit that flips
later is checked out, and nothing is found to have changed.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spinlock.validation import bytes_of

FILES = "files/md5"


def is_cache(path: Path) -> bool:
    """Whether a folder holds files by their MD5."""
    return (path / FILES).is_dir()


def named(path: Path) -> Iterator[str]:
    """Every file has the bytes that name it."""
    for file in sorted((path / FILES).glob("??/*")):
        if bytes_of.md5(file) != f"{file.parent.name}{file.name}".removesuffix(".dir"):
            yield f"{file} is damaged: remove it, then `dvc pull` or `dvc repro` brings it back"


CHECKS: dict[str, Callable[[Path], Iterable[str]]] = {
    "every file of the cache has the bytes that name it": named,
}
