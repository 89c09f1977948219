"""Checks of `data/categories.json`, of the tokenizer, its tokens, and the agent."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from spinlock import artifacts, params
from spinlock.categories import grouping, mapping
from spinlock.categories.partition import Config
from spinlock.cleaning import cleanset, report
from spinlock.cleaning.metadata import Metadata
from spinlock.cleaning.sets import FAMILIES
from spinlock.evaluation import consistency
from spinlock.noa import conditioning
from spinlock.noa import model as noa
from spinlock.noa.model import Agent
from spinlock.sampling import table
from spinlock.tokenizer import model
from spinlock.tokenizer import report as tokens
from spinlock.tokenizer.model import Tokenizer
from spinlock.tokenizer.report import NONE, Tokens
from spinlock.validation import splits
from spinlock.validation.finding import beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """Categories, and where the file is."""

    path: Path
    tree: dict[str, object]
    columns: dict[str, list[str]]  # by category
    defining: dict[str, list[str]]
    config: Config


def read_categories(path: Path) -> Categories:
    """Read what `discover-categories` wrote.

    Raises:
        Refusal: it is no such file.
    """
    tree = artifacts.read_object(path)
    made_by = params.parse("parameters", tree, dict[str, object], path)
    return Categories(
        path=path,
        tree=tree,
        columns=params.parse("categories", tree, dict[str, list[str]], path),
        defining=params.parse("defining", tree, dict[str, list[str]], path),
        config=params.parse("discover_categories", made_by, Config, path),
    )


def partition(found: Categories) -> Iterator[str]:
    """No category is empty, no column in two, and those that define one are members of it."""
    owner: dict[str, str] = {}
    for category, columns in found.columns.items():
        if not columns:
            yield f"{category} is empty"
        for name in columns:
            if name in owner:
                yield f"{name} is in {owner[name]} and in {category}"
            owner[name] = category
    for category, names in found.defining.items():
        for name in names:
            if owner.get(name) != category:
                yield f"{name} defines {category} and is not in it"


def isolated(found: Categories) -> Iterator[str]:
    """A family that is isolated shares no category."""
    for category, columns in found.columns.items():
        families = {name.partition(".")[0] for name in columns}
        apart = sorted(families & set(found.config.isolated_families))
        if apart and len(families) > 1:
            yield f"{category} mixes {apart[0]} with {sorted(families - {apart[0]})}"


def of_columns(found: Categories) -> Iterator[str]:
    """Its columns are the cleaned ones beside it, all of them.

    Raises:
        Absent: there are none.
        Refusal: a column is missing or unknown.
    """
    cleaned = cleanset.read(beside(found.path, "data", "clean.h5"))
    mapping.parse({"categories": found.columns}, cleaned.columns, found.config, "categories")
    yield from ()


def grouped(found: Categories) -> Iterator[str]:
    """Later stages can read it: pools and trees are of its columns.

    Raises:
        Refusal: they cannot.
    """
    grouping.read(found.path)
    yield from ()


CATEGORIES: dict[str, Callable[[Categories], Iterable[str]]] = {
    "every column is in one category": partition,
    "isolated families stand apart": isolated,
    "columns are the cleaned ones": of_columns,
    "pools and trees are of its columns": grouped,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A tokenizer, and where the file is."""

    path: Path
    tokenizer: Tokenizer


def read_tokenizer(path: Path) -> Learned:
    """Load a tokenizer.

    Raises:
        Refusal: it is damaged, incomplete, or of another kind.
    """
    return Learned(path=path, tokenizer=model.load(path))


def finite(weights: nn.Module) -> Iterator[str]:
    """Every weight and every statistic is finite."""
    for name, value in weights.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            yield f"{name}: {int((~value.isfinite()).sum())} values are not"


def decodes(found: Learned) -> Iterator[str]:
    """The first and the last code of every level decode to finite columns."""
    sizes = [size for levels in found.tokenizer.sizes for size in levels]
    ends = torch.tensor([[0] * len(sizes), [size - 1 for size in sizes]])
    decoded = found.tokenizer.decode(ends)
    for family in FAMILIES:
        if not getattr(decoded, family).isfinite().all():
            yield f"{family}: not finite"


def same_categories(found: Learned) -> Iterator[str]:
    """Its categories are those of the file beside it.

    Raises:
        Absent: there is none.
        Refusal: they are others.
    """
    path = beside(found.path, "data", "categories.json")
    consistency.check_categories(found.tokenizer, read_categories(path).columns, path)
    yield from ()


