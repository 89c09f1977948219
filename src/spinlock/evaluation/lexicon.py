"""The tokenizer's half of the evaluation: all its scores by group of operators, and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from spinlock.evaluation import (
    breakdown,
    distortion,
    identity,
    leakage,
    probes,
    semantics,
    tokenizer,
    usage,
)
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.config import Config
from spinlock.evaluation.consistency import Sources
from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.resampling import Flat, prefixed
from spinlock.evaluation.views import Tokens
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.initial_conditions.families import family

TEST, VALIDATION = "", "val/"
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """What is scored, and how."""

    sources: Sources
    vocabulary: Vocabulary
    config: Config
    groups: Mapping[str, str]  # prefix of the metrics → group of operators
    how: Bootstrap  # of operators
    pairs: Bootstrap  # of operators, for scores over pairs
    again: Mapping[int, Tokens]  # by row, see `views.tokens_again`

    def rows(self, prefix: str) -> Int[np.ndarray, " n"]:
        """Valid operators of a group."""
        return self.sources.cleaned.rows(self.groups[prefix])

    def alone(self, prefix: str) -> Int[np.ndarray, " n"]:
        """Valid operators of a held-out group that are in no other."""
        rows = self.rows(prefix)
        return rows[self.sources.operators.held_out[rows].sum(1) == 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Metrics with their prefixes, and tables by the name of their file."""

    metrics: Flat
    tables: dict[str, list[Row]]


def findings(lexicon: Lexicon) -> Findings:
    """Everything; the tables are of the test operators."""
    metrics: Flat = {}
    for prefix in lexicon.groups:
        metrics |= prefixed(f"{prefix}tokenizer/", _group(lexicon, prefix))
    for prefix in (TEST, VALIDATION):
        found = identity.metrics(
            _twice(lexicon, prefix), lexicon.vocabulary.isolated, _levels(lexicon), lexicon.how
        )
        found |= _together(lexicon, prefix)
        metrics |= prefixed(f"{prefix}tokenizer/", found)
    everyone = np.flatnonzero(lexicon.sources.cleaned.metadata.valid)
    joint = tokenizer.joint(lexicon.vocabulary, everyone, lexicon.how.seed)
    tables = _tables(lexicon, _twice(lexicon, TEST))
    return Findings(metrics=metrics | prefixed("all/tokenizer/", joint), tables=tables)


def _group(lexicon: Lexicon, prefix: str) -> Flat:
    """Scores of one group of operators."""
    rows, vocabulary, how = lexicon.rows(prefix), lexicon.vocabulary, lexicon.how
    found = tokenizer.metrics(vocabulary, rows, how, lexicon.pairs)
    tokens = vocabulary.own.tokens[rows][:, ~vocabulary.isolated]
    permutations = lexicon.config.num_permutations
    found |= leakage.metrics(tokens, _families(lexicon, rows), permutations, how)
    found |= dict.fromkeys(semantics.NAMES)
    if len(rows) >= how.min_operators:
        target = vocabulary.target.take(rows)
        spoken = semantics.semantics(target, len(vocabulary.layout.categories))
        found |= semantics.metrics(spoken)
    if prefix not in (TEST, VALIDATION):
        found |= tokenizer.gaps(vocabulary, lexicon.alone(prefix), lexicon.rows(TEST), how)
    return found


def _together(lexicon: Lexicon, prefix: str) -> Flat:
    """What all tokens outside INITIAL tell together of the family of the initial condition."""
    families = _families(lexicon, np.arange(len(lexicon.vocabulary.own.tokens)))
    tokens = lexicon.vocabulary.own.tokens[:, ~lexicon.vocabulary.isolated]
    split = lexicon.sources.cleaned.rows("train"), lexicon.rows(prefix)
    return leakage.together(tokens, families, split, lexicon.how)


def _tables(lexicon: Lexicon, twice: identity.Twice) -> dict[str, list[Row]]:
    rows, vocabulary, how = lexicon.rows(TEST), lexicon.vocabulary, lexicon.how
    names = [category.name for category in vocabulary.layout.categories]
    levels = _levels(lexicon)
    group = breakdown.group(vocabulary, rows, how, lexicon.pairs)
    train = lexicon.sources.cleaned.rows("train")
    tokens, config = vocabulary.own.tokens, lexicon.config
    fit = Fit(how.seed, "rate_distortion", config.num_init)
    return {
        "reconstruction_by_category": breakdown.by_category(vocabulary, group),
        "r2_by_column": breakdown.by_column(vocabulary, group),
        "identity": identity.by_category(twice, names, levels, how),
        "leakage": leakage.by_category(
            tokens[rows],
            _families(lexicon, rows),
            list(zip(names, identity.parts(levels), strict=True)),
            config.num_permutations,
            how,
        ),
        "probes": _probes(lexicon, (train, rows)),
        "tokens": usage.by_token(
            tokens[rows], tokens[train], lexicon.sources.tokenizer.token_names, vocabulary.sizes
        ),
        "rate_distortion": distortion.rows(vocabulary, rows, config.rate_codebook_sizes, fit, how),
    }


def _probes(lexicon: Lexicon, split: tuple[np.ndarray, np.ndarray]) -> list[Row]:
    """Of the tokens outside INITIAL, beside what they encode."""
    vocabulary = lexicon.vocabulary
    isolated = np.array([category.isolated for category in vocabulary.layout.categories])
    target = vocabulary.target
    cells = ~isolated[target.category]
    features = target.values[:, cells] * np.sqrt(target.weight[cells])
    asked = probes.questions(lexicon.sources.operators)
    tokens = vocabulary.own.tokens[:, ~vocabulary.isolated]
    return probes.rows(tokens, features, asked, split, lexicon.how)


def _families(lexicon: Lexicon, rows: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Families of initial conditions as integers."""
    families = [family(lexicon.sources.operators.ic_types[row]) for row in rows]
    return np.unique(families, return_inverse=True)[1]


def _twice(lexicon: Lexicon, prefix: str) -> identity.Twice:
    """The operators of a group whose replay did not diverge."""
    rows = lexicon.rows(prefix)[: lexicon.config.num_identity_operators].tolist()
    kept = [row for row in rows if row in lexicon.again]
    first = lexicon.vocabulary.own.tokens[kept]
    second = np.array([lexicon.again[row] for row in kept], dtype=np.int64)
    kinds = [lexicon.sources.operators.ic_types[row] for row in kept]
    return identity.Twice(
        first=first,
        second=second.reshape(first.shape),
        kinds=np.unique(kinds, return_inverse=True)[1],
    )


def _levels(lexicon: Lexicon) -> list[int]:
    return [len(sizes) for sizes in lexicon.vocabulary.sizes]
