"""A folder of rollouts: what its index says, and random access to one operator's rollout."""

import bisect
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from pydantic.dataclasses import dataclass as parsed
from torch import Tensor

from spinlock import artifacts, disk, params
from spinlock.operators.blocks import Precision
from spinlock.params import STRICT
from spinlock.refusals import Refusal
from spinlock.rollout.config import Store, stored_steps
from spinlock.rollout.engine import Rollout, mask_diverged, roll_out
from spinlock.rollout.resume import roll_on
from spinlock.rollout.shards import INDEX, KIND, identities
from spinlock.sampling.table import Operators


@parsed(frozen=True, kw_only=True, slots=True, config=STRICT)
class Entry:
    """One shard: operators `first` … `first + count - 1`."""

    file: str = Field(pattern=r"^shard-\d+\.h5$")
    first: int = Field(ge=0)
    count: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


@parsed(frozen=True, kw_only=True, slots=True, config=STRICT)
class Shapes:
    """Shapes of one operator's arrays."""

    u0: tuple[int, int, int]  # C, H, W
    u: tuple[int, int, int, int, int]  # R, T, C, H, W
    diverged_at: tuple[int]  # R


@parsed(frozen=True, kw_only=True, slots=True, config=STRICT)
class Contents:
    """What `index.json` says."""

    steps: int = Field(ge=1)  # T
    realizations: int = Field(ge=1)  # R
    bound: float = Field(gt=0)  # largest |u| that does not count as divergence
    precision: Precision
    store: Store
    shapes: Shapes
    shards: tuple[Entry, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Index:
    """An opened folder of rollouts."""

    folder: Path
    contents: Contents

    @property
    def steps(self) -> int:
        """T."""
        return self.contents.steps

    @property
    def realizations(self) -> int:
        """R."""
        return self.contents.realizations

    @property
    def bound(self) -> float:
        """Largest |u| that does not count as divergence."""
        return self.contents.bound

    @property
    def precision(self) -> Precision:
        """Of the convolutions."""
        return self.contents.precision

    def stored_steps(self, operator: int) -> int:
        """How many steps of an operator (its id) are on disk; the rest is replayed."""
        return stored_steps(self.contents.store, self.steps, operator)

    def __len__(self) -> int:
        return self.contents.shards[-1].first + self.contents.shards[-1].count

    def read(self, operators: Operators, row: int) -> Rollout:
        """The rollout of one operator, read as far as stored and replayed beyond: the same bits.

        Args:
            operators: the table, or some of its rows.
            row: position in `operators` (not id).

        Raises:
            Refusal: the shard is missing, damaged, foreign, or was made from another table.
        """
        operator = int(operators.ids[row])
        path, place = self._find(operator)
        count = self.stored_steps(operator)
        with artifacts.reading(path, KIND) as source:
            self._check_identity(source, place, operators.take([row]))
            if count == 0:
                return roll_out(operators, row, self)
            here = slice(place, place + 1)
            u0 = torch.from_numpy(source.get("u0", "N C H W", here)[0])
            diverged_at = torch.from_numpy(source.get("diverged_at", "N R", here)[0])
            u = self._frames(source, place, diverged_at, count)
        if count < self.steps:
            return roll_on(operators, row, self, u)
        return Rollout(operator=operator, u0=u0, u=u, diverged_at=diverged_at)

    def check(self, operators: Operators) -> None:
        """Refuse operators that are not those of this folder; for who replays them."""
        for row in range(len(operators)):
            path, place = self._find(int(operators.ids[row]))
            with artifacts.reading(path, KIND) as source:
                self._check_identity(source, place, operators.take([row]))

    def summary(
        self,
    ) -> tuple[Float[Tensor, "N C H W"], Int[Tensor, "N R"]]:
        """u0 and the step of divergence (0 = never) of all operators."""
        initial, diverged = [], []
        for entry in self.contents.shards:
            path = self._verified(entry)
            with artifacts.reading(path, KIND) as source:
                initial.append(torch.from_numpy(source.get("u0", "N C H W")))
                diverged.append(torch.from_numpy(source.get("diverged_at", "N R")))
        return torch.cat(initial), torch.cat(diverged)

    def _find(self, operator: int) -> tuple[Path, int]:
        """The shard of an operator id, verified, and its place in there."""
        if not 0 <= operator < len(self):
            raise Refusal(
                f"{self.folder / INDEX}: expected operators 0 … {len(self) - 1}, got {operator}; "
                "the rollouts are of another table (dvc repro)"
            )
        firsts = [entry.first for entry in self.contents.shards]
        entry = self.contents.shards[bisect.bisect_right(firsts, operator) - 1]
        return self._verified(entry), operator - entry.first

    def _verified(self, entry: Entry) -> Path:
        path = self.folder / entry.file
        if not path.is_file():
            raise Refusal(f"{path}: not found, but {INDEX} lists it (dvc repro)")
        status = path.stat()
        _check_bytes(path, entry.sha256, status.st_size, status.st_mtime_ns)
        return path

    def _check_identity(self, source: artifacts.Source, place: int, operator: Operators) -> None:
        found = source.get("identity", "N", slice(place, place + 1)).tolist()
        if found != identities(operator):
            raise Refusal(
                f"{source.path}: operator {int(operator.ids[0])} was made from another operator "
                "table than the one given (dvc repro)"
            )

    def _frames(
        self, source: artifacts.Source, place: int, diverged_at: Int[Tensor, "R"], count: int
    ) -> Float[Tensor, "R k C H W"]:
        """The stored steps: all within the bound before divergence, NaN from there on."""
        data = source.raw("u", "N R T C H W", slice(place, place + 1))
        whole = self.contents.shapes.u
        expected = (whole[0], count, *whole[2:])
        if data.shape[1:] != expected or data.dtype != np.float32:
            raise Refusal(
                f"{source.path}: u: expected float32 of shape {expected} an operator, "
                f"got {data.dtype} of {data.shape[1:]}"
            )
        u = torch.from_numpy(data[0])
        alive = (diverged_at[:, None] == 0) | (torch.arange(1, count + 1) < diverged_at[:, None])
        bad = alive & ~(u.abs().amax((-3, -2, -1)) <= self.bound)
        if bad.any():
            index = [place, *bad.nonzero()[0].tolist()]
            raise Refusal(
                f"{source.path}: u: a value that is not finite or beyond {self.bound:g} "
                f"at index {index}, before divergence"
            )
        mask_diverged(u, diverged_at)
        return u


def open_rollouts(folder: Path | str) -> Index:
    """Open a folder that `shards.assemble` wrote.

    Raises:
        Refusal: there is no index, or it is not one of rollouts.
    """
    folder = Path(folder)
    path = folder / INDEX
    tree = {"index": artifacts.read_json(path)}
    return Index(folder, params.parse("index", tree, Contents, path))


@cache
def _check_bytes(path: Path, sha256: str, size: int, modified: int) -> None:
    """Refuse a shard whose bytes are not those that the index lists; once for each state of it."""
    if disk.sha256(path) != sha256:
        raise Refusal(
            f"{path}: its bytes ({size}) are not those that {INDEX} lists; "
            "is it truncated or damaged? (dvc repro)"
        )
