"""TEMPORAL, optional group physics: quantities of fluids and of phase fields, 9 columns.

z is the field of one channel, standardized over the domain; ⟨·⟩ the mean over the domain; the first
four columns are averaged over the channels. The others know channels 0 and 1 without their means as
a vector field v = (v_x, v_y), with y along the rows: they are NaN for a single channel, and where
one of the two is constant. v turns with no rotation of the domain: by 90° its divergence d becomes
its vorticity w, and w −d.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from spinlock.features.declare import Laws, Line, columns, statistic
from spinlock.features.fields import Fields, Modes
from spinlock.features.numerics import mean_where, root
from spinlock.features.temporal import filters
from spinlock.features.temporal.spatial import FLAT

COARSE = 4.0  # cycles per domain, between coarse and fine
SMALL = 1e-5  # of a variance or mean square: what does not count
OF_CHANNELS = 4  # columns that every channel has
FULL_TURN = 2 * torch.pi


def compute(fields: Fields) -> Float[Tensor, "*B 1 9"]:
    """The columns of all channels, as in `COLUMNS`; NaN where undefined."""
    found = _steepening(fields) | _phases(fields)
    found |= {"palinstrophy_scale": _palinstrophy(fields), "triad_transfer": _transfer(fields)}
    names = [statistic(column) for column in COLUMNS]
    single = fields.masked(torch.stack([found[name] for name in names[:OF_CHANNELS]], -1))
    mean = mean_where(single, ~single.isnan())
    return torch.cat([mean, _of_vector(fields, names[OF_CHANNELS:])], -1).unsqueeze(-2)


@lru_cache(maxsize=16)
def _moments_of_k(modes: Modes) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
    """k^4 and k^6, from float64."""
    k = modes.k.double()
    return (k**4).to(modes.k), (k**6).to(modes.k)


def _palinstrophy(fields: Fields) -> Float[Tensor, "*B C"]:
    fourth, sixth = _moments_of_k(fields.modes)
    return ((fields.power * sixth).sum(-1) / (fields.power * fourth).sum(-1)).log10() / 2


def _steepening(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    square = [(part * part.square()).mean((-2, -1)).square() for part in fields.gradient]
    yy, xx = fields.squared_gradient
    total = (yy + xx).mean((-2, -1)) + FLAT
    return {"derivative_skewness": root((square[0] + square[1]) / total**3)}


def _phases(fields: Fields) -> dict[str, Float[Tensor, "*B C"]]:
    """The correlation of gradient energy and potential energy."""
    yy, xx = fields.squared_gradient
    square = yy + xx
    kinetic = square / (square.mean((-2, -1), keepdim=True) + FLAT)
    potential = (1 - fields.z.square()).square()
    parts = [part - part.mean((-2, -1), keepdim=True) for part in (kinetic, potential)]
    spread = [part.square().mean((-2, -1)) + SMALL for part in parts]
    covariance = (parts[0] * parts[1]).mean((-2, -1))
    return {"equipartition": covariance / (spread[0] * spread[1]).sqrt()}


def _transfer(fields: Fields) -> Float[Tensor, "*B C"]:
    response = filters.band(fields.size, 0.0, COARSE, fields.z.device, fields.z.dtype)
    coarse = filters.apply(fields.spectrum, response)
    fine, square = fields.z - coarse, coarse.square()
    scale = (square.mean((-2, -1)) + SMALL) * (fine.square().mean((-2, -1)) + SMALL).sqrt()
    return (square * fine).mean((-2, -1)) / scale


def _of_vector(fields: Fields, names: list[str]) -> Float[Tensor, "*B 5"]:
    if fields.z.shape[-3] < 2:
        return torch.full_like(fields.mean[..., :1], torch.nan).repeat_interleave(len(names), -1)
    deviation = fields.deviation[..., :2]
    share = deviation * deviation.square().sum(-1, keepdim=True).rsqrt()
    found = _split(fields, share) | _flow(fields, share) | {"defects": _defects(fields)}
    exists = fields.defined[..., :2].all(-1, keepdim=True)
    return torch.where(exists, torch.stack([found[name] for name in names], -1), torch.nan)


def _split(fields: Fields, share: Float[Tensor, "*B 2"]) -> dict[str, Float[Tensor, "*B"]]:
    """Potential less solenoidal part, of the energy and of the squared gradient."""
    modes, spectrum = fields.modes, fields.spectrum[..., :2, :, :] * share[..., None, None]
    x, y = spectrum.flatten(-2)[..., modes.order].unbind(-2)
    along = x.real.square() + x.imag.square()
    across = y.real.square() + y.imag.square()
    both = x.real * y.real + x.imag * y.imag
    turned = modes.weight * (modes.cos2 * (along - across) + 2 * modes.sin2 * both)
    power, square = modes.weight * (along + across), modes.k.square()
    return {
        "helmholtz_split": turned.sum(-1) / power.sum(-1),
        "compressibility": (turned * square).sum(-1) / (power * square).sum(-1),
    }


def _flow(fields: Fields, share: Float[Tensor, "*B 2"]) -> dict[str, Float[Tensor, "*B"]]:
    """What the gradients of v do at each point; derivatives are named v_xy = ∂v_x/∂y."""
    dy, dx = (part[..., :2, :, :] * share[..., None, None] for part in fields.gradient)
    (v_xx, v_yx), (v_xy, v_yy) = dx.unbind(-3), dy.unbind(-3)
    strain = (v_xx - v_yy).square() + (v_yx + v_xy).square()
    spin = (v_yx - v_xy).square()
    square = v_xx.square() + v_xy.square() + v_yx.square() + v_yy.square()
    total = square.mean((-2, -1)) + FLAT
    floor = SMALL * total[..., None, None]
    area = (v_xx * v_yy - v_xy * v_yx).abs().mean((-2, -1))
    return {
        "okubo_weiss": ((strain - spin) / (strain + spin + floor)).mean((-2, -1)),
        "independence": 2 * area / total,
    }


def _defects(fields: Fields) -> Float[Tensor, "*B"]:
    """Squares of four neighboring cells around which the phase of (z_0, z_1) turns once."""
    z = fields.z.detach()
    phase = torch.atan2(z[..., 1, :, :], z[..., 0, :, :])
    along_y, along_x = (_wrapped(phase.roll(-1, axis) - phase) for axis in (-2, -1))
    winding = along_x + along_y.roll(-1, -1) - along_x.roll(-1, -2) - along_y
    count = (winding.abs() > torch.pi).sum((-2, -1))
    return (1 + count.to(z.dtype)).log10()


def _wrapped(angle: Float[Tensor, "*B H W"]) -> Float[Tensor, "*B H W"]:
    return angle - FULL_TURN * (angle / FULL_TURN).round()


COLUMNS = columns(
    "temporal.physics",
    (
        Line(
            "palinstrophy_scale",
            "log10 of the square root of sum k^6 P_k / sum k^4 P_k",
            "log10 cycles per domain",
            "Lilly 1971",
            "where dissipation ends: spectra that are cut off from those that fall as a power",
            0,
        ),
        Line(
            "derivative_skewness",
            "sqrt(<(d_x z)^3>^2 + <(d_y z)^3>^2) / <|grad z|^2>^(3/2)",
            "1",
            "Batchelor & Townsend 1947",
            "steep on one side only: shocks and traveling fronts",
            0,
        ),
        Line(
            "triad_transfer",
            "<a^2 b> / ((<a^2> + 1e-5) sqrt(<b^2> + 1e-5)), a the waves k < 4 of z, b the others",
            "1",
            "after Kraichnan 1959",
            "fine structure made by the coarse one, quadratically (an energy flux), from its own",
        ),
        Line(
            "equipartition",
            "<a b> / sqrt((<a^2> + 1e-5) (<b^2> + 1e-5)), a and b the deviations of"
            " |grad z|^2 / <|grad z|^2> and (1 - z^2)^2 from their means",
            "1",
            "after Ginzburg & Landau 1950",
            "walls between two phases (1) from waves and Gaussian fields (0)",
            -1,
            1,
        ),
        Line(
            "helmholtz_split",
            "(<p^2> - <s^2>) / <v^2>, v = p + s, p without curl, s without divergence",
            "1",
            "Helmholtz 1858",
            "channels that make sources and sinks (1) from ones that make whirls (-1)",
            -1,
            1,
        ),
        Line(
            "compressibility",
            "(<d^2> - <w^2>) / (<d^2> + <w^2>), d the divergence, w the vorticity of v",
            "1",
            "after Kida & Orszag 1990",
            "the same in the small structures",
            -1,
            1,
        ),
        Line(
            "okubo_weiss",
            "<(s^2 - w^2) / (s^2 + w^2 + 1e-5 g^2)>, s the strain of v, g^2 = <|grad v|^2>",
            "1",
            "Okubo 1970; Weiss 1991",
            "places that stretch (1) from places that spin (-1), each counted alike",
            -1,
            1,
        ),
        Line(
            "independence",
            "2 <|d_x v_x d_y v_y - d_y v_x d_x v_y|> / <|grad v|^2>",
            "1",
            "Jacobi 1841",
            "channels that are functions of each other (0) from ones that vary across each other",
            0,
            1,
        ),
        Line(
            "defects",
            "log10(1 + n), n the points around which the phase of (z_0, z_1) turns once",
            "decades",
            "Kosterlitz & Thouless 1973",
            "spiral waves and vortices of two coupled channels",
            0,
        ),
    ),
    Laws(
        rough={"defects"},
        rotation={
            "helmholtz_split": "negated",
            "compressibility": "negated",
            "okubo_weiss": "other",
        },
    ),
)