def same_cleaner(found: Learned) -> Iterator[str]:
    """The cleaner in it is the one beside it.

    Raises:
        Absent: there is none.
    """
    theirs = report.read(beside(found.path, "models", "cleaner.h5")).state()
    for family, statistics in found.tokenizer.cleaner.state().items():
        for name, ours in statistics.items():
            if _plain(ours) != _plain(theirs[family][name]):
                yield f"{family}: {name} differs"


def _plain(values: torch.Tensor | list[str]) -> list:
    return values.tolist() if isinstance(values, torch.Tensor) else values


TOKENIZER: dict[str, Callable[[Learned], Iterable[str]]] = {
    "every weight is finite": lambda found: finite(found.tokenizer),
    "codes decode to finite columns": decodes,
    "categories are those beside it": same_categories,
    "the cleaner is the one beside it": same_cleaner,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Tokens, and where the file is."""

    path: Path
    tokens: Tokens

    @property
    def metadata(self) -> Metadata:
        """Who the rows are."""
        return self.tokens.metadata


def read_tokens(path: Path) -> Spoken:
    """Read the tokens of every operator.

    Raises:
        Refusal: the file is missing, damaged or of another kind.
    """
    return Spoken(path=path, tokens=tokens.read(path))


def silent(found: Spoken) -> Iterator[str]:
    """An invalid operator has no token, every other one has all of them."""
    for row, ours in enumerate(found.tokens.tokens):
        absent = ours == NONE
        if not absent.all() if not found.metadata.valid[row] else absent.any():
            valid = "valid" if found.metadata.valid[row] else "not valid"
            yield f"operator {row} is {valid} and has {int((~absent).sum())} of {len(ours)} tokens"


def in_codebooks(found: Spoken) -> Iterator[str]:
    """Names and ranges are those of the tokenizer beside it.

    Raises:
        Absent: there is none.
    """
    learned = model.load(beside(found.path, "models", "tokenizer.pt"))
    if found.tokens.names != learned.token_names:
        yield f"{len(found.tokens.names)} tokens, the tokenizer has {len(learned.token_names)}"
        return
    sizes = [size for levels in learned.sizes for size in levels]
    for column, (name, size) in enumerate(zip(found.tokens.names, sizes, strict=True)):
        used = found.tokens.tokens[:, column]
        if ((used < NONE) | (used >= size)).any():
            yield f"{name}: token {used.max()} of {size} codes"


def spoken(found: Spoken) -> Iterator[str]:
    """They are what the tokenizer gives for the cleaned features beside it.

    Raises:
        Absent: one of them is not there.
        Refusal: they are others.
    """
    learned = model.load(beside(found.path, "models", "tokenizer.pt"))
    cleaned = cleanset.read(beside(found.path, "data", "clean.h5"))
    consistency.check_tokens(
        tokens.encode(learned, cleaned).tokens, found.tokens.tokens, found.path
    )
    yield from ()


TOKENS: dict[str, Callable[[Spoken], Iterable[str]]] = {
    "operators without features have no tokens, all others have": silent,
    "every token is of its codebook": in_codebooks,
    "tokens are what the tokenizer gives": spoken,
    **splits.METADATA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """An agent, and where the file is."""

    path: Path
    agent: Agent


def read_agent(path: Path) -> Trained:
    """Load an agent.

    Raises:
        Refusal: it is damaged, incomplete, or of another kind.
    """
    return Trained(path=path, agent=noa.load(path))


def scaled(found: Trained) -> Iterator[str]:
    """θ is standardized by positive scales."""
    for name, scale in zip(found.agent.names, found.agent.theta_scale.tolist(), strict=True):
        if not scale > 0:
            yield f"{name}: {scale:g}"


def fits(found: Trained) -> Iterator[str]:
    """Its θ is that of the operators beside it, standardized over those to train on.

    Raises:
        Absent: there is no table.
        Refusal: the columns are others.
    """
    operators = table.read(beside(found.path, "data", "operators.h5"))
    conditioning.standardized(operators, found.agent.columns)
    expected = conditioning.fit(operators.take(operators.rows("train")))
    pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]] = {
        "mean": (found.agent.theta_mean, expected.mean),
        "scale": (found.agent.theta_scale, expected.scale),
    }
    for name, (ours, theirs) in pairs.items():
        if not torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6):
            yield f"another {name} than that of the training operators"


AGENT: dict[str, Callable[[Trained], Iterable[str]]] = {
    "every weight is finite": lambda found: finite(found.agent),
    "θ has positive scales": scaled,
    "θ is that of the training operators": fits,
}
