"""Information in one standardized field: all from counts, exact in any batch. Bits."""

import math

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

HALF_CLASSES = 8  # classes on either side of the central one, of half a standard deviation
CLASSES = 2 * HALF_CLASSES + 1
Phrases = dict[int, "Phrases"]  # by their next symbol
WINDOW = 8  # points, a quarter of the domain on the grid of 32²


def levels(z: Float[Tensor, "B H W"]) -> Int[Tensor, "B H W"]:
    """Class of each value: round(2 z), the outermost holding all beyond 4 standard deviations."""
    return (2 * z).round().clamp(-HALF_CLASSES, HALF_CLASSES).long() + HALF_CLASSES


def entropy(levels: Int[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""$-\sum_c p_c \log_2 p_c$ over the classes of a field."""
    return _entropy_of_counts(_histogram(levels, CLASSES))


def predictability(levels: Int[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""How much a value says about its neighbor: $I(c; c') / H(c)$, mean of the two axes.

    $I = 2 H(c) - H(c, c')$, the uncertainty coefficient of Theil 1970: 1 where the neighbor
    follows from the value, about 0 for noise. Unlike Moran's I it has no sign and sees any
    dependence.
    """
    single = entropy(levels)
    joint = [
        _entropy_of_counts(_histogram(levels * CLASSES + levels.roll(1, axis), CLASSES**2))
        for axis in (-2, -1)
    ]
    return 2 - (joint[0] + joint[1]) / (2 * single)


def _histogram(symbols: Int[Tensor, "B H W"], size: int) -> Int[Tensor, "B size"]:
    batch = len(symbols)
    offset = torch.arange(batch, device=symbols.device)[:, None, None] * size
    return torch.bincount((symbols + offset).flatten(), minlength=batch * size).view(batch, size)


def _entropy_of_counts(counts: Int[Tensor, "B K"]) -> Float[Tensor, "B"]:
    share = counts.double() / counts.sum(-1, keepdim=True)
    return -torch.special.xlogy(share, share).sum(-1) / math.log(2)


def local_entropy_variance(levels: Int[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""Variance over x of the entropy of the classes inside the 8 × 8 points at x.

    $H = \log_2 n - \frac{1}{n} \sum_c n_c \log_2 n_c$ with n = 64; every x counts, so that the
    result does not depend on the origin.
    """
    total = WINDOW**2
    counts = torch.arange(total + 1, dtype=torch.float64, device=levels.device)
    table = torch.special.xlogy(counts, counts) / math.log(2)
    classes = torch.arange(CLASSES, dtype=levels.dtype, device=levels.device)
    inside = _window_sum(levels == classes[:, None, None, None])
    weighted = table[inside.int()].sum(0)
    return (math.log2(total) - weighted / total).var((-2, -1), correction=0)


def _window_sum(inside: Bool[Tensor, "K B H W"]) -> UInt8[Tensor, "K B H W"]:
    """Count the points of a class in the periodic window that starts at each point."""
    total = inside.to(torch.uint8)
    width = 1
    while width < WINDOW:  # doubling: WINDOW is a power of two
        total = total + total.roll(-width, -1)
        total = total + total.roll(-width, -2)
        width *= 2
    return total


def lempel_ziv_complexity(binary: Bool[Tensor, "B H W"]) -> Float[Tensor, "B"]:
    r"""Bits per point of the incremental parsing of Ziv & Lempel 1978, $c \log_2 c / n$.

    c phrases in n points; mean of the row by row and the column by column scan. About 1.2 for
    noise of 32² points (1 in the limit), less for order.
    """
    scans = torch.stack([binary.flatten(1), binary.transpose(1, 2).flatten(1)], dim=1)
    symbols = scans.to(torch.uint8).cpu().numpy()
    count = torch.tensor([[count_phrases(scan.tobytes()) for scan in both] for both in symbols])
    count = count.double()
    return torch.special.xlogy(count, count).mean(-1) / math.log(2) / scans.shape[-1]


def count_phrases(symbols: bytes) -> int:
    """Parse into the shortest phrases not seen before; an unfinished last one counts."""
    tree: Phrases = {}
    known, count = tree, 0  # known: all phrases seen that begin with what is read of this one
    for symbol in symbols:
        if symbol in known:
            known = known[symbol]
        else:
            known[symbol] = {}
            known, count = tree, count + 1
    return count + (known is not tree)
