"""The scorecard: each criterion of success with its value, interval, floor, ceiling and goal."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from spinlock.artifacts import rounded
from spinlock.evaluation import criteria
from spinlock.evaluation.criteria import Criterion

Metrics = Mapping[str, float | int | None]
DIGITS = 3  # significant, in the printed table
CODED = ("reconstruction", "quality")
NUMBERS = (
    *("value", "low", "high", "no skill", "possible", "goal", "met"),
    *("difference", "low", "high"),
)
GAP = re.compile(rf"held_out/([^/]+)/tokenizer/gap(?:_({'|'.join(criteria.COMPARED)}))?")
WORDS = {True: "yes", False: "no", None: "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of `plots/scorecard.csv`; None where nothing is known."""

    criterion: str
    source: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    floor: float | None
    ceiling: float | None
    goal: float | None  # to be exceeded, or to stay below, as `criterion` says
    met: bool | None
    difference: float | None  # paired, to the rival that comes closest
    difference_low: float | None
    difference_high: float | None


def scorecard(
    metrics: Metrics, headline_steps: Sequence[int], policies: Sequence[str]
) -> list[Row]:
    """Every criterion, then the numbers beside which they stand, which nothing is asked of."""
    wanted = [*criteria.TOKENIZER, *criteria.agent_criteria(headline_steps, policies)]
    beside = criteria.references(headline_steps).items()
    return [
        *(judge(criterion, metrics) for criterion in wanted),
        *(reference(metric, name, metrics) for metric, name in beside),
    ]


def judge(criterion: Criterion, metrics: Metrics) -> Row:
    """Look the metrics up and compare; a number is a goal to reach, a metric one to beat.

    A rival is beaten if the value is better and the interval of the paired difference, where there
    is one, does not reach 0: intervals of two codes on the same operators may overlap although one
    is better on each of them, and a better value alone may be chance. A rival whose difference
    should be known and is not leaves a doubt. A score that is infinite,
    since a prediction is not finite, meets no goal, and is written as an empty cell.
    """
    value, goal, met = _known(metrics, criterion.value), _goal(criterion, metrics), None
    differences = _differences(criterion, metrics)
    closest = differences[0] if differences else (None, None, None)
    if value is not None and goal is not None:
        beaten = value < goal if criterion.better == "below" else value > goal
        reached = value == goal and criterion.better == "above"
        met = (beaten and _certain(criterion, metrics, differences)) or (
            reached and isinstance(criterion.goal, float)
        )
    return Row(
        criterion=criterion.name,
        source=criterion.source,
        metric=criterion.value,
        value=_finite(value),
        low=_interval(metrics, f"{criterion.value}_low"),
        high=_interval(metrics, f"{criterion.value}_high"),
        floor=_number(metrics, criterion.floor),
        ceiling=_number(metrics, criterion.ceiling),
        goal=_finite(goal),
        met=met,
        difference=_finite(closest[0]),
        difference_low=_finite(closest[1]),
        difference_high=_finite(closest[2]),
    )


def reference(metric: str, name: str, metrics: Metrics) -> Row:
    """A row without a goal."""
    return Row(
        criterion=name,
        source="baseline",
        metric=metric,
        value=_number(metrics, metric),
        low=_interval(metrics, f"{metric}_low"),
        high=_interval(metrics, f"{metric}_high"),
        floor=None,
        ceiling=None,
        goal=None,
        met=None,
        difference=None,
        difference_low=None,
        difference_high=None,
    )


