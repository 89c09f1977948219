"""From the tokenizer's scores to its pictures; picks and names, computes no score."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from spinlock.categories.grouping import Grouping
from spinlock.evaluation import codebook, semantics, usage
from spinlock.evaluation.consistency import Sources
from spinlock.evaluation.report import Report
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.plots import dendrogram, engineering, headline, rate, semantic, topological
from spinlock.plots.files import Drawing
from spinlock.plots.semantic import Bars
from spinlock.tokenizer.layout import FAMILIES
from spinlock.tokenizer.model import Tokenizer

BASELINE = "residual_beam"  # the best code of equal bits that keeps the categories


def pictures(
    sources: Sources, report: Report, panels: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, Drawing]:
    """The pictures of the tokenizer by the names of their files.

    Args:
        sources: the trained one, its categories, and the seed of the embedding of the codes.
        report: its scores.
        panels: panel → curve → value by epoch.
    """
    tokenizer, seed = sources.tokenizer, sources.operators.seed
    title = "Rate and distortion of codes, test operators (95 % intervals)"
    return {
        "engineering.png": _engineering(tokenizer, report, panels),
        "topological.png": _topological(tokenizer, report.vocabulary, seed),
        "semantic.png": _semantic(tokenizer, report),
        "categories.png": _categories(tokenizer, report, sources.grouping),
        "rate_distortion.png": partial(rate.curve, report.tables["rate_distortion"], title),
    }


def _engineering(
    tokenizer: Tokenizer, report: Report, panels: Mapping[str, Mapping[str, np.ndarray]]
) -> Drawing:
    used, sizes = _used(report.vocabulary), _sizes(report.vocabulary)
    return partial(
        engineering.dashboard,
        engineering.EngineeringPicture(
            boxes=_boxes(tokenizer),
            curves=panels,
            categories=tokenizer.categories,
            levels=tuple(map(str, range(sizes.shape[1]))),
            utilization=used / sizes,
            used=used,
            reconstruction=_column(report, "reconstruction_by_category", "tokenizer"),
            reconstruction_baseline=_column(report, "reconstruction_by_category", BASELINE),
            baseline=f"{BASELINE.replace('_', ' ')}, equal bits",
            headlines=headline.of(report.scorecard, "tokenizer"),
        ),
    )


def _boxes(tokenizer: Tokenizer) -> tuple[engineering.Box, ...]:
    kept, config = tokenizer.cleaner.kept, tokenizer.config
    raw = sum(len(tokenizer.cleaner.family(family).names) for family in FAMILIES)
    columns = sum(len(names) for names in kept.values())
    groups, depths = len(tokenizer.categories), tokenizer.quantizer.levels
    codes = ", ".join(str(size) for size in sorted(set(tokenizer.quantizer.sizes)))
    levels = f"{min(depths)} to {max(depths)}" if min(depths) < max(depths) else f"{max(depths)}"
    parameters = sum(p.numel() for p in tokenizer.parameters())
    return (
        engineering.Box(name="features", size=f"{raw} columns\n{tokenizer.num_steps} steps"),
        engineering.Box(name="cleaner", size=f"{columns} kept"),
        engineering.Box(
            name="encoders", size=f"{groups} categories\nwidth {config.group_embedding_dim}"
        ),
        engineering.Box(name="quantizer", size=f"{levels} levels of\n{codes} codes"),
        engineering.Box(name="tokens", size=f"{sum(depths)} tokens\n{tokenizer.bits:.0f} bits"),
        engineering.Box(name="tokenizer", size=f"{parameters} parameters\nin all"),
    )


def _topological(tokenizer: Tokenizer, vocabulary: Vocabulary, seed: int) -> Drawing:
    tokens = vocabulary.own.tokens[vocabulary.target.exists.any(1)]
    codes = codebook.codes(tokenizer, tokens, 0)
    used, sizes = _used(vocabulary), _sizes(vocabulary)
    return partial(
        topological.dashboard,
        topological.TopologicalPicture(
            categories=tokenizer.categories,
            vectors=codes.vectors,
            category_of=codes.category,
            uses=codes.uses,
            cosines=codebook.cosines(codes.vectors),
            dead=1 - used / sizes,
            dead_counts=np.nan_to_num(sizes - used).astype(np.int64),
            counts=tuple(usage.counts(tokens, vocabulary.sizes)),
            seed=seed,
        ),
    )


def _semantic(tokenizer: Tokenizer, report: Report) -> Drawing:
    found, layout = report.semantics, tokenizer.layout
    sizes = [[len(getattr(c, family)) for family in FAMILIES] for c in layout.categories]
    return partial(
        semantic.dashboard,
        semantic.SemanticPicture(
            categories=tokenizer.categories,
            columns=_names(tokenizer),
            category_of=found.category_of,
            association=found.association,
            association_label="mean |ρ| with the category's columns, training operators",
            families=FAMILIES,
            sizes=np.array(sizes),
            correlation=found.correlation,
            correlation_label="mean |ρ| between columns, training operators",
            bars=(
                _bars(report, "topo_tokens", "Topography: distances of columns and of tokens, ρ"),
                _identity(report),
            ),
        ),
    )


def _bars(report: Report, name: str, title: str) -> Bars:
    table = "reconstruction_by_category"
    values = [_column(report, table, f"{name}{end}") for end in ("", "_low", "_high")]
    return Bars(title=title, value=values[0], low=values[1], high=values[2])


def _identity(report: Report) -> Bars:
    names = ("margin_kind", "low_kind", "high_kind")
    values = [_column(report, "identity", name) for name in names]
    title = "Identity: margin beside the same kind of u0"
    return Bars(title=title, value=values[0], low=values[1], high=values[2])


def _categories(tokenizer: Tokenizer, report: Report, grouping: Grouping) -> Drawing:
    found = report.semantics
    return partial(
        dendrogram.picture,
        dendrogram.TreePicture(
            categories=tokenizer.categories,
            category_of=found.category_of,
            similar=found.similar,
            tree=semantics.tree(found, _names(tokenizer), grouping),
            count=found.count,
        ),
    )


def _names(tokenizer: Tokenizer) -> tuple[str, ...]:
    """Columns, in the order of the layout."""
    return tuple(name for family in FAMILIES for name in tokenizer.layout.columns[family])


def _used(vocabulary: Vocabulary) -> Int[np.ndarray, "G L"]:
    """Codes that at least one operator of the set uses; 0 where there is no such level."""
    tokens = vocabulary.own.tokens[vocabulary.target.exists.any(1)]
    exists = np.isfinite(_sizes(vocabulary))
    used = np.zeros(exists.shape, dtype=np.int64)
    used[exists] = [len(np.unique(token)) for token in tokens.T]
    return used


def _sizes(vocabulary: Vocabulary) -> Float[np.ndarray, "G L"]:
    """Codes of each level of each category; NaN where there is no such level."""
    depth = max(map(len, vocabulary.sizes))
    return np.array([[*levels, *[np.nan] * (depth - len(levels))] for levels in vocabulary.sizes])


def _column(report: Report, table: str, name: str) -> Float[np.ndarray, " G"]:
    values = [row[name] for row in report.tables[table]]
    return np.array([np.nan if value in ("", None) else value for value in values], dtype=float)
