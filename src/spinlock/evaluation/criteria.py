"""The criteria of success, and the numbers beside which they stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MSE_STEP = 64  # the step at which seed 004 asks for a mean squared error below 0.1
CLASSICAL = ("pca_kmeans", "residual_kmeans", "product")  # by category, at equal bits
BY_CATEGORY = (*CLASSICAL, "residual_beam", "residual_beam_wide")  # and made of our own start
EQUAL_BITS = (*BY_CATEGORY, "residual_beam_readout")  # the last has the tokens of another
COMPARED = (*EQUAL_BITS, "pca_waterfill", "untrained")  # what the tokenizer must beat
CODES = (
    "train_mean",
    "shuffled",
    "untrained",
    *EQUAL_BITS,
    "pca_waterfill",
    "unquantized",
)
BOUNDS = ("gaussian_bound", "gaussian_bound_by_category")  # what no code has, see `bound`
RECONSTRUCTION = "tokenizer/reconstruction"
BASELINES = ("persistence", "train_mean", "policy_alone", "frame_mean", "stencil")
ABLATIONS = ("no_theta", "shuffled_theta")
PREDICTORS = (*BASELINES, "noise_floor", *ABLATIONS)
WINDOWS = ("1_to_1", "2_to_5", "6_to_12", "13_to_30", "31_to_64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What success means, in terms of metric names."""

    name: str
    source: str  # who asks for it
    value: str  # metric; its interval is the same name with `_low` and `_high`
    better: Literal["above", "below"]
    goal: float | tuple[str, ...]  # a number, or the metrics that must all be beaten
    paired: tuple[str, ...] = ()  # metrics: paired difference to each of them, with its interval
    floor: str | None = None  # metric: what no skill gives
    ceiling: str | None = None  # metric: what is possible


def _rivals(value: str, codes: tuple[str, ...], word: str = "") -> tuple[str, ...]:
    """The same metric of other codes, or the paired differences to them."""
    return tuple(f"{value}{word}_{code}" for code in codes)


def _reconstruction(name: str, source: str, codes: tuple[str, ...], floor: str) -> Criterion:
    return Criterion(
        name=name,
        source=source,
        value=RECONSTRUCTION,
        better="below",
        goal=_rivals(RECONSTRUCTION, codes),
        paired=_rivals(RECONSTRUCTION, codes, "_minus"),
        floor=f"{RECONSTRUCTION}_{floor}",
        ceiling=f"{RECONSTRUCTION}_unquantized",
    )


def _on_tokens(name: str, source: str, metric: str) -> Criterion:
    value, rivals = f"tokenizer/{metric}", (*BY_CATEGORY, "untrained")
    return Criterion(
        name=f"{name} > k-means, untrained",
        source=source,
        value=value,
        better="above",
        goal=_rivals(value, rivals),
        paired=_rivals(value, rivals, "_minus"),
        floor=f"{value}_size",
    )


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
    _reconstruction(
        "reconstruction < PCA + k-means at equal bits", "issue 3", ("pca_kmeans",), "train_mean"
    ),
    _reconstruction(
        "reconstruction < the classical equal-bit codes by category",
        "issue 6",
        CLASSICAL,
        "untrained",
    ),
    Criterion(
        name="reconstruction / the best classical code by category < 0.9",
        source="issue 6",
        value="tokenizer/reconstruction_over_classical",
        better="below",
        goal=0.9,
    ),
    _reconstruction(
        "reconstruction < all equal-bit codes by category, its own start's too",
        "own",
        EQUAL_BITS,
        "untrained",
    ),
    Criterion(
        name="reconstruction / the best code by category, its own start's too < 0.9",
        source="own",
        value="tokenizer/reconstruction_over_best",
        better="below",
        goal=0.9,
    ),
    _reconstruction(
        "reconstruction < PCA with water-filled bits", "issue 6", ("pca_waterfill",), "shuffled"
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
    _on_tokens("topography input-tokens", "issue 6", "topo_tokens"),
    _on_tokens("topography, sizes regressed out", "own", "topo_partial"),
    _on_tokens("nearest neighbours by tokens", "own", "neighbours"),
    Criterion(
        name="identity: agreement within > between operators",
        source="issue 6",
        value="tokenizer/identity_within",
        better="above",
        goal=("tokenizer/identity_between",),
        paired=("tokenizer/identity_gain",),
        floor="tokenizer/identity_between",
    ),
    Criterion(
        name="identity: within > between in every category outside INITIAL",
        source="issue 6",
        value="tokenizer/identity_certain",
        better="above",
        goal=1.0,
    ),
    Criterion(
        name="identity: within > between of the same kind of u0, in every category",
        source="own",
        value="tokenizer/identity_certain_kind",
        better="above",
        goal=1.0,
    ),
)


