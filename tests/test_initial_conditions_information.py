"""Entropy by counting, mutual information by correlation and by counting, parity by syndrome."""

import numpy as np
import pytest

from initial_condition_cases import fields
from spinlock import randomness
from spinlock.initial_conditions import families, information
from spinlock.refusals import Refusal

SIZES = [32, 64]


def drawn(variant, seed, channels, grid_size):
    rng = randomness.stream(seed, "initial_condition/0", 0)
    return families.lookup(variant).generate(channels, grid_size, rng)


def entropy(values):
    share = np.unique(values, return_counts=True)[1] / values.size
    return -(share * np.log2(share)).sum()


@pytest.mark.parametrize(("size", "tolerance"), [(32, 0.12), (64, 2e-3), (128, 0.03)])
def test_fields_have_one_of_the_stated_entropies(size, tolerance):
    found = np.array([entropy(u) for u in fields("shannon_entropy", 90, size)])
    distance = np.abs(found[:, None] - information.ENTROPIES)
    assert distance.min(1).max() < tolerance
    assert set(distance.argmin(1)) == {0, 1, 2, 3}


@pytest.mark.parametrize("size", SIZES)
def test_symbols_have_the_distribution_of_largest_entropy_for_their_mean(size):
    """Each symbol is rarer than the one before by one and the same factor (Jaynes)."""
    u = fields("shannon_entropy", 60, size)
    assert u.var((1, 2)) == pytest.approx(1, abs=0.25)
    for one in u:
        values, counts = np.unique(one, return_counts=True)
        assert len(values) <= information.SYMBOLS
        assert np.ptp(np.diff(values)) < 1e-9 or len(values) < information.SYMBOLS
        factors = np.diff(np.log(np.sort(counts[counts > 20 * (size / 32) ** 2])))
        assert np.ptp(factors) < {32: 1.0, 64: 0.1}[size]


def pairs(channels):
    return [(a, b) for a in range(channels) for b in range(a)]


@pytest.mark.parametrize("size", SIZES)
def test_channels_share_the_stated_information_exactly_in_every_draw(size):
    found = []
    for seed in range(60):
        u = drawn("mutual_information", seed, 3, size)
        np.testing.assert_allclose(u.var((1, 2)), 1, rtol=1e-9)
        rho = np.corrcoef(u.reshape(3, -1))
        bits = [-0.5 * np.log2(1 - rho[a, b] ** 2) for a, b in pairs(3)]
        np.testing.assert_allclose(bits, bits[0], rtol=1e-9)
        found.append(bits[0])
    assert set(np.round(found, 9)) == set(information.INFORMATION)


def counted(a, b, bins=12):
    """Mutual information in bits of two sets of values, by counting equally likely bins."""
    ranks = [np.argsort(np.argsort(x.ravel())) * bins // x.size for x in (a, b)]
    joint = np.histogram2d(*ranks, bins=bins)[0] / a.size
    known = joint > 0
    return (joint[known] * np.log2(joint[known] * bins**2)).sum()


def test_information_counted_without_the_normal_law_agrees():
    draws = [drawn("mutual_information", seed, 2, 64) for seed in range(200)]
    stated = np.array(
        [-0.5 * np.log2(1 - np.corrcoef(*u.reshape(2, -1))[0, 1] ** 2) for u in draws]
    )
    for bits in information.INFORMATION[:3]:
        chosen = np.stack(
            [u for u, s in zip(draws, stated, strict=True) if abs(s - bits) < 1e-6], 1
        )
        assert counted(*chosen) == pytest.approx(bits, rel=0.12)


def test_channels_of_other_families_share_nothing():
    draws = [drawn("shannon_entropy", seed, 2, 32) for seed in range(60)]
    assert abs(np.mean([np.corrcoef(*u.reshape(2, -1))[0, 1] for u in draws])) < 0.06


def words(size, count=60):
    u = fields("error_correcting_code", count, size)
    width = size // information.CODE_LENGTH
    squares = u.reshape(count, 16, width, 16, width)
    assert (squares == squares[:, :, :1, :, :1]).all()
    assert set(np.unique(u)) == {-1.0, 1.0}
    return (squares[:, :, 0, :, 0] < 0).astype(int)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_every_row_and_column_of_a_codeword_passes_the_parity_checks(size):
    """Hamming's syndrome is the exclusive or of the positions of the ones."""
    for word in words(size):
        for line in (*word, *word.T):
            assert line.sum() % 2 == 0
            assert np.bitwise_xor.reduce(np.flatnonzero(line), initial=0) == 0


def test_codewords_differ_in_sixteen_squares_at_least_and_form_a_group():
    word = words(32)
    apart = (word[:, None] != word).sum((-2, -1))
    assert apart[~np.eye(len(word), dtype=bool)].min() >= 16
    weights = (information._hamming()[:, None] != information._hamming()).sum(-1)
    assert weights[~np.eye(11, dtype=bool)].min() >= 4
    messages = np.arange(1, 1 << 11)[:, None] >> np.arange(11) & 1
    assert (messages @ information._hamming() % 2).sum(-1).min() == 4


def test_bits_are_ones_half_of_the_time():
    assert words(32, 180).mean() == pytest.approx(0.5, abs=0.01)


def test_grids_that_cannot_hold_the_information_are_refused():
    with pytest.raises(Refusal, match=r"sample\.grid_size.* 16 bits .* 32 points, got 16"):
        drawn("error_correcting_code", 0, 1, 16)
