"""Rate and distortion: what codes of fewer or more bits lose, on operators never seen."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from spinlock.evaluation import bound, codes, reconstruction
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.criteria import EQUAL_BITS
from spinlock.evaluation.intervals import Bootstrap, Interval
from spinlock.evaluation.tokenizer import OWN
from spinlock.evaluation.vocabulary import Vocabulary

CODES: Mapping[str, codes.Code] = {
    "pca_kmeans": codes.pca_kmeans,
    "residual_kmeans": codes.residual_kmeans,
    "product": codes.product,
}
WATER = "pca_waterfill"
Row = dict[str, object]


def rows(
    vocabulary: Vocabulary,
    judged: Int[np.ndarray, " n"],
    codebook_sizes: Sequence[int],
    fit: Fit,
    how: Bootstrap,
) -> list[Row]:
    """Rows of `rate_distortion.csv`: the reconstruction of each code at each number of bits.

    The tokenizer and its rivals stand at the tokenizer's own bits. The classical codes stand at
    other codebook sizes K too, with as many levels for each category, and at as many bits as they
    have PCA with water-filled bits and, of enough operators, the bounds (`bound.gaussian`).
    `residual_beam`, of any kind, at another K is a run of its own (`benchmarks/runs.py` draws
    several runs together).

    Args:
        vocabulary: the tokenizer and its rivals.
        judged: operators on which they are judged.
        codebook_sizes: K of the classical codes.
        fit: how k-means is run.
        how: resamples and the smallest group; a smaller one has no values.
    """
    fitted, target = vocabulary.fitted, vocabulary.target.take(judged)
    own = codes.bits(vocabulary.sizes)
    sizes = sorted({size for levels in vocabulary.sizes for size in levels})
    size = sizes[0] if len(sizes) == 1 else ""
    enough = len(judged) >= how.min_operators

    def lost(values: Float[np.ndarray, "n M"]) -> Interval:
        return reconstruction.reconstruction(reconstruction.errors(values, target), how)

    found = [
        _row(name, size, own, lost(vocabulary.values[name][judged]))
        for name in (OWN, *EQUAL_BITS, WATER)
    ]
    budgets = {other: _with(vocabulary.sizes, other) for other in codebook_sizes if other != size}
    budgets = budgets if enough else {}
    for other, levels in budgets.items():
        for name, code in CODES.items():
            part = fit.named(f"{other}/{name}")
            coded = codes.by_category(code, fitted, target, levels, part)
            found.append(_row(name, other, codes.bits(levels), lost(coded.values)))
    bits = {other: codes.bits(levels) for other, levels in budgets.items()}
    wanted = list(bits.values())
    water = codes.pca_waterfills(fitted, target, wanted, fit.named(WATER)) if wanted else []
    for (other, number), coded in zip(bits.items(), water, strict=True):
        found.append(_row(WATER, other, number, lost(coded.values)))
    for name, coordinates in vocabulary.bounds.items() if enough else ():
        for at, number in ((size, own), *bits.items()):
            least = bound.gaussian(coordinates.take(judged), number, how)
            found.append(_row(name, at, number, least.interval()))
    return sorted(found, key=lambda row: (str(row["code"]), float(str(row["bits"]))))


def _with(sizes: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """As many levels of each category, with `size` codes each."""
    return [[size] * len(levels) for levels in sizes]


def _row(name: str, size: object, bits: float, lost: Interval) -> Row:
    row: Row = {"code": name, "codebook_size": size, "bits": bits}
    row |= {"reconstruction": lost.value, "low": lost.low, "high": lost.high}
    return row
