"""The scorecard: each criterion of success with its value, interval, floor, ceiling and goal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from spinlock.artifacts import rounded

Metrics = Mapping[str, float | int | None]
MSE_STEP = 64  # the step at which seed 004 asks for a mean squared error below 0.1
DIGITS = 3  # significant, in the printed table
WORDS = {True: "yes", False: "no", None: "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What success means, in terms of metric names."""

    name: str
    source: str  # who asks for it
    value: str  # metric; its interval is the same name with `_low` and `_high`
    better: Literal["above", "below"]
    goal: float | tuple[str, ...]  # a number, or the metrics that must all be beaten
    floor: str | None = None  # metric: what no skill gives
    ceiling: str | None = None  # metric: what is possible


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


TOKENIZER = (
    Criterion(
        name="quality > earlier work",
        source="seed 000",
        value="tokenizer/quality",
        better="above",
        goal=0.98,
        floor="tokenizer/quality_train_mean",
        ceiling="tokenizer/quality_unquantized",
    ),
    Criterion(
        name="reconstruction < PCA + k-means at equal bits",
        source="issue 3",
        value="tokenizer/reconstruction",
        better="below",
        goal=("tokenizer/reconstruction_pca_kmeans",),
        floor="tokenizer/reconstruction_train_mean",
        ceiling="tokenizer/reconstruction_unquantized",
    ),
    Criterion(
        name="reconstruction < every equal-bit code by category",
        source="issue 6",
        value="tokenizer/reconstruction",
        better="below",
        goal=tuple(
            f"tokenizer/reconstruction_{code}"
            for code in ("pca_kmeans", "residual_kmeans", "product")
        ),
        floor="tokenizer/reconstruction_untrained",
        ceiling="tokenizer/reconstruction_unquantized",
    ),
    Criterion(
        name="reconstruction < PCA with water-filled bits",
        source="issue 6",
        value="tokenizer/reconstruction",
        better="below",
        goal=("tokenizer/reconstruction_pca_waterfill",),
        floor="tokenizer/reconstruction_shuffled",
        ceiling="tokenizer/reconstruction_unquantized",
    ),
    Criterion(
        name="utilization > earlier work",
        source="seed 000",
        value="tokenizer/utilization",
        better="above",
        goal=0.51,
    ),
    Criterion(
        name="topography input-latent > earlier work",
        source="seed 000",
        value="tokenizer/topo_pre",
        better="above",
        goal=0.989,
        floor="tokenizer/topo_pre_untrained",
    ),
    Criterion(
        name="topography latent-quantized > earlier work",
        source="seed 000",
        value="tokenizer/topo_post",
        better="above",
        goal=0.994,
        floor="tokenizer/topo_post_untrained",
    ),
    Criterion(
        name="topography input-tokens > k-means, untrained",
        source="issue 6",
        value="tokenizer/topo_tokens",
        better="above",
        goal=("tokenizer/topo_tokens_residual_kmeans", "tokenizer/topo_tokens_untrained"),
        floor="tokenizer/topo_tokens_shuffled",
    ),
    Criterion(
        name="identity: agreement within > between operators",
        source="issue 6",
        value="tokenizer/identity_within",
        better="above",
        goal=("tokenizer/identity_between",),
        floor="tokenizer/identity_between",
    ),
)


def agent_criteria(headline_steps: Sequence[int], policies: Sequence[str]) -> list[Criterion]:
    """Criteria of the agent: over all operators, then by update policy."""
    groups = ["noa", *(f"noa/{policy}" for policy in policies)]
    return [
        *(_vrmse(group, step) for group in groups for step in headline_steps),
        *(_mse(step) for step in headline_steps if step == MSE_STEP),
        Criterion(
            name="share of bounded rollouts",
            source="issue 7",
            value="noa/bounded",
            better="above",
            goal=1.0,
        ),
        Criterion(
            name="kappa of tokens > persistence",
            source="issue 7",
            value="noa/token_kappa",
            better="above",
            goal=("noa/token_kappa_persistence",),
            floor="noa/token_kappa_persistence",
            ceiling="noa/token_kappa_ceiling",
        ),
    ]


def _vrmse(group: str, step: int) -> Criterion:
    name = f"{group}/vrmse_{step}"
    return Criterion(
        name=f"{group.removeprefix('noa').strip('/') or 'all'}: VRMSE at step {step} < baselines",
        source="issue 3" if group == "noa" else "issue 7",
        value=name,
        better="below",
        goal=(f"{name}_persistence", f"{name}_policy_alone"),
        floor=f"{name}_persistence",
        ceiling=f"{name}_noise_floor",
    )


def _mse(step: int) -> Criterion:
    return Criterion(
        name=f"MSE at step {step} < goal",
        source="seed 004",
        value=f"noa/mse_{step}",
        better="below",
        goal=0.1,
        floor=f"noa/mse_{step}_persistence",
        ceiling=f"noa/mse_{step}_noise_floor",
    )


def judge(criterion: Criterion, metrics: Metrics) -> Row:
    """Look the metrics up and compare; a number is a goal to reach, a metric one to beat."""
    value = _number(metrics, criterion.value)
    goal, met = _goal(criterion, metrics), None
    if value is not None and goal is not None:
        beaten = value < goal if criterion.better == "below" else value > goal
        reached = value == goal and criterion.better == "above"
        met = beaten or (reached and isinstance(criterion.goal, float))
    return Row(
        criterion=criterion.name,
        source=criterion.source,
        metric=criterion.value,
        value=value,
        low=_interval(metrics, f"{criterion.value}_low"),
        high=_interval(metrics, f"{criterion.value}_high"),
        floor=_number(metrics, criterion.floor),
        ceiling=_number(metrics, criterion.ceiling),
        goal=goal,
        met=met,
    )


def table(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Rows as `artifacts.write_table` takes them; empty cells for what is not known."""
    return [
        {name: "" if cell is None else cell for name, cell in _cells(row).items()} for row in rows
    ]


def text(rows: Sequence[Row]) -> str:
    """The scorecard as plain text, columns aligned."""
    header = ("criterion", "value", "low", "high", "floor", "ceiling", "goal", "met")
    cells: list[tuple[str, ...]] = [header]
    for row in rows:
        numbers = (row.value, row.low, row.high, row.floor, row.ceiling, row.goal)
        cells.append((row.criterion, *map(_text, numbers), WORDS[row.met]))
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
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
    known = [v for v in (_number(metrics, key) for key in criterion.goal) if v is not None]
    if not known:
        return None
    return min(known) if criterion.better == "below" else max(known)


def _number(metrics: Metrics, key: str | None) -> float | None:
    """A metric that must have been computed, though it may be null; none if no key is given."""
    return None if key is None else _finite(metrics[key])


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
