"""The tokenizer's scores on some operators, each beside what no skill and what no loss gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial.distance import squareform

from spinlock import randomness
from spinlock.evaluation import bound, codes, information, reconstruction, topography, usage
from spinlock.evaluation.codes import Target
from spinlock.evaluation.criteria import BOUNDS, CLASSICAL, COMPARED, EQUAL_BITS
from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.reconstruction import Errors
from spinlock.evaluation.resampling import Estimate, Flat, flat, nothing
from spinlock.evaluation.vocabulary import Vocabulary
from spinlock.tokenizer import scores
from spinlock.tokenizer.layout import FAMILIES, Layout

OWN = "tokenizer"
RIVALS = (
    *EQUAL_BITS,
    "pca_waterfill",
    "train_mean",
    "shuffled",
    "untrained",
    "unquantized",
)
AGAINST = {"classical": CLASSICAL, "best": EQUAL_BITS}  # codes by category, the best of which
FLOORS = ("_shuffled", "_size")
FEWEST = 2 * topography.NEAREST + 1  # operators: of fewer, half are anybody's neighbours
ON_TOKENS = ("topo_tokens", "topo_partial", "neighbours")
JOINT_PERMUTATIONS = 10  # behind the mean of the null of each pair of tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A group of operators: squared errors of every code, and their mean with its resamples."""

    errors: dict[str, Errors]
    lost: dict[str, Estimate]


def measured(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap) -> Measured:
    """Errors of the tokenizer, of every rival, and of another operator's tokens."""
    target = vocabulary.target.take(rows)
    values = {name: cells[rows] for name, cells in vocabulary.values.items()}
    values["shuffled"] = values[OWN][shuffle(len(rows), how.seed)]
    errors = {name: reconstruction.errors(values[name], target) for name in (OWN, *RIVALS)}
    lost = {name: reconstruction.estimate(found, how) for name, found in errors.items()}
    return Measured(errors=errors, lost=lost)


def metrics(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap, pairs: Bootstrap
) -> Flat:
    """All scores of a group of operators, without prefix; `_low` and `_high` end their intervals.

    * `count`, `bits`: operators; Σ log2 K of the codebooks, the bits of every equal-bit rival.
    * `reconstruction…`, `quality…`, `r2…`: see `losses`.
    * `effective_rank`, `…_latents`, `…_quantized`: of the target, before and after quantization;
      see `reconstruction.effective_rank`. Bad case: the last far below the first.
    * `utilization`, `perplexity`, `perplexity_normalized`, `entropy`: see `usage.metrics`.
    * `topo_…`, `neighbours…`: see `topographies`.

    Args:
        vocabulary: the tokenizer and its rivals.
        rows: positions of the operators.
        how: resamples of scores over operators.
        pairs: resamples of scores over pairs of operators, and of ranks.
    """
    result: Flat = {"count": len(rows), "bits": codes.bits(vocabulary.sizes)}
    enough = len(rows) >= how.min_operators
    result |= losses(vocabulary, rows, how)
    result |= ranks(vocabulary, rows, pairs) if enough else nothing(*_rank_names())
    tokens = vocabulary.own.tokens[rows]
    result |= usage.metrics(tokens, vocabulary.sizes, how) if enough else nothing(*usage.NAMES)
    return result | topographies(vocabulary, rows, pairs)


def losses(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap) -> Flat:
    """What is lost by the tokenizer and by every rival.

    * `reconstruction`: see `reconstruction.reconstruction`; `quality` is 1 less it;
      `_<rival>` of another code, `_<family>` of the columns of a family.
    * `reconstruction_minus_<rival>`: paired difference to a code that is to be beaten, on the same
      operators. Bad case: at least 0. `reconstruction_over_best`: paired ratio to the best code by
      category at equal bits, the best on these very operators, `…_over_classical` to that of the
      classical ones. Bad case: at least 1.
    * `reconstruction_gaussian_bound`: the least at as many bits if the columns were Gaussian,
      `…_by_category` if each category is coded and decoded by itself; see `bound.gaussian`. Codes
      that know more of the columns than variances go below.
    * `r2`, `r2_<family>`: median over columns of R², see `reconstruction.explained`.
    """
    families = {f: c for f, c in family_columns(vocabulary.layout).items() if c.any()}
    if len(rows) < how.min_operators:
        return _unknown(list(families))
    group = measured(vocabulary, rows, how)
    own = group.lost[OWN]
    result: Flat = {}
    for name, lost in group.lost.items():
        result |= _with_quality("" if name == OWN else f"_{name}", lost)
    for name in COMPARED:
        difference = own.minus(group.lost[name])
        result |= flat(f"reconstruction_minus_{name}", difference.interval())
    for name, rivals in AGAINST.items():
        best = min((group.lost[rival] for rival in rivals), key=lambda lost: lost.value)
        result |= flat(f"reconstruction_over_{name}", own.over(best).interval())
    bits = codes.bits(vocabulary.sizes)
    for name, found in vocabulary.bounds.items():
        least = bound.gaussian(found.take(rows), bits, how)
        result |= flat(f"reconstruction_{name}", least.interval())
    target = vocabulary.target.take(rows)
    shares = reconstruction.explained(vocabulary.values[OWN][rows], target, how)
    result |= flat("r2", shares.median(np.ones(shares.value.shape, dtype=bool)).interval())
    for family, columns in families.items():
        part = reconstruction.estimate(group.errors[OWN].of(columns), how)
        result |= flat(f"reconstruction_{family}", part.interval())
        result |= flat(f"r2_{family}", shares.median(columns).interval())
    return result


