"""What cannot change a result: threads, workers, interruption, progress, the stage's last line."""

import ctypes
import hashlib
import json
import platform
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeVar

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from threadpoolctl import threadpool_info, threadpool_limits
from tqdm import tqdm

from spinlock.params import STRICT
from spinlock.refusals import Refusal

T = TypeVar("T")

LIBRARIES = ("h5py", "numpy", "scipy", "torch")  # of which a result's bytes depend on the version
M_TRIM_THRESHOLD = -1  # of malloc.h
M_MMAP_THRESHOLD = -3


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `runtime` of params.yaml, on which no stage depends.

    It may not change a byte, but for the device: another kind of machine has other last digits.
    """

    executor: Literal["sequential", "processes"]
    workers: int = Field(ge=1)  # processes of most stages; threads of train_noa
    batch_size: int = Field(ge=1)  # operators that a worker of extract describes at a time
    device: Literal["cpu", "cuda"]  # of the rollouts of generate; all else is computed on the CPU
    store: str = Field(min_length=1)  # folder of finished shards, shared between runs

    @property
    def num_workers(self) -> int:
        """Workers in use: one when sequential."""
        return self.workers if self.executor == "processes" else 1


def device(config: Config) -> torch.device:
    """The device of the rollouts.

    Raises:
        Refusal: torch does not see it.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise Refusal(
            f"runtime.device: cuda, but torch {torch.__version__} sees no CUDA device here; say cpu"
        )
    return torch.device(config.device)


def single_thread() -> None:
    """Compute on one thread: another number of threads gives other last digits."""
    torch.set_num_threads(1)
    threadpool_limits(1)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Let glibc reuse large temporaries instead of returning them to the kernel.

    Faulting their pages in again took 17 % of a training step.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**30)


def run(main: Callable[..., str]) -> None:
    """Run a stage: its arguments are paths, its result is the line it ends with.

    A `Refusal` becomes one line on stderr and exit status 2; Ctrl-C and SIGTERM end with 130 and
    143, after the `finally` clauses that remove half-written files.
    """
    single_thread()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        print(main(*map(Path, sys.argv[1:])), flush=True)
    except Refusal as refusal:
        sys.exit(_refuse(refusal))
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse(refusal: Refusal) -> int:
    """Say it, with the name of the stage unless it begins with that."""
    stage, said = Path(sys.argv[0]).stem, str(refusal)
    named = said.startswith((f"{stage}:", f"{stage}."))
    print(said if named else f"{stage}: {said}", file=sys.stderr, flush=True)
    return 2


def progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Pass `items` on, with a bar on a terminal and about ten plain lines elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=what)
        return
    marks = {round(total * tenth / 10) for tenth in range(1, 11)}
    for count, item in enumerate(items, 1):
        yield item
        if count in marks:
            print(f"{what}: {count}/{total}", file=sys.stderr, flush=True)


def note(line: str) -> None:
    """Say what happened on the way, in one line."""
    print(line, file=sys.stderr, flush=True)


def fingerprint(*parts: object) -> str:
    """A hash of plain values, independent of the order of keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def code_fingerprint() -> str:
    """A hash of the source of every imported module of this package, and of what it computes with.

    A stage imports exactly what it needs, so this is the code that its results depend on: designs
    come from scipy, initial conditions from numpy, scipy and torch, and h5py writes them. Which
    kernels multiply matrices is chosen by the processor, and by variables such as
    OPENBLAS_CORETYPE; others round otherwise.
    """
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library} {metadata.version(library)} ".encode())
    digest.update(torch.backends.cpu.get_cpu_capability().encode())
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    digest.update(repr(sorted({str(library.get("architecture")) for library in blas})).encode())
    for name in sorted(sys.modules):
        source = getattr(sys.modules[name], "__file__", None)
        if name.startswith("spinlock.") and source:
            digest.update(name.encode())
            digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:32]


def file_fingerprint(*paths: Path) -> str:
    """A hash of the bytes of some files."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()[:32]


def work_folder(stage: str, key: str) -> Path:
    """Where a running stage keeps its checkpoints; other keys of that stage are left alone."""
    folder = Path(".work") / stage / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder
