"""The vocabulary for people: what every token means, and rollouts of who stands for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from spinlock.categories import defining
from spinlock.evaluation import meanings, tendencies
from spinlock.evaluation.codes import Target
from spinlock.evaluation.consistency import Sources
from spinlock.evaluation.meanings import Level
from spinlock.evaluation.tendencies import Attribute, Tendency
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.features import names
from spinlock.rollout import stream
from spinlock.rollout.engine import Rollout
from spinlock.rollout.index import Index
from spinlock.sampling.table import Operators
from spinlock.tokenizer.layout import FAMILIES

NUM_EXEMPLARS = 3  # of a code
NUM_REPLAYED = 256  # operators that exemplars are chosen from, if rollouts are not stored
SAME = "the same"
AGGREGATES = {"mean": "", "std": "spread over realizations: ", "cv": "relative spread: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A column that defines a category."""

    name: str
    place: int  # among the category's columns
    purpose: str  # what it tells apart; empty if nobody says
    told: float  # share of the category's variance that this one and those before explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One rollout."""

    operator: int  # id
    policy: str
    initial_condition: str
    frames: Float[np.ndarray, "S H W"]  # channel 0 of realization 0
    spread: float  # deviation between realizations at T over that in space; NaN if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """An operator near to what its token stands for."""

    row: int  # in the table
    distance: float  # from the mean of all that have the code; see `meanings.distances`


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A code of the first level, and who has it."""

    code: int
    count: int  # training operators that have it
    test: int  # test operators that have it
    mean: Float[np.ndarray, " D"]  # of the category's columns over its training operators
    deviation: Float[np.ndarray, " D"]
    test_mean: Float[np.ndarray, " D"]  # NaN without test operators
    tendencies: tuple[Tendency, ...]
    exemplars: tuple[Exemplar, ...]  # training operators, the nearest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A category; its D columns are one number an operator, a series by its mean over time."""

    name: str
    columns: tuple[str, ...]
    cells: Int[np.ndarray, " M"]  # column of each cell of a level's effect
    features: tuple[Feature, ...]
    codes: tuple[Code, ...]  # ascending in the first feature
    levels: tuple[Level, ...]

    @property
    def size(self) -> int:
        """K of the first level."""
        return self.levels[0].size


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """The vocabulary, for people."""

    entries: tuple[Entry, ...]
    shown: dict[int, Shown]  # of all exemplars, by row
    steps: tuple[int, ...]  # of the frames; 0 is u0
    train: int  # operators
    test: int
    pool: int  # training operators that exemplars were chosen from


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What all categories share."""

    train: Int[np.ndarray, " n"]
    test: Int[np.ndarray, " m"]
    pool: Int[np.ndarray, " p"]
    attributes: tuple[Attribute, ...]  # of the training operators


def describe(vocabulary: Vocabulary, sources: Sources, workers: int) -> Dictionary:
    """Describe every category and token by training operators, and count them on test operators.

    Args:
        vocabulary: target and tokens of all operators.
        sources: the run.
        workers: processes, if rollouts are replayed; they change no bit.
    """
    operators, index = sources.operators, sources.index
    train, test = sources.cleaned.rows("train"), sources.cleaned.rows("test")
    known = _Known(
        train=train,
        test=test,
        pool=at_hand(operators, index, train),
        attributes=tendencies.attributes(operators.take(train)),
    )
    entries = tuple(_entries(vocabulary, known))
    rows = {one.row for entry in entries for code in entry.codes for one in code.exemplars}
    wanted = np.array(sorted(rows), dtype=np.int64)
    rollouts = stream.rollouts(operators.take(wanted), index.folder, workers=workers)
    steps = shown_steps(index.steps)
    return Dictionary(
        entries=entries,
        shown=_shown(operators, wanted, rollouts, steps),
        steps=steps,
        train=len(train),
        test=len(test),
        pool=len(known.pool),
    )


def at_hand(
    operators: Operators, index: Index, rows: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " p"]:
    """Rows whose rollouts may be shown: those on disk, and so many more that it stays quick."""
    stored = np.array([index.stored_steps(int(operators.ids[row])) == index.steps for row in rows])
    if stored.all():
        return rows
    more = max(0, NUM_REPLAYED - int(stored.sum()))
    return np.sort(np.concatenate([rows[stored], rows[~stored][:more]]))


def shown_steps(steps: int) -> tuple[int, ...]:
    """0, T/8, T/2 and T, rounded up, each once."""
    return tuple(sorted({0, -(-steps // 8), -(-steps // 2), steps}))


def purpose(name: str) -> str:
    """What a column tells apart, as the registry of features says; empty for a foreign one."""
    family, _, _ = name.partition(".")
    known = _purposes(family)
    plain, _, aggregate = name.rpartition(".")
    if family == "summary" and aggregate in AGGREGATES:
        return AGGREGATES[aggregate] + known[plain] if plain in known else ""
    return known.get(name, "")


@cache
def _purposes(family: str) -> dict[str, str]:
    """By name; one that says "the same" is told with what it refers to, the last that does not."""
    found, before = {}, ""
    for column in names.columns(family):
        same = column.purpose.startswith(SAME)
        before = before if same else column.purpose
        found[column.name] = column.purpose.replace(SAME, f"{before},", 1) if same else before
    return found


def _entries(vocabulary: Vocabulary, known: _Known) -> Iterable[Entry]:
    layout = vocabulary.layout
    columns = [name for family in FAMILIES for name in layout.columns[family]]
    ends = np.cumsum([len(sizes) for sizes in vocabulary.sizes])
    all_tokens = np.split(vocabulary.own.tokens, ends[:-1], axis=1)
    for number, (category, tokens) in enumerate(zip(layout.categories, all_tokens, strict=True)):
        target = meanings.of_category(vocabulary.target, number)
        own, cells = np.unique(target.column, return_inverse=True)
        target = Target(target.values, target.exists, target.weight, target.category, cells)
        values = meanings.by_column(target)
        yield Entry(
            name=category.name,
            columns=tuple(columns[column] for column in own),
            cells=cells,
            features=_features([columns[column] for column in own], values[known.train]),
            codes=_codes(target, values, tokens[:, 0], known),
            levels=tuple(
                meanings.levels(target, tokens, vocabulary.sizes[number], known.train, known.test)
            ),
        )


def _features(columns: Sequence[str], values: Float[np.ndarray, "n D"]) -> tuple[Feature, ...]:
    return tuple(
        Feature(name=columns[place], place=place, purpose=purpose(columns[place]), told=told)
        for place, told in defining.greedy(meanings.filled(values), defining.COUNT)
    )


def _codes(
    target: Target, values: Float[np.ndarray, "N D"], token: Int[np.ndarray, " N"], known: _Known
) -> tuple[Code, ...]:
    found = [_code(target, values, token, int(c), known) for c in np.unique(token[known.train])]
    first = defining.greedy(meanings.filled(values[known.train]), 1)
    place = first[0][0] if first else 0
    return tuple(sorted(found, key=lambda code: np.nan_to_num(code.mean[place])))


def _code(
    target: Target,
    values: Float[np.ndarray, "N D"],
    token: Int[np.ndarray, " N"],
    code: int,
    known: _Known,
) -> Code:
    members = known.train[token[known.train] == code]
    tested = known.test[token[known.test] == code]
    distance = meanings.distances(target, members)
    order = [place for place in np.argsort(distance, kind="stable") if members[place] in known.pool]
    return Code(
        code=code,
        count=len(members),
        test=len(tested),
        mean=meanings.mean(values[members]),
        deviation=meanings.deviation(values[members]),
        test_mean=meanings.mean(values[tested]),
        tendencies=tendencies.tendencies(known.attributes, token[known.train] == code),
        exemplars=tuple(
            Exemplar(row=int(members[place]), distance=float(distance[place]))
            for place in order[:NUM_EXEMPLARS]
        ),
    )


def _shown(
    operators: Operators,
    rows: Int[np.ndarray, " n"],
    rollouts: Iterable[Rollout],
    steps: tuple[int, ...],
) -> dict[int, Shown]:
    return {
        int(row): Shown(
            operator=rollout.operator,
            policy=operators.theta[row].update_policy,
            initial_condition=operators.ic_types[row],
            frames=_frames(rollout, steps),
            spread=spread(rollout),
        )
        for row, rollout in zip(rows, rollouts, strict=True)
    }


def _frames(rollout: Rollout, steps: tuple[int, ...]) -> Float[np.ndarray, "S H W"]:
    frames = [rollout.u0[0] if step == 0 else rollout.u[0, step - 1, 0] for step in steps]
    return np.stack([frame.numpy() for frame in frames])


def spread(rollout: Rollout) -> float:
    r"""How far realizations are apart at the last step, as a share of the pattern.

    $\sqrt{\langle \operatorname{var}_r u \rangle / \operatorname{var}_x u}$: deviation between the
    realizations, mean over channels and domain, over the deviation of a channel over the domain,
    mean over channels and realizations. 0 if all are the same; NaN if there is one, or no pattern.
    """
    last = rollout.u[:, -1].double()
    within = float(last.var((-2, -1), correction=0).mean())
    if len(last) < 2 or within == 0:
        return float("nan")
    return float(np.sqrt(float(last.var(0).mean()) / within))