def _unknown(families: Sequence[str]) -> Flat:
    """The names of `losses` for a group that is too small."""
    names = ["", *(f"_over_{name}" for name in AGAINST)]
    names += [f"_{name}" for name in (*RIVALS, *BOUNDS, *families)]
    found = nothing(*(f"reconstruction{name}" for name in names))
    found |= nothing(*(f"reconstruction_minus_{name}" for name in COMPARED))
    found |= nothing("quality", "r2", *(f"r2_{family}" for family in families))
    return found | {f"quality_{name}": None for name in RIVALS}


def gaps(
    vocabulary: Vocabulary,
    rows: Int[np.ndarray, " n"],
    test: Int[np.ndarray, " m"],
    how: Bootstrap,
) -> Flat:
    """Reconstruction of a held-out group less that of the test operators, by code.

    `gap` of the tokenizer, `gap_<rival>` of the rivals: how much a code loses on kinds of
    operators never seen, 0 if nothing. The two groups are resampled apart. `gap_count`: operators.

    Args:
        vocabulary: the tokenizer and its rivals.
        rows: operators of the group that are in no other, whose price they would pay too.
        test: test operators.
        how: resamples of operators, and the smallest group.
    """
    suffixes = {name: "" if name == OWN else f"_{name}" for name in (OWN, *COMPARED)}
    if min(len(rows), len(test)) < how.min_operators:
        return {"gap_count": len(rows)} | nothing(*(f"gap{end}" for end in suffixes.values()))
    here, there = (measured(vocabulary, group, how).lost for group in (rows, test))
    result: Flat = {"gap_count": len(rows)}
    for name, suffix in suffixes.items():
        result |= flat(f"gap{suffix}", here[name].gap(there[name]).interval())
    return result


def ranks(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], how: Bootstrap) -> Flat:
    """Effective ranks of the target and of the latents before and after quantization.

    Of at most the first `topography.MOST` operators: n of them span n − 1 dimensions.
    """
    rows = rows[: topography.MOST]
    target, own = vocabulary.target.take(rows), vocabulary.own
    spaces = (target.values * np.sqrt(target.weight), own.latents[rows], own.quantized[rows])
    result: Flat = {}
    for name, space in zip(_rank_names(), spaces, strict=True):
        result |= flat(name, reconstruction.rank(space, how).centered())
    return result


def topographies(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], pairs: Bootstrap) -> Flat:
    """Spearman's correlation of the distances of all pairs of operators in two spaces.

    `topo_pre` input ↔ latent, `topo_post` latent ↔ quantized, `topo_end` input ↔ quantized,
    `topo_tokens` input ↔ tokens (Hamming); each with the suffix of a rival: untrained encoder,
    shuffled tokens, k-means at equal bits. 1 keeps the order of all distances; bad case: 0, as of
    shuffled tokens. **`topo_tokens` is high for tokens that know nothing but sizes** (of an
    operator: its distance from the train mean): `…_size` has them, see `topography.by_size`.

    Of tokens alone there are two stricter ones: `topo_partial`, the same with the sizes of both
    operators regressed out (`topography.sizes_apart`), and `neighbours`, see
    `topography.neighbours`. The paired difference is `<one of the three>_minus_<rival>`. A large
    group speaks by its first `topography.MOST` operators.
    """
    spaces, wanted = _spaces(vocabulary, rows[: topography.MOST], pairs.seed)
    suffixes = [name.removeprefix("tokens") for name in spaces if name.startswith("tokens")]
    beaten = [suffix for suffix in suffixes if suffix not in {"", *FLOORS}]
    near = [f"neighbours{suffix}" for suffix in suffixes]
    differences = [f"{name}_minus{suffix}" for name in ON_TOKENS for suffix in beaten]
    if len(rows) < max(pairs.min_operators, FEWEST):
        return nothing(*wanted, *near, *differences)
    found = topography.similarities(spaces, wanted, pairs)
    for name, suffix in zip(near, suffixes, strict=True):
        found[name] = topography.neighbours(spaces["given"], spaces[f"tokens{suffix}"], pairs)
    for name in ON_TOKENS:
        for suffix in beaten:
            found[f"{name}_minus{suffix}"] = found[name].minus(found[f"{name}{suffix}"])
    result: Flat = {}
    for name, estimate in found.items():
        result |= flat(name, estimate.interval())
    return result


