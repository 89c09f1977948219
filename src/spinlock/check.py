"""Check the whole of params.yaml before any work starts: `python -m spinlock.check`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinlock import params, runtime
from spinlock.categories import partition
from spinlock.cleaning import fitting
from spinlock.evaluation import config as evaluation
from spinlock.features import config as features
from spinlock.initial_conditions import families
from spinlock.noa import config as noa
from spinlock.refusals import Refusal
from spinlock.rollout import config as rollout
from spinlock.sampling import config as sampling
from spinlock.tokenizer import config as tokenizer

SECTIONS: dict[str, type] = {
    "seed": int,
    "sample": sampling.Config,
    "generate": rollout.Config,
    "extract": features.Config,
    "clean": fitting.Config,
    "discover_categories": partition.Config,
    "train_vqvae": tokenizer.Config,
    "train_noa": noa.Config,
    "evaluate": evaluation.Config,
    "runtime": runtime.Config,
}


def check(path: Path) -> None:
    """Check a whole file; see `check_tree`."""
    check_tree(params.read(path), path)


def check_tree(tree: Mapping[str, object], place: Path | str) -> None:
    """Parse every section, and look at what no section can see alone.

    Args:
        tree: all sections.
        place: where they come from, for the message.

    Raises:
        Refusal: the first thing that is wrong, with its key, its value and what is allowed.
    """
    if unknown := sorted(set(tree) - set(SECTIONS)):
        raise Refusal(f"{place}: {unknown[0]}: unknown section; known: {', '.join(SECTIONS)}")
    parsed: dict[str, Any] = {
        name: params.parse(name, tree, schema, place) for name, schema in SECTIONS.items()
    }
    _check_families(parsed["sample"], place)
    runtime.device(parsed["runtime"])
    _check_across(parsed, place)


def _check_families(sample: sampling.Config, place: Path | str) -> None:
    """Refuse an initial condition that does not exist, or under another family's name."""
    for index, named in enumerate(sample.ic_mix):
        for variant in named.variants:
            try:
                family = families.family(variant)
            except Refusal as refusal:
                raise Refusal(f"{place}: {refusal}") from None
            if family != named.family:
                raise Refusal(
                    f"{place}: sample.ic_mix.{index}.family: '{variant}' is of family "
                    f"'{family}', got '{named.family}'"
                )


def _check_across(parsed: Mapping[str, Any], place: Path | str) -> None:
    """Refuse sections that cannot be right together."""
    sample, generate, agent = (parsed[name] for name in ("sample", "generate", "train_noa"))
    stride = 2**agent.backbone.encoder_levels
    if sample.grid_size % stride:
        raise Refusal(
            f"{place}: sample.grid_size: must be a multiple of {stride}, 2 to the power of "
            f"train_noa.backbone.encoder_levels, got {sample.grid_size}"
        )
    try:
        agent.check_steps(generate.steps)
    except Refusal as refusal:
        raise Refusal(f"{place}: {refusal}") from None
    wanted = parsed["extract"].max_operators
    if wanted is not None and wanted > sample.num_operators:
        raise Refusal(
            f"{place}: extract.max_operators: must be at most sample.num_operators = "
            f"{sample.num_operators}, got {wanted}"
        )
    if parsed["clean"].min_reliability is not None and not parsed["extract"].further_draws:
        raise Refusal(
            f"{place}: clean.min_reliability: allowed null while extract.further_draws is 0, "
            f"got {parsed['clean'].min_reliability}"
        )
    learn = parsed["train_vqvae"]
    try:
        learn.check_data(learn.views(generate.realizations), sample.grid_size)
    except Refusal as refusal:
        raise Refusal(f"{place}: {refusal}") from None
    bins = learn.temporal_bins
    if generate.steps % bins:
        raise Refusal(
            f"{place}: train_vqvae.temporal_bins: must divide generate.steps = {generate.steps}, "
            f"got {bins}"
        )


def main() -> None:
    """Exit with status 2 and one line if something is wrong."""
    try:
        check(params.PATH)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
