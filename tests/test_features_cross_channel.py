"""TEMPORAL cross_channel: against definitions in NumPy, and channels whose relation is known."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_cases import noise, smooth, wave
from spinlock.features import fields
from spinlock.features.declare import statistic
from spinlock.features.temporal import cross_channel

STATISTICS = tuple(statistic(column) for column in cross_channel.COLUMNS)
FLOOR, NOISE = 1e-4, 1e-11
BANDS = {"low": (1, 3), "mid": (3, 10), "high": (10, 16)}
seeds = st.integers(0, 2**31)


def compute(u):
    """All columns [B, 12] of fields [B, C, H, W]."""
    return cross_channel.compute(fields.measure(u))[:, 0]


def describe(u):
    """Columns by name of one step [C, H, W]."""
    return dict(zip(STATISTICS, compute(u[None])[0].tolist(), strict=True))


def standardized(u):
    """The values of each channel, [C, HW]."""
    x = u.reshape(len(u), -1)
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)


def pair_mean(function, *per_channel):
    """Mean over the pairs i < j of a function of what is known of i, and of j."""
    pairs = combinations(range(len(per_channel[0])), 2)
    return np.mean(
        [function(*(x[i] for x in per_channel), *(x[j] for x in per_channel)) for i, j in pairs]
    )


def eigenvalue_shares(u):
    """Of the correlations, ascending, by a singular value decomposition of the data."""
    return np.sort(np.linalg.svd(standardized(u), compute_uv=False) ** 2) / u.size


def condition_number(u):
    share = eigenvalue_shares(u)
    return math.log10((share[-1] + FLOOR) / (share[0] + FLOOR))


def participation_ratio(u):
    own = np.linalg.eigvalsh(np.cov(u.reshape(len(u), -1)))
    return own.sum() ** 2 / (own**2).sum()


def correlation_mean(u):
    return np.corrcoef(u.reshape(len(u), -1))[np.triu_indices(len(u), 1)].mean()


def square_correlation(u):
    def of_pair(x, y):
        spread = [(z**4).mean() * (1 + FLOOR) - 1 for z in (x, y)]
        return np.cov(x**2, y**2, bias=True)[0, 1] / math.sqrt(spread[0] * spread[1])

    return pair_mean(of_pair, standardized(u))


def mutual_information(u):
    def basis(z):
        """z and what a line leaves of z²."""
        line = np.polyfit(z, z**2, 1)
        rest = z**2 - np.polyval(line, z)
        return np.stack([z, rest / math.sqrt((rest**2).mean() + FLOOR * (z**4).mean())])

    def of_pair(x, y):
        canonical = np.linalg.svd(basis(x) @ basis(y).T / len(x), compute_uv=False)
        left = np.prod(1 - canonical**2)
        return -math.log((left + FLOOR) / (1 + FLOOR)) / 2

    return pair_mean(of_pair, standardized(u))


def wavenumber(size):
    k = np.fft.fftfreq(size, 1 / size)
    return np.hypot(k[:, None], k)


def modes(u, low, high):
    """Fourier coefficients, both signs, of the modes low <= k < high of the standardized field."""
    z = standardized(u).reshape(u.shape)
    k = wavenumber(u.shape[-1])
    return (np.fft.fft2(z) / z[0].size)[:, (k >= low) & (k < high)]


def coherence(band):
    def of_pair(x, y):
        power = ((np.abs(a) ** 2).sum() + NOISE for a in (x, y))
        return abs((x * y.conj()).sum()) / math.sqrt(math.prod(power))

    return lambda u: pair_mean(of_pair, modes(u, *band))


def spectral_overlap(u):
    def of_pair(x, y):
        power = (np.abs(a) ** 2 for a in (x, y))
        p, q = (a / (a.sum() + NOISE) for a in power)
        return np.sqrt(p * q).sum()

    return pair_mean(of_pair, modes(u, 1, 16))


def gradients(u):
    """(∂u/∂y, ∂u/∂x) over their rms length, by the differentiation matrix of a periodic grid."""
    size = u.shape[-1]
    apart = np.arange(size)[:, None] - np.arange(size)
    cotangent = 1 / np.tan(np.where(apart == 0, 1, np.pi * apart / size))
    matrix = np.where(apart == 0, 0, np.pi * (-1.0) ** apart * cotangent)  # Trefethen 2000, ch. 3
    both = np.stack([np.einsum("ij,cjx->cix", matrix, u), np.einsum("ij,cyj->cyi", matrix, u)], 1)
    return both / np.sqrt((both**2).sum(1).mean((-2, -1)))[:, None, None, None]


def together(g, h):
    return ((g**2).sum(0) * (h**2).sum(0)).mean()


def gradient_alignment(u):
    def of_pair(g, h):
        return (((g * h).sum(0) ** 2).mean() + FLOOR / 2) / (together(g, h) + FLOOR)

    return pair_mean(of_pair, gradients(u))


def edge_coincidence(u):
    return pair_mean(lambda g, h: math.log10(together(g, h) + FLOOR), gradients(u))


ORACLES = {
    "largest_eigenvalue": lambda u: eigenvalue_shares(u)[-1],
    "condition_number": condition_number,
    "participation_ratio": participation_ratio,
    "correlation_mean": correlation_mean,
    "square_correlation": square_correlation,
    "mutual_information": mutual_information,
    **{f"coherence_{name}": coherence(band) for name, band in BANDS.items()},
    "spectral_overlap": spectral_overlap,
    "gradient_alignment": gradient_alignment,
    "edge_coincidence": edge_coincidence,
}


def mixed(seed, channels, size, reach=11):
    """Channels that share a field, by unequal parts, one of them with a parabola of it."""
    shared, own = smooth(seed, (1,), size, reach), smooth(seed + 1, (channels,), size, reach)
    part = torch.linspace(-0.8, 1.2, channels, dtype=torch.float64)[:, None, None]
    u = own + part * shared
    u[-1] += shared[0].square()
    return u


def test_every_column_has_an_oracle():
    assert tuple(ORACLES) == STATISTICS
    assert len(STATISTICS) == 12


@given(seed=seeds, channels=st.integers(2, 6), size=st.sampled_from([32, 36]))
@settings(max_examples=12)
def test_columns_are_those_of_their_definitions(seed, channels, size):
    u = mixed(seed, channels, size)
    u = u * torch.logspace(-1, 1, channels, dtype=torch.float64)[:, None, None] + 3
    found = describe(u)
    for name, oracle in ORACLES.items():
        assert found[name] == pytest.approx(oracle(u.numpy()), rel=1e-5, abs=1e-9), name


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_single_precision_is_enough(channels):
    u = noise(channels, (1, channels, 64, 64)).exp()
    found, exact = compute(u), compute(u.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


@given(channels=st.integers(2, 8), seed=seeds)
@settings(max_examples=10)
def test_extreme_eigenvalues_are_those_of_lapack_with_their_gradients(channels, seed):
    x = noise(seed, (5, channels, 2 * channels), torch.float64)
    matrix = (x @ x.mT).requires_grad_()
    found = cross_channel.extremes(matrix)
    expected = torch.linalg.eigvalsh(matrix)[..., [0, -1]]
    torch.testing.assert_close(found, expected)
    weight = noise(seed + 1, (5, 2), torch.float64)
    pulled = [torch.autograd.grad((y * weight).sum(), matrix)[0] for y in (found, expected)]
    torch.testing.assert_close(*pulled)


def test_equal_channels_are_one():
    u = (
        smooth(1, (1,), 32, reach=15).expand(3, 32, 32)
        * torch.tensor([1.0, 2.0, 5.0])[:, None, None]
    )
    found = describe(u)
    assert found.pop("condition_number") == pytest.approx(math.log10(1 + 1 / FLOOR))
    assert found.pop("mutual_information") == pytest.approx(math.log1p(1 / FLOOR) / 2, rel=1e-3)
    assert found.pop("edge_coincidence") > 0
    for name in ("gradient_alignment", "square_correlation"):  # their floors
        assert found.pop(name) == pytest.approx(1, abs=1e-3)
    assert found == pytest.approx(dict.fromkeys(found, 1.0))


def test_opposite_channels_are_one_pattern_with_two_signs():
    field = smooth(1, (1,), 32)
    found = describe(torch.cat([field, -field]))
    assert found["correlation_mean"] == pytest.approx(-1)
    assert found["largest_eigenvalue"] == pytest.approx(1)
    assert found["square_correlation"] == pytest.approx(1, abs=1e-3)


def test_waves_across_each_other_share_nothing_but_their_gradients_stand_upright():
    found = describe(torch.cat([wave(0, 3), wave(3, 0)]))
    assert found["correlation_mean"] == pytest.approx(0, abs=1e-12)
    assert found["largest_eigenvalue"] == pytest.approx(1 / 2)
    assert found["condition_number"] == pytest.approx(0, abs=1e-9)
    assert found["participation_ratio"] == pytest.approx(2)
    assert found["mutual_information"] == pytest.approx(0, abs=1e-9)
    assert found["spectral_overlap"] == pytest.approx(0, abs=1e-6)
    assert found["gradient_alignment"] == pytest.approx(FLOOR / 2, rel=1e-3)
    assert found["edge_coincidence"] == pytest.approx(0, abs=1e-4)


def test_a_shifted_copy_is_out_of_step_but_has_the_same_spectrum():
    u = smooth(2, (1,), 32, reach=12)
    quarter = describe(torch.cat([wave(0, 4), wave(0, 4).roll(2, -1)]))
    assert quarter["coherence_mid"] == pytest.approx(0, abs=1e-9)
    assert quarter["spectral_overlap"] == pytest.approx(1)
    shifted = describe(torch.cat([u, u.roll((5, 11), (-2, -1))]))
    assert shifted["spectral_overlap"] == pytest.approx(1)
    assert shifted["coherence_mid"] < 0.9


def test_coherence_tells_the_band_that_is_shared():
    low, other = (wave(1, 1, phase=phase) for phase in (0.3, 0.3 + math.pi / 2))
    high = wave(9, 8)
    found = describe(torch.cat([low + 0.1 * high, other + 0.1 * high]))
    assert found["coherence_low"] == pytest.approx(0, abs=1e-9)
    assert found["coherence_mid"] == pytest.approx(0, abs=1e-9)
    assert found["coherence_high"] == pytest.approx(1)


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.8])
def test_gaussian_channels_have_the_information_of_their_correlation(rho):
    x, rest = noise(1, (200, 2, 32, 32), torch.float64).unbind(1)
    u = torch.stack([x, rho * x + math.sqrt(1 - rho**2) * rest], 1)
    found = dict(zip(STATISTICS, compute(u).mean(0).tolist(), strict=True))
    # Hermite polynomials: the correlations of degree 1 and 2 are rho and rho^2, others zero
    information = -(math.log(1 - rho**2) + math.log(1 - rho**4)) / 2
    assert found["mutual_information"] == pytest.approx(information, abs=0.01)
    assert found["square_correlation"] == pytest.approx(rho**2, abs=0.01)
    assert found["correlation_mean"] == pytest.approx(rho, abs=0.01)
    assert found["largest_eigenvalue"] == pytest.approx((1 + abs(rho)) / 2, abs=0.02)
    condition = math.log10((1 + abs(rho)) / (1 - abs(rho)))
    assert found["condition_number"] == pytest.approx(condition, abs=0.03)


def test_a_parabola_is_known_without_correlation():
    x = wave(0, 3) + wave(3, 1)
    found = describe(torch.cat([x, x.square()]))
    assert found["correlation_mean"] == pytest.approx(0, abs=1e-9)
    assert found["mutual_information"] > 3
    assert found["gradient_alignment"] == pytest.approx(1, abs=1e-3)


def test_edges_apart_avoid_each_other():
    y, x = torch.meshgrid(*(torch.arange(32.0) / 32 - 0.5 for _ in "yx"), indexing="ij")
    bump = (-(x.square() + y.square()) / (2 * 0.06**2)).exp().double()
    apart = describe(torch.stack([bump, bump.roll((16, 16), (0, 1))]))
    assert apart["edge_coincidence"] == pytest.approx(math.log10(FLOOR), abs=0.1)
    assert apart["gradient_alignment"] == pytest.approx(0.5, abs=0.1)


def test_participation_counts_the_channels_that_carry_the_variance():
    waves = torch.cat([wave(0, 3), wave(3, 0), wave(2, 2)])
    size = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    expected = (size**2).sum() ** 2 / (size**4).sum()
    found = describe(size[:, None, None] * waves)["participation_ratio"]
    assert found == pytest.approx(float(expected))


@given(seed=seeds, channels=st.integers(2, 5))
@settings(max_examples=5)
def test_channels_have_no_order(seed, channels):
    u = mixed(seed, channels, 16)[None]
    order = torch.randperm(channels, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(compute(u[:, order]), compute(u), rtol=1e-9, atol=1e-9)


def test_a_constant_channel_does_not_count():
    u = mixed(5, 4, 32)[None]
    u[:, 1] = 4.0
    torch.testing.assert_close(compute(u), compute(u[:, [0, 2, 3]]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("value", [1.7, torch.nan, torch.inf])
def test_fewer_than_two_channels_have_no_relation_and_send_no_gradient(value):
    u = noise(1, (3, 3, 16, 16))
    u[0, 1:], u[1] = value, value
    u.requires_grad_()
    found = compute(u)
    assert found[:2].isnan().all()
    assert found[2].isfinite().all()
    (gradient,) = torch.autograd.grad(found.nansum(), u)
    assert gradient.isfinite().all()
    assert (gradient[:2] == 0).all()
    assert bool((gradient[2] != 0).any())
    assert compute(u[:, :1]).isnan().all()
    assert compute(u[:, :1]).shape == (3, 12)


def test_a_grid_too_small_for_a_band_has_no_coherence_in_it():
    found = describe(noise(1, (3, 8, 8)))
    assert {name for name, value in found.items() if math.isnan(value)} == {"coherence_high"}


@pytest.mark.parametrize("channels", [2, 3, 8])
@pytest.mark.parametrize("size", [15, 32, 64])
def test_one_step_has_the_same_bits_alone_and_among_others(channels, size):
    u = noise(size, (9, channels, size, size))
    u[4, 1], u[5, 1] = 2.0, u[5, 0]
    whole = compute(u).nan_to_num(7)
    for count in (1, 2, 5):
        parts = [compute(part) for part in u.split(count)]
        assert torch.equal(torch.cat(parts).nan_to_num(7), whole)
    assert torch.equal(compute(u.flip(0)).nan_to_num(7), whole.flip(0))
    assert torch.equal(compute(u.clone().requires_grad_()).nan_to_num(7), whole)


def extreme(kind):
    """Three channels without some of what the columns measure."""
    points = torch.arange(16.0, dtype=torch.float64)
    board = (-1.0) ** (points[:, None] + points)
    across = [wave(0, 3, 16), wave(3, 0, 16), wave(2, 2, 16)]
    spike = torch.zeros(16, 16, dtype=torch.float64)
    spike[3, 4] = 1
    return {
        "orthogonal": torch.cat(across),
        "equal": smooth(2, (1,), 16).expand(3, 16, 16),
        "equal waves": across[0].expand(3, 16, 16),
        "equal signs": noise(2, (1, 16, 16), torch.float64).sign().expand(3, 16, 16),
        "checkerboard": torch.stack([board, across[0][0], across[1][0]]),
        "signs": noise(1, (3, 16, 16), torch.float64).sign(),
        "spikes": torch.stack([spike, spike.roll(5, 0), spike.roll(7, 1)]),
        "huge and tiny": torch.cat(across)
        * torch.tensor([1e-9, 1.0, 1e9], dtype=torch.float64)[:, None, None],
    }[kind]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "kind",
    [
        "orthogonal",
        "equal",
        "equal waves",
        "equal signs",
        "checkerboard",
        "signs",
        "spikes",
        "huge and tiny",
    ],
)
def test_extreme_channels_have_finite_columns_within_bounds_and_finite_gradients(kind, dtype):
    u = extreme(kind).to(dtype)[None].requires_grad_()
    found = compute(u)
    assert found.isfinite().all()
    for column, value in zip(cross_channel.COLUMNS, found[0].tolist(), strict=True):
        assert column.low - 1e-5 <= value <= column.high + 1e-5, column.name
    for value in found[0]:
        (gradient,) = torch.autograd.grad(value, u, retain_graph=True)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("levels", ["many", "two"])
def test_rounding_takes_no_column_of_equal_channels_beyond_its_bounds(levels):
    u = noise(2, (64, 1, 16, 16)) + 0.5
    found = compute((u.sign() if levels == "two" else u).expand(64, 3, 16, 16))
    for column, values in zip(cross_channel.COLUMNS, found.unbind(-1), strict=True):
        assert bool((values <= column.high + 1e-6).all()), column.name
        assert bool((values >= column.low - 1e-6).all()), column.name


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_gradients_are_those_of_finite_differences(channels):
    u = mixed(3, channels, 8, reach=3)[None]
    exists = ~compute(u)[0].isnan()
    assert int(exists.sum()) == 11
    assert torch.autograd.gradcheck(lambda x: compute(x)[:, exists], u.clone().requires_grad_())


@pytest.mark.parametrize(("channels", "rank"), [(2, 10), (3, 12), (5, 12)])
def test_no_column_is_a_function_of_the_others_from_three_channels_on(channels, rank):
    u = mixed(7, channels, 32)[None].requires_grad_()
    gradients = [
        torch.autograd.grad(value, u, retain_graph=True)[0].flatten() for value in compute(u)[0]
    ]
    directions = torch.stack([gradient / gradient.norm() for gradient in gradients])
    assert int((torch.linalg.svdvals(directions) > 1e-4).sum()) == rank


def test_the_same_fields_on_a_finer_grid_have_the_same_columns():
    coarse, *finer = (compute(smooth(4, (2, 3), size, reach=7)) for size in (32, 64, 128))
    for fine in finer:
        torch.testing.assert_close(fine, coarse, rtol=1e-9, atol=1e-9)


@given(seed=seeds, dy=st.integers(0, 31), dx=st.integers(0, 31))
@settings(max_examples=5)
def test_nothing_depends_on_origin_orientation_scale_offset_or_the_sign_of_all(seed, dy, dx):
    u = noise(seed, (2, 3, 32, 32), torch.float64)
    seen = 5 - 3 * u.roll((dy, dx), (-2, -1)).rot90(1, (-2, -1))
    torch.testing.assert_close(compute(seen), compute(u), rtol=1e-9, atol=1e-9)