def table(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Rows as `artifacts.write_table` takes them; empty cells for what is not known."""
    return [
        {name: "" if cell is None else cell for name, cell in _cells(row).items()} for row in rows
    ]


def text(rows: Sequence[Row], metrics: Metrics, headline_steps: Sequence[int]) -> str:
    """The criteria, the codes and the predictors as plain text, columns aligned."""
    judged = [
        (row.criterion, *map(_text, _numbers(row)), WORDS[row.met], *map(_text, _paired(row)))
        for row in rows
        if row.source != "baseline"
    ]
    codes = [
        (name.replace("_", " "), *(_text(_number(metrics, f"tokenizer/{k}{end}")) for k in CODED))
        for name, end in (("tokenizer", ""), *((c, f"_{c}") for c in criteria.CODES))
    ]
    predictors = [
        (
            name.replace("_", " "),
            *(_text(_number(metrics, f"noa/vrmse_{step}{end}")) for step in headline_steps),
        )
        for name, end in (("agent", ""), *((p, f"_{p}") for p in criteria.PREDICTORS))
    ]
    steps = (f"step {step}" for step in headline_steps)
    tables = [
        [("criterion, test operators", *NUMBERS), *judged],
        [("codes of equal bits, floors, ceiling", *CODED), *codes],
        [("median VRMSE of rollouts", *steps), *predictors],
    ]
    if gaps := _gaps(metrics):
        header = ("reconstruction of held-out operators − test", "value", "low", "high")
        tables.insert(2, [header, *gaps])
    return "\n\n".join(map(_aligned, tables))


def _numbers(row: Row) -> tuple[float | None, ...]:
    return (row.value, row.low, row.high, row.floor, row.ceiling, row.goal)


def _paired(row: Row) -> tuple[float | None, ...]:
    return (row.difference, row.difference_low, row.difference_high)


def _gaps(metrics: Metrics) -> list[tuple[str, ...]]:
    """What codes lose on held-out groups, with intervals: see `tokenizer.gaps`."""
    found = [match for name in metrics if (match := GAP.fullmatch(name))]
    return [
        (
            f"{match[1]}: {(match[2] or 'tokenizer').replace('_', ' ')}",
            *(_text(_number(metrics, match[0] + end)) for end in ("", "_low", "_high")),
        )
        for match in found
    ]


Paired = tuple[float | None, float | None, float | None]  # a difference and its interval


def _differences(criterion: Criterion, metrics: Metrics) -> list[Paired]:
    """The paired differences that are known; the least in favor of the value first."""
    found: list[Paired] = [
        (_known(metrics, name), _known(metrics, f"{name}_low"), _known(metrics, f"{name}_high"))
        for name in criterion.paired
    ]
    sign = 1 if criterion.better == "above" else -1
    known = [(sign * entry[0], entry) for entry in found if entry[0] is not None]
    return [entry for _, entry in sorted(known, key=lambda pair: pair[0])]


def _certain(criterion: Criterion, metrics: Metrics, differences: Sequence[Paired]) -> bool:
    """Whether no paired difference leaves a doubt, nor lacks; true if none is asked for."""
    if isinstance(criterion.goal, tuple) and criterion.paired:
        for rival, difference in zip(criterion.goal, criterion.paired, strict=True):
            if _known(metrics, rival) is not None and _known(metrics, difference) is None:
                return False
    if criterion.better == "above":
        return all(low is not None and low > 0 for _, low, _ in differences)
    return all(high is not None and high < 0 for _, _, high in differences)


def _aligned(cells: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        for line in cells
    )


def _goal(criterion: Criterion, metrics: Metrics) -> float | None:
    """The goal itself, or the best of the metrics to beat."""
    if isinstance(criterion.goal, float):
        return criterion.goal
    known = [v for v in (_known(metrics, key) for key in criterion.goal) if v is not None]
    if not known:
        return None
    return min(known) if criterion.better == "below" else max(known)


def _known(metrics: Metrics, key: str) -> float | None:
    """A metric that must have been computed, infinite perhaps; none if it is null."""
    value = metrics[key]
    return None if value is None or math.isnan(value) else float(value)


def _number(metrics: Metrics, key: str | None) -> float | None:
    """A metric that must have been computed, though it may be null; none if no key is given."""
    return None if key is None else _finite(_known(metrics, key))


def _interval(metrics: Metrics, key: str) -> float | None:
    """An end of an interval; not every metric has one."""
    return _finite(metrics[key]) if key in metrics else None


def _finite(value: float | int | None) -> float | None:
    return rounded(None if value is None else float(value))


def _cells(row: Row) -> dict[str, object]:
    cells = asdict(row) | {"met": WORDS[row.met]}
    return {name: cell for name, cell in cells.items() if name != "metric"}


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.{DIGITS}g}"
