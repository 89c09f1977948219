"""Who the rows of a file of features are: id, split, held-out groups, labels, validity."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from spinlock.artifacts import Sink, Source
from spinlock.refusals import Refusal

SPLITS = ("train", "validation", "test", "held_out")
LABELS = ("split", "ic_types", "evolution_policies", "noise_regimes")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metadata:
    """One entry per operator, in the order of the file's rows."""

    operator_id: Int[np.ndarray, "N"]
    split: np.ndarray  # strings [N], each one of `SPLITS`
    ic_types: np.ndarray  # strings [N], variant of initial condition
    evolution_policies: np.ndarray  # strings [N]
    noise_regimes: np.ndarray  # strings [N]
    held_out: Bool[np.ndarray, "N G"]  # membership of the held-out groups
    held_out_groups: tuple[str, ...]
    valid: Bool[np.ndarray, "N"]  # no realization diverged

    def rows(self, name: str) -> Int[np.ndarray, "n"]:
        """Positions of the valid operators of a split or of a held-out group, ascending.

        Raises:
            ValueError: there is no such split or group.
        """
        if name in self.held_out_groups:
            member = self.held_out[:, self.held_out_groups.index(name)]
        elif name in SPLITS:
            member = self.split == name
        else:
            raise ValueError(f"rows: no split or held-out group {name!r}")
        return np.flatnonzero(member & self.valid)


def read(source: Source) -> Metadata:
    """Read the group `metadata` of an open file.

    Raises:
        Refusal: damaged, or a split that there is not.
    """
    labels = {name: source.get(f"metadata/{name}", "N") for name in LABELS}
    if (strange := ~np.isin(labels["split"], SPLITS)).any():
        index = int(strange.argmax())
        raise Refusal(
            f"{source.path}: metadata/split: {str(labels['split'][index])!r} at index {index}; "
            f"allowed: {', '.join(SPLITS)}"
        )
    held_out = source.get("metadata/held_out", "N G")
    return Metadata(
        operator_id=source.get("metadata/operator_id", "N"),
        valid=source.get("metadata/valid", "N"),
        held_out=held_out,
        held_out_groups=source.columns("metadata/held_out") if held_out.shape[1] else (),
        **labels,
    )


def write(sink: Sink, metadata: Metadata) -> None:
    """Write the group `metadata` of a file."""
    sink.put("metadata/operator_id", metadata.operator_id, "N")
    sink.put("metadata/valid", metadata.valid, "N")
    for name in LABELS:
        sink.put(f"metadata/{name}", getattr(metadata, name), "N")
    sink.put("metadata/held_out", metadata.held_out, "N G", columns=metadata.held_out_groups)