def agent_criteria(headline_steps: Sequence[int], policies: Sequence[str]) -> list[Criterion]:
    """Criteria of the agent: over all operators, then by update policy."""
    groups = ["noa", *(f"noa/{policy}" for policy in policies)]
    return [
        *(_vrmse(group, step) for group in groups for step in headline_steps),
        *(_theta(group, window) for group in groups for window in WINDOWS),
        *(_mse(step) for step in headline_steps if step == MSE_STEP),
        Criterion(
            name="share of bounded rollouts of the agent",
            source="issue 7",
            value="noa/bounded",
            better="above",
            goal=1.0,
        ),
        Criterion(
            name="kappa of the agent's tokens > persistence, policy",
            source="issue 7",
            value="noa/token_kappa",
            better="above",
            goal=("noa/token_kappa_persistence", "noa/token_kappa_policy"),
            floor="noa/token_kappa_policy",
            ceiling="noa/token_kappa_ceiling",
        ),
        _code("agent's code error < goal", "code_error", "below", 0.15),
        _code(
            "agent's code error / variance of codes < goal", "code_error_relative", "below", 0.15
        ),
        _code("agent's entropy ratio, two-sided > goal", "entropy_ratio_two_sided", "above", 0.9),
        _code("agent's utilization > goal", "token_utilization", "above", 0.4),
        _code("agent's cluster agreement > goal", "cluster_agreement", "above", 0.8),
    ]


def _vrmse(group: str, step: int) -> Criterion:
    name = f"{group}/vrmse_{step}"
    return Criterion(
        name=f"{group.removeprefix('noa').strip('/') or 'all'}: VRMSE at step {step} < baselines",
        source="issue 3" if group == "noa" else "issue 7",
        value=name,
        better="below",
        goal=_rivals(name, BASELINES),
        paired=_rivals(name, BASELINES, "_minus"),
        floor=f"{name}_persistence",
        ceiling=f"{name}_possible",
    )


def _theta(group: str, window: str) -> Criterion:
    name, steps = f"{group}/vrmse_{window}", window.replace("_to_", "-").replace("1-1", "1")
    return Criterion(
        name=f"{group.removeprefix('noa').strip('/') or 'all'}: VRMSE of steps {steps} < without θ",
        source="issue 7",
        value=name,
        better="below",
        goal=_rivals(name, ABLATIONS),
        paired=_rivals(name, ABLATIONS, "_minus"),
        floor=f"{name}_no_theta",
        ceiling=f"{name}_possible",
    )


def _code(name: str, metric: str, better: Literal["above", "below"], goal: float) -> Criterion:
    return Criterion(
        name=name,
        source="seed 004",
        value=f"noa/{metric}",
        better=better,
        goal=goal,
        floor=f"noa/{metric}_policy",
        ceiling=f"noa/{metric}_ceiling",
    )


def _mse(step: int) -> Criterion:
    return Criterion(
        name=f"MSE at step {step} < goal",
        source="seed 004",
        value=f"noa/mse_{step}",
        better="below",
        goal=0.1,
        floor=f"noa/mse_{step}_persistence",
        ceiling=f"noa/mse_{step}_possible",
    )


SAID = {"shuffled": "another operator's tokens", "train_mean": "the training mean"}  # of no code


def references(headline_steps: Sequence[int]) -> dict[str, str]:
    """What else is measured on the test split: metric → what it is."""
    codes = {
        f"tokenizer/reconstruction_{code}": f"reconstruction of {SAID.get(code, _words(code))}"
        for code in (*CODES, *BOUNDS)
    }
    alone = {
        "leakage_ic": "leakage of the IC family into a token outside INITIAL, bits",
        "leakage_ic_joint": "leakage of the IC family into all such tokens together, bits",
        "identity_margin": "identity: least within − between of a category outside INITIAL",
        "identity_margin_kind": "identity: least of one kind of u0, of a category outside INITIAL",
    }
    predictors = {
        f"noa/vrmse_{step}_{name}": f"VRMSE at step {step} of {_words(name)}"
        for name in PREDICTORS
        for step in headline_steps
    }
    return codes | {f"tokenizer/{name}": said for name, said in alone.items()} | predictors


def _words(name: str) -> str:
    return name.replace("_", " ")
