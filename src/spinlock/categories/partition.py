"""A partition of the cleaned columns into categories: its parameters, its type, its file."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import AfterValidator, Field

from spinlock import artifacts
from spinlock.categories.grouping import Tree
from spinlock.cleaning.sets import FAMILIES
from spinlock.params import STRICT, inside

MAPPINGS = Path("mappings")  # where mapping files stand; dvc.yaml depends on the one in use


def _inside(name: str) -> str:
    """A mapping file's name, if it stays in the folder of mapping files and in the project."""
    if ".." in Path(name).parts or not Path(name).name:
        raise ValueError(f"must stay in {MAPPINGS}/, got {name!r}")
    inside(str(MAPPINGS / name))
    return name


MappingFile = Annotated[str, Field(min_length=1), AfterValidator(_inside)]


@pydantic.dataclasses.dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Config:
    """Section `discover_categories` of params.yaml."""

    method: Literal["clustering", "mapping", "semantic"]
    mapping_file: MappingFile | None  # JSON in `MAPPINGS`, for the method "mapping"
    isolated_families: tuple[Literal["initial", "summary", "temporal"], ...]  # grouped apart
    max_clusters: int = Field(ge=1)  # categories in all
    min_features_per_category: int = Field(ge=1)  # columns
    num_trees: int = Field(ge=1, le=100_000)  # of resampled operators, see `clustering.bagged`
    num_resample_trees: int = Field(ge=1, le=100_000)  # the same in each of the resamples
    num_bootstraps: int = Field(ge=2, le=100_000)  # resamples that choose; as many that judge
    min_stability: float = Field(ge=0, le=1)  # least lower end of the mean adjusted Rand index

    def __post_init__(self) -> None:
        if (self.mapping_file is not None) != (self.method == "mapping"):
            raise ValueError(
                "mapping_file: a name with the method 'mapping' and null with any other, "
                f"got {self.mapping_file!r} with {self.method!r}"
            )
        if len(set(self.isolated_families)) < len(self.isolated_families):
            raise ValueError(f"isolated_families: each one once, got {self.isolated_families}")
        others = len(self.isolated_families) < len(FAMILIES)
        least = len(self.isolated_families) + others
        if self.max_clusters < least:
            raise ValueError(
                f"max_clusters: at least {least}, one for each isolated family and one for the "
                f"others, got {self.max_clusters}"
            )

    def pools(self, columns: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        """Columns that may share a category: of each isolated family, and `others`; none empty."""
        pools: dict[str, tuple[str, ...]] = {
            family: tuple(columns[family]) for family in self.isolated_families
        }
        rest = [family for family in FAMILIES if family not in self.isolated_families]
        pools["others"] = tuple(name for family in rest for name in columns[family])
        return {pool: names for pool, names in pools.items() if names}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a pool of columns falls into a number of categories."""

    number: int
    silhouette: float | None  # mean over columns, Rousseeuw 1987; None for one category
    stability: float | None  # mean adjusted Rand index over resamples; None of one, or if given
    stability_low: float | None  # lower end of its one-sided 95 % interval
    behind: (
        float | None
    )  # certainly so much less silhouette than the best, see `selection.compared`


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Every column in exactly one category."""

    categories: dict[str, tuple[str, ...]]  # category name to column names
    isolated: tuple[str, ...]  # names of the categories of isolated families
    defining: dict[str, tuple[str, ...]]  # columns that say most of each category, most first
    held: dict[str, float | None]  # mean Jaccard index of each category over the judging resamples
    chosen: dict[str, Score]  # by pool, judged by resamples that did not choose
    considered: dict[str, tuple[Score, ...]]  # by pool, every number that could be formed
    pools: dict[str, tuple[str, ...]]  # columns of each pool, in the order of its tree
    trees: dict[str, Tree]  # by pool, where a clustering made one


def write(path: Path, partition: Partition, config: Config, seed: int) -> None:
    """Write `data/categories.json`; it is accepted as a mapping file too."""
    families = {
        category: sorted({name.partition(".")[0] for name in names})
        for category, names in partition.categories.items()
    }
    parameters = {"seed": seed, "discover_categories": dataclasses.asdict(config)}
    tree = dataclasses.asdict(partition) | {"families": families, "parameters": parameters}
    artifacts.write_json(path, _rounded(tree))


def _rounded(node: object) -> object:
    """The same tree with every number to six digits, as in metrics."""
    if isinstance(node, dict):
        return {key: _rounded(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_rounded(value) for value in node]
    return artifacts.rounded(node) if isinstance(node, float) else node
