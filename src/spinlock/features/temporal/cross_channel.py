"""TEMPORAL, group cross_channel: how the channels of one step go together, 12 columns.

z_i is channel i, standardized over the domain, s_i the deviation of u_i, ⟨·⟩ the mean over the
domain, r_ij = ⟨z_i z_j⟩ and R their matrix. "Mean" goes over the pairs i < j. Only the n channels
that vary count; with fewer than two nothing exists. Channels have no order here, and no scale:
`participation_ratio` alone knows how their deviations compare.

From three channels on, no column follows from the others: of three channels R gives three columns
(two eigenvalues and the mean determine the r_ij up to order). Of two it gives r alone, which then
`largest_eigenvalue`, `condition_number` and `correlation_mean` all say.
"""

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields
from spinlock.features.numerics import NOISE
from spinlock.features.temporal.pairs import BANDS, Joint, Pairs, Single, pairs, sums
from spinlock.features.temporal.spectral import slices

FLOOR = 1e-4  # added to what may vanish, before a division or a logarithm
FLAT = NOISE * (2 * torch.pi) ** 2  # added to a mean square gradient: that of rounding

ByName = dict[str, Float64[Tensor, "*B P"]]


def compute(fields: Fields) -> Float[Tensor, "*B 1 12"]:
    """The columns of every step, as in `COLUMNS`; NaN where fewer than two channels vary."""
    z, defined = fields.z, fields.defined
    if z.shape[-3] < 2:
        return z.new_full((*z.shape[:-3], 1, len(COLUMNS)), torch.nan)
    few = defined.sum(-1, keepdim=True) < 2
    counted = (defined | few).double()  # where there is nothing else, the stand-ins
    known = pairs(z.shape[-3], z.device)
    weight = _both(counted, known)
    joint, single = sums(fields)
    found = _dependence(joint, single, known) | _edges(joint, single, known)
    found |= _waves(joint, single, known, slices(fields.modes, BANDS))
    names = [statistic(column) for column in COLUMNS[3:]]
    each = torch.stack([found[name] for name in names], -2) * weight.unsqueeze(-2)
    mean = each.sum(-1) / weight.sum(-1, keepdim=True)
    variance = fields.deviation.double().square() * counted
    matrix = _matrix(joint.r * weight, variance, counted, known)
    values = torch.cat([matrix, mean], -1).to(z.dtype)
    return torch.where(few, torch.nan, values).unsqueeze(-2)


def _matrix(
    r: Float64[Tensor, "*B P"],
    variance: Float64[Tensor, "*B C"],
    counted: Float64[Tensor, "*B C"],
    known: Pairs,
) -> Float64[Tensor, "*B 3"]:
    """Columns of the eigenvalues of R, and of the covariances s_i s_j r_ij.

    A channel that does not count correlates with none: it adds an eigenvalue of 1, the mean of the
    others, and moves neither extreme.
    """
    off_diagonal = (_both(variance, known) * r.square()).sum(-1)
    square = variance.square().sum(-1) + 2 * off_diagonal
    entries = torch.cat([r, torch.ones_like(r[..., :1])], -1)
    matrix = entries.index_select(-1, known.entry.flatten()).unflatten(-1, known.entry.shape)
    share = (extremes(matrix) / counted.sum(-1, keepdim=True)).clamp(0, 1)  # but for rounding
    smallest, largest = (share + FLOOR).log10().unbind(-1)
    return torch.stack([share[..., 1], largest - smallest, variance.sum(-1).square() / square], -1)


def extremes(matrix: Float64[Tensor, "*B C C"]) -> Float64[Tensor, "*B 2"]:
    """Smallest and largest eigenvalue of symmetric matrices, Rayleigh quotients of their vectors.

    The vectors are taken as given: so the gradient is v vᵀ, which exists for equal eigenvalues too,
    and an error of v is felt in second order only.
    """
    vectors = torch.linalg.eigh(matrix.detach()).eigenvectors.mT
    v = vectors[..., :: matrix.shape[-1] - 1, :]
    return (matrix.unsqueeze(-3) * (v[..., :, None] * v[..., None, :])).sum((-2, -1))


def _both(values: Float64[Tensor, "*n C"], known: Pairs) -> Float64[Tensor, "*n P"]:
    """Products of the values of two channels."""
    left, right = _ends(values, known)
    return left * right


def _ends(values: Float64[Tensor, "*n C"], known: Pairs) -> tuple[Tensor, Tensor]:
    """The values of both channels."""
    return values.index_select(-1, known.left), values.index_select(-1, known.right)


def _dependence(joint: Joint, single: Single, known: Pairs) -> ByName:
    """Columns of the values at the same place."""
    spread = single.fourth * (1 + FLOOR) - 1
    scale = torch.stack([spread, spread - single.third.square()]).rsqrt()
    return {
        "correlation_mean": joint.r,
        "square_correlation": (joint.squares - 1) * _both(scale[0], known),
        "mutual_information": _information(joint, single.third, scale[1], known),
    }


