r"""SUMMARY, group sensitivity: what the operator makes of other states than its own, 10 columns.

f is the one-step map u_(T-1) → u_T with the noise that step T had: all calls share it. b =
u_(T-1), |·| is the root mean square over channels and domain. Beside f(b) = u_T, which is known,
f is evaluated six times: at b + e v, e = 1/8, 1 and 4, and at s b, s = 1/64, 1/8 and 8.

The perturbation v is the state itself, so that it moves, turns and scales with it on every grid:
in each channel the deviation of the next one from its mean, half a domain away along both axes (a
shift that a turn by 90° leaves as it is). On the default set |cos(v, b)| is at most about 0.2.

Gains are told as growth. One step of a slow operator (a residual one with dt = 1e-3) hardly
moves anything, and that of a contracting one much, so that growth spans four decades of both signs:
s(g) = asinh(1000 ln g) / ln 10, the signed decades of |ln g| beyond 5e-4. g has a floor of 1e-6.

A trajectory whose state is zero or not finite has no column; a state without deviation no
perturbed one; and a column is missing where an f that it needs is not finite.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns
from spinlock.features.numerics import RESOLUTION
from spinlock.features.summary.series import EMPTY
from spinlock.features.summary.trajectories import Trajectories

SIZES = {"eighth": 1 / 8, "unit": 1.0, "fourfold": 4.0}  # e of the perturbations
SCALES = {"64th": 1 / 64, "eighth": 1 / 8, "unit": 1.0, "eightfold": 8.0}  # s of the inputs
SLOW = 1e-3  # nats per step; growth below it is told as it is, beyond in decades
FLOOR = 1e-12  # of a squared gain; float32 leaves about 1e-14 of a map that answers nothing
STRAIGHT = 1e-10  # of 1 - R²: float32 leaves 1e-11 of a linear map
BENT = 1e-10  # of a squared curvature, relative: ten times what float32 leaves of a linear map


def compute(trajectories: Trajectories) -> Float[Tensor, "*B 10"]:
    """The columns of every trajectory, as in `COLUMNS`; NaN where undefined, and without a map.

    The map is applied to all trajectories together, six times.
    """
    u, u0, step = trajectories.u, trajectories.u0, trajectories.step
    if step is None:
        return u.new_full((*u.shape[:-4], len(COLUMNS)), torch.nan)
    after, before = u[..., -1, :, :, :], u[..., -2, :, :, :] if u.shape[-4] > 1 else u0
    finite = before.isfinite().flatten(-3).all(-1)[..., None, None, None]
    before = torch.where(finite, before, 0)
    toward = perturbation(before)
    secants = [(step(before + size * toward) - after) / size for size in SIZES.values()]
    outputs = [after if s == 1 else step(s * before) / s for s in SCALES.values()]
    return _columns(*(_rows(fields) for fields in ([before], [toward], secants, outputs)))


def perturbation(state: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B C H W"]:
    """The direction v: the next channel's deviation from its mean, half a domain away."""
    deviation = state - state.mean((-2, -1), keepdim=True)
    height, width = state.shape[-2:]
    return deviation.roll((-1, height // 2, width // 2), (-3, -2, -1))


def _rows(fields: Sequence[Float[Tensor, "*B C H W"]]) -> Float[Tensor, "*B k N"]:
    return torch.stack(tuple(fields), -4).flatten(-3)


def _mean_square(rows: Float[Tensor, "*B k N"]) -> Float[Tensor, "*B k"]:
    return rows.square().mean(-1).double()


def _columns(
    before: Float[Tensor, "*B 1 N"],
    toward: Float[Tensor, "*B 1 N"],
    secants: Float[Tensor, "*B 3 N"],
    outputs: Float[Tensor, "*B 4 N"],
) -> Float[Tensor, "*B 10"]:
    """The columns, from b, v, (f(b + e v) - f(b)) / e and f(s b) / s."""
    exists = _mean_square(before) > EMPTY
    before = torch.where(exists[..., None], before, 1)
    state = _mean_square(before)
    moves = exists & (_mean_square(toward) > RESOLUTION**2 * state)
    toward = torch.where(moves[..., None], toward, 1)
    kick = _mean_square(toward)
    secants, known = _finite(secants, toward)
    outputs, reached = _finite(outputs, before)
    whole = moves & known.all(-1, keepdim=True)
    parts = (
        (growth(_mean_square(secants) / kick), moves & known),
        (growth(_mean_square(outputs) / state), exists & reached),
        (linearity(secants, kick), whole),
        (saturation(secants, kick), whole),
        (compression(outputs[..., -1:, :], before), exists & reached[..., -1:]),
    )
    values, present = (torch.cat(part, -1) for part in zip(*parts, strict=True))
    return torch.where(present, values, torch.nan)


def _finite(
    rows: Float[Tensor, "*B k N"], other: Float[Tensor, "*B 1 N"]
) -> tuple[Float[Tensor, "*B k N"], Bool[Tensor, "*B k"]]:
    """The rows, another one in place of each whose mean square is not finite; which are theirs."""
    known = _mean_square(rows.detach()).isfinite()
    return torch.where(known[..., None], rows, other), known


def growth(squared_gain: Float[Tensor, "*B k"]) -> Float[Tensor, "*B k"]:
    """s(g) of squares of gains; see the module."""
    return ((squared_gain + FLOOR).log() / 2 / SLOW).asinh() / math.log(10)


def linearity(
    secants: Float[Tensor, "*B 3 N"], kick: Float[Tensor, "*B 1"]
) -> Float[Tensor, "*B 1"]:
    """-log10(1 - R²), the nines of R²: the secants of a linear map are equal. `kick` is |v|²."""
    apart = _mean_square(secants - secants.mean(-2, keepdim=True)).mean(-1, keepdim=True)
    share = apart / (_mean_square(secants).mean(-1, keepdim=True) + FLOOR * kick)
    return -(share + STRAIGHT).log10()


def saturation(
    secants: Float[Tensor, "*B 3 N"], kick: Float[Tensor, "*B 1"]
) -> Float[Tensor, "*B 1"]:
    """How much smaller divided differences are at large perturbations than at small ones."""
    sizes = secants.new_tensor([*SIZES.values()])
    bends = secants.diff(dim=-2) / sizes.diff()[:, None]
    small, large = ((_mean_square(bends) / kick + BENT).log10() / 2).split(1, -1)
    return small - large


def compression(
    output: Float[Tensor, "*B 1 N"], before: Float[Tensor, "*B 1 N"]
) -> Float[Tensor, "*B 1"]:
    """The cosine of the angle between the change of an enlarged state and its way to zero."""
    change, state = output - before, _mean_square(before)
    inward = -(change * before).mean(-1).double()
    return inward / ((_mean_square(change) + FLOOR * state) * state).sqrt()


LOWEST = math.asinh(math.log(FLOOR) / 2 / SLOW) / math.log(10)
COLUMNS = columns(
    "summary.sensitivity",
    (
        *(
            Line(
                f"gain_{name}",
                f"s(|f(b + e v) - f(b)| / |e v|), e = {size:g}",
                "signed decades",
                "finite-size Lyapunov exponent, Aurell et al. 1997",
                f"{purpose} perturbations: amplified (> 0), kept (0) or forgotten (< 0) in a step",
                LOWEST,
            )
            for (name, size), purpose in zip(
                SIZES.items(), ("small", "equally large", "overwhelming"), strict=True
            )
        ),
        *(
            Line(
                f"scaled_gain_{name}",
                f"s(|f(s b)| / |s b|), s = {scale:g}",
                "signed decades",
                "describing function, Krylov & Bogoliubov 1943",
                f"{purpose}: fed (> 0), kept (0) or damped (< 0)",
                LOWEST,
            )
            for (name, scale), purpose in zip(
                SCALES.items(),
                ("a trace of the state", "a faint state", "the state", "an enlarged state"),
                strict=True,
            )
        ),
        Line(
            "linearity",
            "-log10(1 - R^2 + 1e-10), 1 - R^2 = mean |g_e - g|^2 / (mean |g_e|^2 + 1e-12 |v|^2), "
            "g_e = (f(b + e v) - f(b)) / e, g their mean",
            "decades",
            "weighted least squares through f(b); Wright 1921",
            "maps that answer in proportion (10) from those that do not (near 0)",
            -math.log10(1 + STRAIGHT),
            -math.log10(STRAIGHT),
        ),
        Line(
            "saturation",
            "log10 of c_1 over c_4, c_e^2 = |f[0, e', e]|^2 / |v|^2 + 1e-10, f[...] divided "
            "differences of f(b + e v), e' the next smaller e",
            "decades",
            "after Newton 1687",
            "answers that level off (> 0), bend evenly (0) or ever more (< 0) as kicks grow; what "
            "of the state is kept has no say",
        ),
        Line(
            "compression",
            "-<c b> / (sqrt(|c|^2 + 1e-12 |8 b|^2) |b|), c = f(8 b) - 8 b",
            "1",
            "after the direct method of Lyapunov 1892",
            "maps that pull a large state back (1), turn it (0) or drive it away (-1)",
            -1.0,
            1.0,
        ),
    ),
    Laws(),
)
