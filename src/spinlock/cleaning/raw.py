"""Raw features of all operators, as `data/features.h5` holds them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock import artifacts
from spinlock.cleaning import metadata
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.sets import FeatureSet
from spinlock.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Both views of N operators; every value of an invalid operator but u0 itself is NaN."""

    aggregated: FeatureSet
    summary: Float[Tensor, "N R D"]  # per trajectory: a third of the aggregated columns
    temporal: Float[Tensor, "N R T D2"]
    names: dict[str, tuple[str, ...]]  # raw columns by family
    metadata: Metadata

    @property
    def realizations(self) -> int:
        """R, realizations per operator."""
        return self.summary.shape[1]

    def single(self, realization: int) -> FeatureSet:
        """The single view: one realization's values in the mean columns, std and cv missing."""
        values = self.summary[:, realization]
        absent = torch.full_like(values, torch.nan)
        return FeatureSet(
            initial=self.aggregated.initial,
            summary=torch.cat([values, absent, absent], -1),
            temporal=self.temporal[:, realization],
            fields=self.aggregated.fields,
        )


FURTHER = "further-features"  # kind of `data/further.h5`


def read(path: Path | str, kind: str = "features") -> Features:
    """Read `data/features.h5`, or `data/further.h5` of kind "further-features"; both views.

    Raises:
        Refusal: the file is missing, damaged, of another kind, or holds an undeclared NaN.
    """
    with artifacts.reading(path, kind) as source:
        who = metadata.read(source)
        valid = torch.from_numpy(who.valid)

        def values(group: str, axes: str) -> Tensor:
            array = torch.from_numpy(source.get(f"features/{group}/features", axes)).float()
            return array.where(valid.view(-1, *[1] * (array.ndim - 1)), torch.nan)

        return Features(
            aggregated=FeatureSet(
                initial=values("initial/aggregated", "N D"),
                summary=values("summary/aggregated", "N D"),
                temporal=values("temporal", "N T D"),
                fields=torch.from_numpy(source.get("inputs/fields", "N C H W")).float(),
            ),
            summary=values("summary/per_trajectory", "N R D"),
            temporal=values("temporal/per_trajectory", "N R T D"),
            names={
                "initial": source.columns("features/initial/aggregated/features"),
                "summary": source.columns("features/summary/aggregated/features"),
                "temporal": source.columns("features/temporal/features"),
            },
            metadata=who,
        )


def read_further(path: Path | str, known: Metadata) -> Features:
    """Read `data/further.h5`: further draws of training operators.

    Args:
        path: the file.
        known: the operators whose draws they are.

    Raises:
        Refusal: as `read`; or a draw is of none of the training operators, or of another kind of
            u0 than its operator has.
    """
    further = read(path, FURTHER)
    train = known.split == "train"
    ours = set(zip(known.operator_id[train], known.ic_types[train], strict=True))
    who = further.metadata
    for operator, kind, split in zip(who.operator_id, who.ic_types, who.split, strict=True):
        if split != "train" or (operator, kind) not in ours:
            raise Refusal(
                f"{path}: operator {operator} from {kind} ({split}): the features have no training "
                "operator of that number and kind; they are of different runs (dvc repro)"
            )
    return further
