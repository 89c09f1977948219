"""Names of categories: short, readable, unique, made of the words of their columns."""

from collections import Counter
from collections.abc import Sequence


def names(groups: Sequence[Sequence[str]]) -> list[str]:
    """A name for each group of columns `family.group.statistic[.aggregate]`.

    It is made of the family and group that most of its columns have, and of the word of their
    statistics and aggregates that marks it most: the one whose share among its own columns exceeds
    that among all others by the most. Where two groups would share a name, the next words follow.
    """
    count = max(len(_marks(groups, index)) for index in range(len(groups)))
    found = [_head(group) for group in groups]
    for length in range(1, count + 1):
        candidates = [
            "_".join([_head(group), *_marks(groups, index)[:length]])
            for index, group in enumerate(groups)
        ]
        settled = length > 1
        found = [
            old if settled and found.count(old) == 1 else new
            for old, new in zip(found, candidates, strict=True)
        ]
        if len(set(found)) == len(found):
            return found
    return [f"{name}_{index}" for index, name in enumerate(found)]


def _head(group: Sequence[str]) -> str:
    """Family and group of most columns."""
    heads = Counter("_".join(name.split(".")[:2]) for name in group)
    return min(heads, key=lambda head: (-heads[head], head))


def _words(name: str) -> set[str]:
    """Words of a column's statistic and aggregate; numbers and the aggregate `mean` say little."""
    parts = name.split(".")
    words = (
        {word for word in parts[2].split("_") if not word.isdigit()} if len(parts) > 2 else set()
    )
    return words | {part for part in parts[3:] if part != "mean"}


def _marks(groups: Sequence[Sequence[str]], index: int) -> list[str]:
    """Words of a group, the most telling first."""
    own = Counter(word for name in groups[index] for word in _words(name))
    others = [name for other, group in enumerate(groups) if other != index for name in group]
    elsewhere = Counter(word for name in others for word in _words(name))
    excess = {
        word: count / len(groups[index]) - elsewhere[word] / max(1, len(others))
        for word, count in own.items()
    }
    return sorted(excess, key=lambda word: (-excess[word], word))
