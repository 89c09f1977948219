"""What runs in a folder, what it left there, and ways to damage a file."""

import os
import time
from pathlib import Path


def half_files(folder: Path) -> list[Path]:
    """What was begun and not ended."""
    return [path for path in folder.rglob("*.part") if ".git" not in path.parts]


def alive(folder: Path) -> dict[int, list[str]]:
    """Other processes whose working directory this is, with their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").readlink() == folder and int(path.name) != os.getpid():
                found[int(path.name)] = (path / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # gone, or not ours
            continue
    return found


def wait_until_gone(folder: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while alive(folder) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(folder), f"alive after {seconds} s: {alive(folder)}"


def flip(path: Path) -> None:
    """Flip a bit in the midst of a file, whose mode stays as it was."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    _write(path, bytes(content))


def truncate(path: Path) -> None:
    """Lose the second half of a file."""
    content = path.read_bytes()
    _write(path, content[: len(content) // 2])


def _write(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(mode)
