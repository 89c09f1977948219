"""What goes where: few metrics to compare by eye, and tables that hold every number."""

import re
from collections.abc import Mapping, Sequence

Metrics = Mapping[str, float | int | None]
ENDS = ("mean", "low", "high")  # of the names that stand beside a value
DETAIL = re.compile(
    "|".join(
        (
            r"_to_\d+|spectral_|_count$|_label$|_share$|_null|_gain|_minus_|_shuffled$|_train_mean$",
            r"tokenizer/(quality|topo_(pre|post|end))_|tokenizer/\w+_(initial|summary|temporal)$",
            r"noa/(mse|valid_steps)\w*_(persistence|policy_alone|noise_floor|stencil)$",
            r"_(frame_mean|possible)$",
            r"noa/[^/]+/(?!vrmse_\d+$)",  # of a policy alone, all but the agent's error
            r"^val/noa/(?!vrmse_)\w+_(persistence|policy|ceiling)$",
        )
    )
)
HELD_OUT = re.compile(r"held_out/[^/]+/(tokenizer/(quality|reconstruction|gap)|noa/vrmse_\d+)$")


def headlines(metrics: Metrics) -> dict[str, float | int | None]:
    """The metrics that people compare from run to run.

    Left to `scores`: means and intervals, what is another's score less ours or said twice, floors
    that never move, spectra, windows of time, baselines by policy and on validation, and all but
    quality, reconstruction, its gap and VRMSE of the held-out groups.
    """
    return {
        name: value
        for name, value in metrics.items()
        if _base(name, metrics) is None
        and not DETAIL.search(name)
        and (HELD_OUT.match(name) or not name.startswith("held_out/"))
    }


def scores(metrics: Metrics) -> list[dict[str, str | float | int | None]]:
    """A row for every score: its value, its mean where that is another, and its interval."""
    return [
        {"metric": name, "value": value} | {end: metrics.get(f"{name}_{end}") for end in ENDS}
        for name, value in sorted(metrics.items())
        if _base(name, metrics) is None
    ]


def wide(curves: Sequence[Mapping[str, object]], policy: str) -> list[dict[str, object]]:
    """The medians of one policy, a row a step and a column a predictor."""
    rows: dict[object, dict[str, object]] = {}
    for point in curves:
        if point["policy"] == policy:
            row = rows.setdefault(point["step"], {"step": point["step"]})
            row[str(point["predictor"])] = point["median"]
    return list(rows.values())


def _base(name: str, metrics: Metrics) -> str | None:
    """The score that a mean or an end of an interval belongs to."""
    base, _, end = name.rpartition("_")
    return base if end in ENDS and base in metrics else None
