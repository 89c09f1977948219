"""The tokenizer's scores on some operators, each beside what no skill and what no loss gives."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial.distance import squareform

from spinlock import randomness
from spinlock.evaluation import codes, information, reconstruction, topography
from spinlock.evaluation.codes import Target
from spinlock.evaluation.intervals import Bootstrap, Interval
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.tokenizer import scores
from spinlock.tokenizer.layout import FAMILIES, Layout

RIVALS = (
    "pca_kmeans",
    "residual_kmeans",
    "residual_beam",
    "product",
    "pca_waterfill",
    "train_mean",
    "shuffled",
    "untrained",
    "unquantized",
)

Metrics = dict[str, float | int | None]


def metrics(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap, pairs: Bootstrap
) -> Metrics:
    """All scores of a group of operators, without prefix.

    * `count`, `bits`: operators; Σ log2 K of the codebooks, the bits of every equal-bit rival.
    * `reconstruction…`, `quality…` = 1 − reconstruction: see `reconstruction.reconstruction`;
      `_<rival>` of another code, `_<family>` of the columns of a family.
    * `r2`: median over columns of R²; `effective_rank` of the target.
    * `utilization`, `perplexity`, `perplexity_normalized`: see `tokenizer.scores`; `entropy`: sum
      of the entropies of the tokens in bits (at most log2 of the count each).
    * `topo_…`: see `topographies`.

    Args:
        vocabulary: the tokenizer and its rivals.
        rows: positions of the operators.
        how: resamples of scores over operators.
        pairs: resamples of scores over pairs of operators.
    """
    target = vocabulary.target.take(rows)
    values = _guesses(vocabulary, rows, how.seed)
    result: Metrics = {
        "count": len(rows),
        "bits": codes.bits(vocabulary.sizes),
    }
    for name, guess in values.items():
        suffix = "" if name == "tokenizer" else f"_{name}"
        found = reconstruction.reconstruction(reconstruction.errors(guess, target), how)
        result |= _with_quality(suffix, found)
    own = reconstruction.errors(values["tokenizer"], target)
    for family, columns in family_columns(vocabulary.layout).items():
        if columns.any():
            result[f"reconstruction_{family}"] = reconstruction.reconstruction(
                own.of(columns), how
            ).value
    enough = len(rows) >= how.min_operators
    result |= _of_target(values["tokenizer"], target, enough)
    result |= _of_tokens(vocabulary, rows, enough)
    return result | topographies(vocabulary, rows, pairs)


def topographies(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], pairs: Bootstrap) -> Metrics:
    """Spearman's correlation of the distances of all pairs of operators in two spaces.

    `topo_pre` input ↔ latent, `topo_post` latent ↔ quantized, `topo_end` input ↔ quantized,
    `topo_tokens` input ↔ tokens (Hamming); each with `_low` and `_high`, and with the suffix of a
    rival: untrained encoder, shuffled tokens, k-means at equal bits.
    """
    target, own, plain = vocabulary.target.take(rows), vocabulary.own, vocabulary.untrained
    given = _square(
        scores.cell_distances(
            torch.from_numpy(target.values),
            torch.from_numpy(target.exists),
            torch.from_numpy(target.weight),
        )
    )
    result: Metrics = {}
    for suffix, spaces in (("", own), ("_untrained", plain)):
        latents = topography.euclidean(spaces.latents[rows])
        quantized = topography.euclidean(spaces.quantized[rows])
        compared = {"topo_pre": (given, latents), "topo_post": (latents, quantized)}
        compared |= {"topo_end": (given, quantized)}
        for name, spaces_pair in compared.items():
            result |= _flat(name + suffix, topography.similarity(*spaces_pair, pairs))
    symbols = {"": own.tokens[rows], "_untrained": plain.tokens[rows]}
    symbols |= {f"_{name}": tokens[rows] for name, tokens in vocabulary.tokens.items()}
    symbols["_shuffled"] = own.tokens[rows][shuffle(len(rows), pairs.seed)]
    for suffix, tokens in symbols.items():
        found = topography.similarity(given, topography.hamming(tokens), pairs)
        result |= _flat(f"topo_tokens{suffix}", found)
    return result


def by_category(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap
) -> list[dict[str, object]]:
    """Rows of `reconstruction_by_category.csv`: one a category, one column a code."""
    target = vocabulary.target.take(rows)
    values = _guesses(vocabulary, rows, how.seed)
    errors = {name: reconstruction.errors(guess, target) for name, guess in values.items()}
    return [
        _category_row(vocabulary, index, target, errors, how)
        for index in range(len(vocabulary.layout.categories))
    ]


def family_columns(layout: Layout) -> dict[str, np.ndarray]:
    """Which columns [D] belong to each family."""
    counts = [len(layout.columns[family]) for family in FAMILIES]
    owner = np.repeat(np.arange(len(FAMILIES)), counts)
    return {family: owner == index for index, family in enumerate(FAMILIES)}


def shuffle(count: int, seed: int) -> Int[np.ndarray, " n"]:
    """Another row for every row: a random cycle through all of them."""
    order = randomness.stream(seed, "shuffled_tokens").permutation(count)
    other = np.empty(count, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other


def _guesses(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], seed: int
) -> dict[str, Float[np.ndarray, "n M"]]:
    """Reconstructed cells of the tokenizer, of every rival, and of another operator's tokens."""
    values = {name: cells[rows] for name, cells in vocabulary.values.items()}
    values["shuffled"] = values["tokenizer"][shuffle(len(rows), seed)]
    return {name: values[name] for name in ("tokenizer", *RIVALS)}