def _spaces(
    vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], seed: int
) -> tuple[dict[str, Float[np.ndarray, "n n"]], dict[str, tuple[str, ...]]]:
    """Distances in every space, and the couples of spaces that are compared."""
    own, plain, target = vocabulary.own, vocabulary.untrained, vocabulary.target.take(rows)
    size = sizes(target)
    apart = topography.sizes_apart(size)
    spaces = {"given": input_distances(target), **apart}
    wanted: dict[str, tuple[str, ...]] = {}
    for suffix, found in (("", own), ("_untrained", plain)):
        spaces[f"latents{suffix}"] = topography.euclidean(found.latents[rows])
        spaces[f"quantized{suffix}"] = topography.euclidean(found.quantized[rows])
        wanted[f"topo_pre{suffix}"] = ("given", f"latents{suffix}")
        wanted[f"topo_post{suffix}"] = (f"latents{suffix}", f"quantized{suffix}")
        wanted[f"topo_end{suffix}"] = ("given", f"quantized{suffix}")
    symbols = {"": own.tokens[rows], "_untrained": plain.tokens[rows]}
    symbols |= {f"_{name}": tokens[rows] for name, tokens in vocabulary.tokens.items()}
    symbols["_shuffled"] = own.tokens[rows][shuffle(len(rows), seed)]
    codes_of_each = [number for levels in vocabulary.sizes for number in levels]
    symbols["_size"] = topography.by_size(size, sizes(vocabulary.fitted), codes_of_each)
    for suffix, tokens in symbols.items():
        spaces[f"tokens{suffix}"] = topography.hamming(tokens)
        wanted[f"topo_tokens{suffix}"] = ("given", f"tokens{suffix}")
        wanted[f"topo_partial{suffix}"] = ("given", f"tokens{suffix}", *apart)
    return spaces, wanted


def input_distances(target: Target) -> Float[np.ndarray, "n n"]:
    """Root weighted mean square difference of the cells that two operators both have."""
    found = scores.cell_distances(
        torch.from_numpy(target.values),
        torch.from_numpy(target.exists),
        torch.from_numpy(target.weight),
    )
    return squareform(found.numpy())


def sizes(target: Target) -> Float[np.ndarray, " n"]:
    """Root weighted mean square of an operator's cells: how far it is from the train mean.

    1, the root mean square over standardized operators, for one that has no cell.
    """
    seen = target.exists * target.weight
    power, shared = (seen * np.square(target.values)).sum(1), seen.sum(1)
    return np.sqrt(np.divide(power, shared, np.ones_like(power), where=shared > 0))


def joint(vocabulary: Vocabulary, rows: Int[np.ndarray, " n"], seed: int) -> Flat:
    """What the tokens of an operator carry together, on many operators.

    * `entropy_joint`: bits of all tokens together, see `information.joint_entropy`.
    * `redundancy`: 1 less its ratio to the sum of the entropies: 0 if no token tells of another,
      near 1 if all say the same. A lower estimate.
    """
    tokens = vocabulary.own.tokens[rows]
    order = information.shuffles(seed, "joint_entropy", len(tokens), JOINT_PERMUTATIONS)
    together = information.joint_entropy(tokens, information.shared(tokens, order))
    alone = sum(information.entropy(token) for token in tokens.T)
    return {"entropy_joint": together, "redundancy": 1 - together / alone if alone > 0 else None}


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


def _with_quality(suffix: str, found: Estimate) -> Flat:
    lost = found.interval()
    result = flat(f"reconstruction{suffix}", lost)
    result[f"quality{suffix}"] = _complement(lost.value)
    if not suffix:
        result |= {"quality_low": _complement(lost.high), "quality_high": _complement(lost.low)}
    return result


def _complement(value: float | None) -> float | None:
    return None if value is None else 1 - value


def _rank_names() -> tuple[str, ...]:
    return tuple(f"effective_rank{space}" for space in ("", "_latents", "_quantized"))
