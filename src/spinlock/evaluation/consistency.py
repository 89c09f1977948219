"""What is evaluated: read, and refused before any work if the files do not belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from spinlock import artifacts
from spinlock.categories import grouping
from spinlock.categories.grouping import Grouping
from spinlock.cleaning import cleanset, raw
from spinlock.cleaning.cleanset import CleanSet
from spinlock.cleaning.sets import Cleaned
from spinlock.noa import model as noa
from spinlock.noa.model import Agent
from spinlock.refusals import Refusal
from spinlock.rollout.index import Index, open_rollouts
from spinlock.sampling import table
from spinlock.sampling.table import Operators
from spinlock.tokenizer import model, report
from spinlock.tokenizer.layout import FAMILIES
from spinlock.tokenizer.model import Tokenizer

OTHER_BITS = 0.01  # share of tokens that another machine may choose otherwise
HINT = "they are of different runs (dvc repro)"
RAW = {
    "initial": "features/initial/aggregated/features",
    "summary": "features/summary/aggregated/features",
    "temporal": "features/temporal/features",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is evaluated."""

    operators: Operators
    index: Index
    cleaned: CleanSet
    further: Cleaned  # further draws of the training operators, aggregated
    grouping: Grouping
    tokenizer: Tokenizer
    agent: Agent


def read(paths: Sequence[Path]) -> Sources:
    """Read everything and check that it is of one run.

    Args:
        paths: operator table, rollouts, features, those of further draws, cleaned features,
            categories, tokenizer, tokens and agent.

    Raises:
        Refusal: a file is missing, damaged, or was made from another one than those given.
    """
    operators, rollouts, features, further, clean, categories, tokenizer, tokens, agent = paths
    cleaned, learned = cleanset.read(clean), model.load(tokenizer)
    more = raw.read_further(further, cleaned.metadata)
    learned.cleaner.check(more.names, str(further))
    drawn = more.aggregated.take(more.metadata.rows("train"))
    sources = Sources(
        operators=table.read(operators),
        index=open_rollouts(rollouts),
        cleaned=cleaned,
        further=learned.cleaner.apply(drawn, smooth=False),
        grouping=grouping.read(categories),
        tokenizer=learned,
        agent=noa.load(agent),
    )
    check(sources)
    with artifacts.reading(features, "features") as source:
        columns = {family: source.columns(RAW[family]) for family in FAMILIES}
    sources.tokenizer.cleaner.check(columns, str(features))
    check_categories(sources.tokenizer, sources.grouping.categories, categories)
    expected = report.encode(sources.tokenizer, sources.cleaned)
    check_tokens(expected.tokens, report.read(tokens).tokens, tokens)
    return sources


def check(sources: Sources) -> None:
    """Refuse a table, rollouts, cleaned features and a tokenizer that are not of one run.

    Raises:
        Refusal: numbers of operators, splits, or columns differ.
    """
    operators, cleaned = sources.operators, sources.cleaned
    counts = (len(operators), len(sources.index), len(cleaned.metadata.split))
    if len(set(counts)) > 1:
        raise Refusal(
            f"evaluate: the table has {counts[0]} operators, the rollouts {counts[1]}, "
            f"the cleaned features {counts[2]}; {HINT}"
        )
    if operators.split != tuple(cleaned.metadata.split.tolist()):
        raise Refusal(f"evaluate: table and cleaned features differ in their splits; {HINT}")
    for family, columns in sources.tokenizer.cleaner.kept.items():
        if columns != cleaned.columns[family]:
            raise Refusal(
                f"evaluate: the tokenizer expects {len(columns)} {family} columns, the cleaned "
                f"features have {len(cleaned.columns[family])}, or others; {HINT}"
            )


def check_categories(
    tokenizer: Tokenizer, mapping: Mapping[str, Sequence[str]], path: Path
) -> None:
    """Refuse categories that are not the tokenizer's.

    Raises:
        Refusal: names or columns of categories differ.
    """
    found = {name: tuple(columns) for name, columns in mapping.items()}
    if found != tokenizer.mapping:
        raise Refusal(f"{path}: its categories are not those of the tokenizer; {HINT}")


def check_tokens(
    expected: Int[np.ndarray, "N S"], found: Int[np.ndarray, "N S"], path: Path
) -> None:
    """Refuse stored tokens that the tokenizer does not give for the cleaned features.

    On another machine the last bits differ, and with them a few tokens between two codes.

    Raises:
        Refusal: shapes differ, or more than 1 % of the tokens.
    """
    if expected.shape != found.shape or (expected != found).mean() > OTHER_BITS:
        raise Refusal(f"{path}: its tokens are not those that the tokenizer gives; {HINT}")
