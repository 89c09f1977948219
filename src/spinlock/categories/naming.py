"""Names of categories: short, readable, unique, made of the words of their columns."""

from collections import Counter
from collections.abc import Sequence


def names(groups: Sequence[Sequence[str]], telling: Sequence[str]) -> list[str]:
    """A name for each group of columns `family.group.statistic[.aggregate]`.

    It is made of the family and group of its most telling column, and of the word of that column's
    statistic and aggregate that marks the group most: the one whose share among its own columns
    exceeds that among all others by the most. Where two groups would share a name, the next words
    follow, and a number where there are none left.

    Args:
        groups: columns of each.
        telling: of each, the column that says most of it.
    """
    words = [_marks(groups, index, column) for index, column in enumerate(telling)]
    found = [_head(column) for column in telling]
    for length in range(1, max(map(len, words)) + 1):
        settled = length > 1
        found = [
            old if settled and found.count(old) == 1 else "_".join([_head(column), *own[:length]])
            for old, column, own in zip(found, telling, words, strict=True)
        ]
        if len(set(found)) == len(found):
            return found
    return [f"{name}_{index}" for index, name in enumerate(found)]


def _head(column: str) -> str:
    """Family and group."""
    return "_".join(column.split(".")[:2])


def _words(name: str) -> set[str]:
    """Words of a column's statistic and aggregate; numbers and the aggregate `mean` say little."""
    parts = name.split(".")
    words = (
        {word for word in parts[2].split("_") if not word.isdigit()} if len(parts) > 2 else set()
    )
    return words | {part for part in parts[3:] if part != "mean"}


def _marks(groups: Sequence[Sequence[str]], index: int, telling: str) -> list[str]:
    """Words of the most telling column of a group, those that mark the group most first."""
    own = Counter(word for name in groups[index] for word in _words(name))
    others = [name for other, group in enumerate(groups) if other != index for name in group]
    elsewhere = Counter(word for name in others for word in _words(name))
    excess = {
        word: own[word] / len(groups[index]) - elsewhere[word] / max(1, len(others))
        for word in _words(telling)
    }
    return sorted(excess, key=lambda word: (-excess[word], word))