def _information(
    joint: Joint, third: Float64[Tensor, "*B C"], scale: Float64[Tensor, "*B C"], known: Pairs
) -> Float64[Tensor, "*B P"]:
    """−½ ln det(1 − M Mᵀ), M = [[r, b], [a, c]] the correlations of (z, q) of two channels.

    q = z² − 1 − ⟨z³⟩ z is the parabola that is orthogonal to 1 and to z; `scale` is 1 / √⟨q²⟩.
    """
    (left, left_scale), (right, right_scale) = _ends(torch.stack([third, scale]), known)
    r, above = joint.r, joint.left_square - left * joint.r
    a, b = above * left_scale, (joint.right_square - right * joint.r) * right_scale
    c = (joint.squares - 1 - left * joint.right_square - right * above) * left_scale * right_scale
    determinant = 1 - r * r - a * a - b * b - c * c + (r * c - a * b).square()
    return ((determinant.clamp(min=0) + FLOOR) / (1 + FLOOR)).log() / -2


def _waves(joint: Joint, single: Single, known: Pairs, places: tuple[slice, ...]) -> ByName:
    """Columns of the waves: whether those of two channels are in step, and equally strong.

    A band of which the grid has no wave (`places` of length zero) has no coherence.
    """
    low, mid, high = single.low, single.mid, single.high
    scale = _both((torch.stack([low, mid, high, low + mid + high]) + NOISE).rsqrt(), known)
    cross = torch.stack([joint.low, joint.mid, joint.high, joint.overlap]).abs() * scale
    absent = torch.full_like(joint.r, torch.nan)
    bands = zip(("low", "mid", "high"), places, cross[:3], strict=True)
    coherence = {
        f"coherence_{name}": found if place.stop > place.start else absent
        for name, place, found in bands
    }
    return coherence | {"spectral_overlap": cross[3]}


def _edges(joint: Joint, single: Single, known: Pairs) -> ByName:
    """Columns of the gradients: whether steep places coincide, and their directions."""
    scale = _both((single.steep + FLAT).reciprocal(), known)
    together = joint.steep * scale + FLOOR
    return {
        "gradient_alignment": (joint.dot * scale + FLOOR / 2) / together,
        "edge_coincidence": together.log10(),
    }


COLUMNS = columns(
    "temporal.cross_channel",
    (
        Line(
            "largest_eigenvalue",
            "l_1 / n, l_1 the largest eigenvalue of R",
            "1",
            "Hotelling 1933",
            "whether one pattern is shared by the channels, or each has its own",
            0.0,
            1.0,
        ),
        Line(
            "condition_number",
            "log10((l_1 / n + 1e-4) / (l_n / n + 1e-4)), l_n the smallest eigenvalue of R",
            "decades",
            "Belsley, Kuh & Welsch 1980",
            "whether some mixture of the channels has almost vanished: redundant channels",
            0.0,
            math.log10(1 + 1 / FLOOR),
        ),
        Line(
            "participation_ratio",
            "(tr S)^2 / tr S^2, S_ij = s_i s_j r_ij",
            "channels",
            "Gao et al. 2017",
            "how many independent channels carry the variance, so also whether one outgrows others",
            1.0,
        ),
        Line(
            "correlation_mean",
            "mean of r_ij",
            "1",
            "Pearson 1895",
            "whether channels go together or against each other",
            -1.0,
            1.0,
        ),
        Line(
            "square_correlation",
            "mean of (<z_i^2 z_j^2> - 1) / sqrt((K_i - 1)(K_j - 1)), K = <z^4> (1 + 1e-4)",
            "1",
            "Granger & Ding 1995",
            "whether large deviations of either sign happen in the same places",
            -1.0,
            1.0,
        ),
        Line(
            "mutual_information",
            "mean of -ln((det(1 - M M^T) + 1e-4) / (1 + 1e-4)) / 2, M the correlations of (z, q) of"
            " both, q = (z^2 - 1 - <z^3> z) / sqrt(<z^4> (1 + 1e-4) - 1 - <z^3>^2)",
            "nats",
            "Bach & Jordan 2002, generalized variance; polynomials of degree 2",
            "how well a channel is known from another, along parabolas as along lines",
            0.0,
            math.log1p(1 / FLOOR) / 2,
        ),
        *(
            Line(
                f"coherence_{name}",
                f"mean of |sum a_i a_j*| / sqrt((sum |a_i|^2 + e)(sum |a_j|^2 + e)), {band},"
                " a the Fourier series of z, e = 1e-11",
                "1",
                "Wiener 1930",
                f"whether channels are in step in their {what}",
                0.0,
                1.0,
            )
            for name, band, what in (
                ("low", "k < 3", "largest structures"),
                ("mid", "3 <= k < 10", "texture"),
                ("high", "10 <= k < 16", "fine details"),
            )
        ),
        Line(
            "spectral_overlap",
            "mean of sum sqrt(P_i P_j), P the share of a wave in the variance in k < 16",
            "1",
            "Bhattacharyya 1943",
            "whether channels hold equally strong waves, in step or not: shifted copies are at 1",
            0.0,
            1.0,
        ),
        Line(
            "gradient_alignment",
            "mean of (A + 5e-5) / (B + 1e-4), A = <(g_i . g_j)^2>, B = <|g_i|^2 |g_j|^2>,"
            " g = grad z / sqrt(<|grad z|^2>)",
            "1",
            "after Haber & Modersitzki 2006",
            "whether level lines coincide: 1 for any function of a channel, 1/2 for strangers",
            0.0,
            1.0,
        ),
        Line(
            "edge_coincidence",
            "mean of log10(B + 1e-4), B as for gradient_alignment",
            "decades",
            "after Granger & Ding 1995",
            "whether steep places are shared by the channels, or avoid each other",
            math.log10(FLOOR),
        ),
    ),
    Laws(),
)
