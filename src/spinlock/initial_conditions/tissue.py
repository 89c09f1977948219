"""Fields of living tissue: morphogens, cells, gene expression, and the contacts of chromatin."""

import numpy as np
from scipy import fft, special

from spinlock.initial_conditions import spectral, torus

LATTICE = 48  # points per axis on which diffusion is solved
ORGANIZERS = (1, 3)
ORGANIZER_WIDTH = 0.04  # standard deviation, share of the domain
DECAY_LENGTH = (0.08, 0.2)  # λ, share of the domain
SECRETION = (1.5, 4.0)

CELLS = (8, 20)
SPACING = 0.14  # least distance of two cells' centers, share of the domain
RADIUS = (0.035, 0.05)  # share of the domain
MEMBRANE = 0.006  # width of a cell's edge, share of the domain
DARTS = 600  # cells thrown; the densest tissue takes about 100

BURST_FREQUENCY = (1.0, 4.0)  # a, bursts per lifetime of the protein

LOCI = (3, 6)  # domains of either compartment
LEAST_DOMAIN = 0.5  # length of a domain, share of what it would be were all equal
CONTACT_EXPONENT = (0.5, 1.5)  # γ
CONTACT_RANGE = 0.02  # s0, share of the genome within which all is in contact
COMPARTMENT = (0.5, 1.0)  # κ


def morphogen_gradient(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Concentrations that fall off exponentially around a few organizers, [C, H, W].

    Steady state of secretion, diffusion and degradation (Crick 1970, "Diffusion in
    embryogenesis"), $c - \lambda^2 \Delta c = 2\pi \lambda^2 s$, with the decay length λ uniform
    on [0.08, 0.2] of the domain (Driever and Nüsslein-Volhard 1988: 0.2 for Bicoid) and s made of
    1 to 3 Gaussian organizers of width 0.04 and secretion on [1.5, 4] at uniform places. Outside
    them $\Delta c = c / \lambda^2$.
    """
    length = rng.uniform(*DECAY_LENGTH, channels)[:, None, None]
    sources = np.stack([_organizers(rng) for _ in range(channels)])
    response = 2 * np.pi / (length**-2 + torus.squared_wavenumbers(LATTICE))
    steady = fft.irfft2(fft.rfft2(sources) * response, s=(LATTICE, LATTICE))
    return torus.interpolate(steady, grid_size)


def _organizers(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(*ORGANIZERS, endpoint=True))
    dy, dx = torus.offsets(rng.uniform(0.0, 1.0, (count, 2)), LATTICE)
    secretion = rng.uniform(*SECRETION, count) / (2 * np.pi * ORGANIZER_WIDTH**2)
    bumps = np.exp(-0.5 * (np.square(dy) + np.square(dx)) / ORGANIZER_WIDTH**2)
    return np.einsum("j,jyx->yx", secretion, bumps, optimize=False)


def cell_population(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Round cells that do not overlap on an empty domain, [C, H, W], 8 to 20 for each channel.

    $u = \sum_j a_j / (1 + e^{(|x - c_j| - r_j) / w})$ with w = 0.006 of the domain, centers by
    random sequential addition at a distance of 0.14 or more (a hard-core process: Matérn 1960,
    "Spatial variation"), radii uniform on [0.035, 0.05] and lognormal content, $\ln a_j$ normal
    of standard deviation 0.4 (Furusawa et al. 2005) around ln 1.5.

    Raises:
        Refusal: the smallest cell would have fewer than two points per diameter.
    """
    spectral.require_grid(grid_size, int(0.5 / RADIUS[0]))
    return np.stack([_cells(grid_size, rng) for _ in range(channels)])


def _cells(grid_size: int, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(*CELLS, endpoint=True))
    centers = _hard_core(rng.uniform(0.0, 1.0, (DARTS, 2)), count)
    radii = rng.uniform(*RADIUS, count)[:, None, None]
    content = 1.5 * np.exp(0.4 * rng.standard_normal(count))
    distance = np.hypot(*torus.offsets(centers, grid_size))
    inside = special.expit((radii - distance) / MEMBRANE)
    return np.einsum("j,jyx->yx", content, inside, optimize=False)


def _hard_core(darts: np.ndarray, count: int) -> np.ndarray:
    """The first `count` darts that stay `SPACING` away from those before them, [count, 2]."""
    kept = darts[:1]
    for dart in darts[1:]:
        shift = np.abs(kept - dart)
        shift = np.minimum(shift, 1 - shift)
        if (np.square(shift).sum(-1) >= SPACING**2).all():
            kept = np.concatenate([kept, dart[None]])
        if len(kept) == count:
            break
    return kept


def gene_expression(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Protein made in bursts, gamma distributed at every point, mean 1, [C, H, W].

    $u = F_a^{-1}(\Phi(g)) / a$ with $F_a$ the gamma distribution of shape a (Friedman, Cai and Xie
    2006, "Linking stochastic dynamics to population distribution"): a bursts per lifetime,
    uniform on [1, 4], of a mean size 1 / a, which is also the variance over the mean. g is half
    `band_limited_low`, half `band_limited_mid`: neighbors share their fate.
    """
    bursts = rng.uniform(*BURST_FREQUENCY, channels)[:, None, None]
    low, mid = (spectral.band_limited(b, channels, grid_size, rng) for b in ("low", "mid"))
    return special.gammaincinv(bursts, special.ndtr((low + mid) / np.sqrt(2))) / bursts


def chromatin_domain(channels: int, grid_size: int, rng: np.random.Generator) -> np.ndarray:
    r"""Logarithm of how often two loci of a circular genome touch, [C, H, W], symmetric.

    $u(x, y) = -\gamma (\ln(s + s_0) - m) + \kappa\, c(x) c(y)$ with s the distance along the genome
    (a circle, so that the map is periodic), $s_0 = 0.02$ and m the mean of the logarithm over the
    circle. γ is 1 for the fractal globule, 1.5 for one in equilibrium (Lieberman-Aiden et al.
    2009, "Comprehensive mapping of long-range interactions"), about 0.5 in mitosis (Naumova et al.
    2013): uniform on [0.5, 1.5]; κ on [0.5, 1]. The compartments A and B, $c = \pm 1$, alternate
    over 6 to 12 domains of random lengths.
    """
    points = np.arange(grid_size) / grid_size
    shift = np.abs(points[:, None] - points)
    decay = np.log(np.minimum(shift, 1 - shift) + CONTACT_RANGE) - _mean_logarithm()
    exponent = rng.uniform(*CONTACT_EXPONENT, channels)[:, None, None]
    strength = rng.uniform(*COMPARTMENT, channels)[:, None, None]
    kind = np.stack([_compartments(points, rng) for _ in range(channels)])
    plaid = kind[:, :, None] * kind[:, None, :]
    return -exponent * decay + strength * plaid


def _mean_logarithm() -> float:
    """Mean of ln(s + s0) over s from 0 to 1 / 2."""
    ends = np.array([CONTACT_RANGE, CONTACT_RANGE + 0.5])
    return float(np.diff(ends * np.log(ends) - ends)[0] / 0.5)


def _compartments(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The compartment of each point of the genome, 1 or -1, [H]."""
    count = 2 * int(rng.integers(*LOCI, endpoint=True))
    lengths = LEAST_DOMAIN / count + (1 - LEAST_DOMAIN) * rng.dirichlet(np.ones(count))
    ends, origin = np.cumsum(lengths), rng.uniform(0.0, 1.0)
    domain = np.searchsorted(ends, (points + origin) % 1.0, side="right")
    return 1.0 - 2.0 * (domain % 2)