def _with_quality(suffix: str, found: Interval) -> Metrics:
    result = _flat(f"reconstruction{suffix}", found)
    result[f"quality{suffix}"] = _complement(found.value)
    if not suffix:
        result |= {"quality_low": _complement(found.high), "quality_high": _complement(found.low)}
    return result


def _complement(value: float | None) -> float | None:
    return None if value is None else 1 - value


def _of_target(values: Float[np.ndarray, "n M"], target: Target, enough: bool) -> Metrics:
    if not enough:
        return {"r2": None, "effective_rank": None}
    return {
        "r2": float(np.nanmedian(reconstruction.column_r2(values, target))),
        "effective_rank": reconstruction.effective_rank(target.values * np.sqrt(target.weight)),
    }


def _of_tokens(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], enough: bool) -> Metrics:
    names = ("utilization", "perplexity", "perplexity_normalized", "entropy")
    if not enough:
        return dict.fromkeys(names)
    tokens = vocabulary.own.tokens[rows]
    used = scores.counts(torch.from_numpy(tokens), vocabulary.sizes)
    return {
        "utilization": scores.utilization(used),
        "perplexity": scores.perplexity(used, normalized=False),
        "perplexity_normalized": scores.perplexity(used, normalized=True),
        "entropy": sum(information.entropy(column) for column in tokens.T),
    }


def _category_row(
    vocabulary: Vocabulary,
    index: int,
    target: Target,
    errors: dict[str, reconstruction.Errors],
    how: Bootstrap,
) -> dict[str, object]:
    cells = target.category == index
    columns = np.zeros(target.column.max() + 1, dtype=bool)
    columns[target.column[cells]] = True
    scaled = target.values[:, cells] * np.sqrt(target.weight[cells])
    row: dict[str, object] = {
        "category": vocabulary.layout.categories[index].name,
        "columns": int(columns.sum()),
        "effective_rank": reconstruction.effective_rank(scaled),
    }
    for name, found in errors.items():
        value = reconstruction.reconstruction(found.of(columns), how).value
        row[name] = "" if value is None else value
    return row


def _flat(name: str, found: Interval) -> Metrics:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _square(condensed: torch.Tensor) -> Float[np.ndarray, "n n"]:
    return squareform(condensed.numpy())


def joint(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], num_permutations: int, seed: int
) -> Metrics:
    """Bits that the tokens of an operator carry together, on many operators: see `information`."""
    tokens = vocabulary.own.tokens[rows]
    order = information.shuffles(seed, "joint_entropy", len(tokens), num_permutations)
    return {"entropy_joint": information.joint_entropy(tokens, order)}
