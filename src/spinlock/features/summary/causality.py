"""SUMMARY, group causality: what drives what, which way time runs and patterns move, 14 columns.

Of the large waves of a trajectory: v, x, d and ⟨·⟩ are those of `waves`, s_a² = ⟨x_a²⟩; z is v if
every field of u has variance 1; e = 1e-13, what rounding leaves of ⟨v²⟩. A channel whose v is zero,
constant in time or without change up to the rounding of u (1e-6) has no part in a column that needs
it; without channels, pairs of them or steps a column is NaN.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, permutations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns
from spinlock.features.numerics import root
from spinlock.features.summary import waves
from spinlock.features.summary.trajectories import Trajectories
from spinlock.features.summary.waves import LAGS, ROUNDING, Sums

ORDERS = (1, 2)  # of the autoregressions
RIDGE = 1e-13  # added to a unit diagonal: rows may be parallel
SKEW = 1e-3  # added in quadrature: no third moment of a sample is smaller
SPEED = 1e-7  # domains per step, added in quadrature: that of rounding
APERTURE = 1e-6  # of the mean square gradient: stripes have none along them
MOST = 2**0.5  # bound of the asymmetry (Cauchy-Schwarz)
STILL = 1e-8  # of the power: the flux of rounding

Y, X, NY, NX, YY, XX, YX, ONE = range(8)  # places of `waves.Waves.moments`

of_fields = waves.of_fields


def compute(trajectories: Trajectories) -> Float[Tensor, "*B 14"]:
    """The columns of every trajectory, as in `COLUMNS`; NaN where undefined."""
    steps, channels, size = trajectories.u.shape[-4:-1]
    # a mean that is not finite makes the trajectory undefined, and has no gradient
    sums = waves.measure(trajectories.numbers["causality"].nan_to_num(), channels, size)
    own = [_asymmetry(sums), _granger(sums), _irreversibility(sums), _flow(sums)]
    enough = torch.tensor([steps >= needed for needed in STEPS], device=sums.power.device)
    exists = trajectories.series.defined[..., None] & enough
    return torch.where(exists, torch.cat(own, -1), torch.nan)


@lru_cache(maxsize=16)
def _pairs(channels: int, device: torch.device, ordered: bool) -> tuple[Tensor, Tensor]:
    """Places of the first and of the second of each pair of channels."""
    found = permutations(range(channels), 2) if ordered else combinations(range(channels), 2)
    pairs = torch.tensor(list(found), dtype=torch.long, device=device).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@lru_cache(maxsize=16)
def _rows(channels: int, device: torch.device, order: int) -> tuple[Tensor, Tensor]:
    """Places in the Gram matrix: the past of a, of b, and d_a, for each ordered pair of these."""
    a, b = _pairs(channels, device, ordered=True)
    past = [channel + channels * row for channel in (a, b) for row in range(1, order + 1)]
    index = torch.stack([*past, a], -1)
    return index[:, :, None], index[:, None, :]


def _over(values: Float[Tensor, "*B n P"], exists: Bool[Tensor, "*B P"]) -> Float[Tensor, "*B 2n"]:
    """Mean and maximum over the pairs that exist, in turn; NaN where none does."""
    if not values.shape[-1]:
        return values.new_full((*values.shape[:-2], 2 * values.shape[-2]), torch.nan)
    values = torch.where(exists[..., None, :], values, 0)  # none of them is negative
    mean = values.sum(-1) / exists.sum(-1, keepdim=True).clamp(min=1)
    both = torch.stack([mean, values.amax(-1)], -1).flatten(-2)
    return torch.where(exists.any(-1, keepdim=True), both, torch.nan)


def _asymmetry(sums: Sums) -> Float[Tensor, "*B 6"]:
    a, b = _pairs(sums.channels, sums.power.device, ordered=False)
    varies = sums.varies[..., None, :]
    total = torch.where(varies, sums.square.sum(-1)[..., None, :], 1)
    change = torch.where(varies, sums.change + sums.steps * ROUNDING, 1)
    scale = change[..., a] * total[..., b] + change[..., b] * total[..., a]
    turn = (sums.lagged - sums.lagged.mT)[..., a, b]
    return _over(turn.abs() / scale.sqrt(), sums.varies[..., a] & sums.varies[..., b])


def _granger(sums: Sums) -> Float[Tensor, "*B 4"]:
    a, b = _pairs(sums.channels, sums.power.device, ordered=True)
    rounding = ROUNDING * max(1, sums.steps - 2)
    square = sums.gram.diagonal(dim1=-2, dim2=-1) + rounding
    length = square.sqrt()
    gram = sums.gram / (length[..., :, None] * length[..., None, :])
    least = (rounding / square)[..., a]
    places = (_rows(sums.channels, sums.power.device, order) for order in ORDERS)
    ratios = [_log_ratio(gram[..., *place], least) for place in places]
    return _over(torch.stack(ratios, -2), sums.moves[..., a] & sums.present[..., b])


def _log_ratio(gram: Float[Tensor, "*n r r"], least: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    r"""ln of what least squares on half of the rows leaves of the last, over that on all.

    With the Cholesky factor of the 2p + 1 rows, $G = L L^T$, all leave $L_{rr}^2$, and
    $\sum_j L_{rj}^2$ over the second half of them is what that half explains.
    """
    ridge = torch.full_like(gram[..., 0], RIDGE)
    diagonal = torch.cat([ridge[..., :-1], least[..., None]], -1)
    last = torch.linalg.cholesky_ex(gram + diagonal.diag_embed()).L[..., -1, :].square()
    half = last.shape[-1] // 2
    return torch.log1p(last[..., half:-1].sum(-1) / last[..., -1])


def _irreversibility(sums: Sums) -> Float[Tensor, "*B 2"]:
    moves = sums.moves[..., None, :]
    square = torch.where(moves, sums.third[..., :2, :] + ROUNDING, 1)
    skewness = torch.where(moves, sums.third[..., 2:, :] / (square * square.sqrt()), 0)
    count = moves.sum(-1).clamp(min=1)
    size = (skewness[..., :1, :].square().sum(-1) / count + SKEW**2).log10() / 2
    found = torch.cat([size, skewness[..., 1:, :].sum(-1) / count], -1)
    return torch.where(moves.any(-1), found, torch.nan)


def _flow(sums: Sums) -> Float[Tensor, "*B 2"]:
    flux, size, middle, power = sums.transport.unbind(-2)
    exists = sums.present.any(-1)
    edge = APERTURE * (power[..., YY] + power[..., XX])
    yy, xx, yx = middle[..., YY] + edge, middle[..., XX] + edge, middle[..., YX]
    determinant = torch.where(exists, yy * xx - yx * yx, 1)
    by, bx = flux[..., Y], flux[..., X]
    square = (xx * by - yx * bx).square() + (yy * bx - yx * by).square()
    speed = (square / determinant.square() + SPEED**2).log10() / 2
    net = root(flux[..., NY].square() + flux[..., NX].square())
    total = torch.where(exists, size[..., ONE] + STILL * power[..., ONE], 1)
    return torch.where(exists[..., None], torch.stack([speed, net / total], -1), torch.nan)


def _pair_lines() -> Iterator[Line]:
    asymmetry = (
        "|S_ab - S_ba| / sqrt(S_a s_b^2 + S_b s_a^2), S_ab = sum_t <x_a(t + {0}) x_b(t)> / T,"
        " S_a = sum_t <(x_a(t + {0}) - x_a(t))^2> / T + e"
    )
    granger = (
        "ln((R + e) / (R' + e)), R what least squares on {} of a leave of <d_a(t)^2>, R' on those"
        " of a and b, t = 2 ... T - 1, ridge 1e-13"
    )
    follow = "one channel follows another by {} steps, apart from moving together"
    drive = "one channel's pattern tells what another does next, {}"
    known = {1: "v(t)", 2: "v(t) and d(t - 1)"}
    after = {1: "given that one's own", 2: "given that one's own and its last change"}
    for lag in LAGS:
        text, purpose = asymmetry.format(lag), follow.format(lag)
        about = ("1", "after Onsager 1931")
        yield Line(
            f"asymmetry_{lag}_mean", f"mean over a < b of {text}", *about, purpose, 0.0, MOST
        )
        purpose = f"the same for the pair that does most, {lag} steps"
        yield Line(f"asymmetry_{lag}_max", f"largest of {text}", *about, purpose, 0.0, MOST)
    for order in ORDERS:
        text, purpose = granger.format(known[order]), drive.format(after[order])
        about = ("nats", "Granger 1969; Geweke 1982")
        yield Line(f"granger_{order}_mean", f"mean over a, b != a of {text}", *about, purpose, 0.0)
        purpose = f"a single strong drive, {after[order]}"
        yield Line(f"granger_{order}_max", f"largest of {text}", *about, purpose, 0.0)


COLUMNS = columns(
    "summary.causality",
    (
        *_pair_lines(),
        Line(
            "irreversibility",
            "log10 sqrt(mean over a of (<x(t + 1)^2 x(t) - x(t + 1) x(t)^2> / (s^2 + e)^(3/2))^2"
            " + 1e-6), of waves k < 5",
            "decades",
            "Pomeau 1982; Ramsey & Rothman 1996",
            "relaxation and drift, unlike their own films run backwards, from equilibrium noise",
            -3.0,
        ),
        Line(
            "irreversibility_index",
            "mean over a of <d^3> / (<d^2> + e)^(3/2), of waves k < 5",
            "1",
            "skewness of increments; after Ramsey & Rothman 1996",
            "few large rises among many small falls (> 0) from the opposite",
        ),
        Line(
            "flow_magnitude",
            "log10 sqrt(|w|^2 + 1e-14), w the least-squares solution of z_t + w . grad z = 0 over"
            " channels and steps, grad at t + 1/2; 1e-6 of <|grad z|^2> as ridge",
            "log10 domains per step",
            "Lucas & Kanade 1981",
            "patterns that travel from patterns that grow, fade or flicker in place",
            -7.0,
        ),
        Line(
            "flow_anisotropy",
            "|sum f n| / (sum |f| + 1e-8), f the mean of Im z*(t) z(t + 1) of a wave in direction n"
            " over its channels and steps, in units of the sum of |z|^2",
            "1",
            "after Mardia 1972, resultant length",
            "waves that all travel one way (1) from waves that run in all directions (0)",
            0.0,
            1.0,
        ),
    ),
    Laws(),
)
STEPS = (4, 4, 6, 6, 8, 8, 4, 4, 4, 4, 3, 3, 2, 2)  # that each needs
