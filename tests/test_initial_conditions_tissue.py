"""Decay length, hard cores, gamma noise and the scaling of contacts."""

import numpy as np
import pytest
from scipy import ndimage

from initial_condition_cases import fields, modes, wave_vectors
from spinlock.initial_conditions import tissue
from spinlock.refusals import Refusal

SIZES = [32, 64]


def laplacian(u):
    ky, kx = wave_vectors(u.shape[-1])
    return np.fft.ifft2(-4 * np.pi**2 * (ky**2 + kx**2) * modes(u), norm="forward").real


@pytest.mark.parametrize("size", SIZES)
def test_morphogens_decay_with_one_length_away_from_their_organizers(size):
    """Δc = c / λ² where nothing is secreted."""
    lengths = []
    for c in fields("morphogen_gradient", 90, size):
        outside = c < np.quantile(c, 0.5)
        local = np.sqrt(c[outside] / laplacian(c)[outside])
        lengths.append(np.median(local))
        assert (np.abs(local / lengths[-1] - 1) < 0.02).mean() > 0.95
    assert min(lengths) == pytest.approx(tissue.DECAY_LENGTH[0], rel=0.1)
    assert max(lengths) == pytest.approx(tissue.DECAY_LENGTH[1], rel=0.1)


@pytest.mark.parametrize("size", SIZES)
def test_morphogens_come_from_one_to_three_organizers(size):
    counts = []
    for c in fields("morphogen_gradient", 90, size):
        length2 = np.median((c / laplacian(c))[c < np.median(c)])
        secreted = c - length2 * laplacian(c)
        peak = secreted == ndimage.maximum_filter(secreted, 5, mode="wrap")
        counts.append(int((peak & (secreted > 0.2 * secreted.max())).sum()))
        assert c.min() > 0
    assert set(counts) == {1, 2, 3}  # organizers that overlap count as one


def cells(u):
    """Area, above half of its own height, of each connected piece that two periods show whole."""
    size, twice = len(u), np.tile(u, (2, 2))
    label, _ = ndimage.label(twice > 0.15)
    areas = {}
    for name, box in enumerate(ndimage.find_objects(label), 1):
        piece = np.where(label[box] == name, twice[box], 0)
        if all(side.start > 0 and side.stop < 2 * size for side in box):
            place = box[0].start % size, box[1].start % size
            areas[place] = (piece > piece.max() / 2).sum()
    return np.array(list(areas.values())) / u.size


def test_cells_are_eight_to_twenty_of_their_radii_and_never_touch():
    counts = []
    for u in fields("cell_population", 60, 128):
        radii = np.sqrt(cells(u) / np.pi)
        counts.append(len(radii))
        assert radii.min() > 0.93 * tissue.RADIUS[0]
        assert radii.max() < 1.07 * tissue.RADIUS[1]
    assert (min(counts), max(counts)) == tissue.CELLS


def test_centers_keep_their_distance_on_the_torus():
    darts = np.random.Generator(np.random.Philox(0)).uniform(size=(50, tissue.DARTS, 2))
    for thrown in darts:
        centers = tissue._hard_core(thrown, tissue.CELLS[1])
        assert len(centers) == tissue.CELLS[1]
        shift = np.abs(centers[:, None] - centers)
        apart = np.hypot(*np.moveaxis(np.minimum(shift, 1 - shift), -1, 0))
        assert apart[~np.eye(len(centers), dtype=bool)].min() >= tissue.SPACING


@pytest.mark.parametrize("size", SIZES)
def test_cells_fill_the_share_of_the_domain_that_their_radii_say(size):
    """Half the cells of the range, times the mean disc with its edge, times the mean content."""
    low, high = tissue.RADIUS
    square = (high**3 - low**3) / (3 * (high - low)) + (np.pi * tissue.MEMBRANE) ** 2 / 3
    content = 1.5 * np.exp(0.4**2 / 2)
    mean = fields("cell_population", 300, size).mean()
    assert mean == pytest.approx(sum(tissue.CELLS) / 2 * np.pi * square * content, rel=0.07)


def test_cells_smaller_than_two_points_are_refused():
    with pytest.raises(Refusal, match="14 cycles.* 28 points, got 16"):
        fields("cell_population", 1, 16)


@pytest.mark.parametrize("size", SIZES)
def test_expression_is_gamma_distributed_with_mean_one(size):
    """Cov(u, ln u) = Var u / ⟨u⟩ holds for the gamma distribution alone (Stein's identity)."""
    u = fields("gene_expression", 300, size)
    assert u.min() > 0
    assert u.mean() == pytest.approx(1, abs=0.03)
    logarithm = np.log(u)
    variance = ((u - 1) ** 2).mean((1, 2))
    covariance = ((u - 1) * logarithm).mean((1, 2))
    assert (covariance / variance).mean() == pytest.approx(1, abs=0.04)
    frequency = 1 / variance
    assert np.quantile(frequency, 0.05) == pytest.approx(tissue.BURST_FREQUENCY[0], rel=0.3)
    assert np.quantile(frequency, 0.95) == pytest.approx(tissue.BURST_FREQUENCY[1], rel=0.3)


def plaid(u):
    """The compartments by the leading eigenvector of what the distance leaves unexplained."""
    size = len(u)
    index = (np.arange(size)[:, None] - np.arange(size)) % size
    expected = np.array([u[index == shift].mean() for shift in range(size)])
    vector = np.linalg.eigh(u - expected[index])[1][:, -1]
    return np.sign(vector)[:, None] * np.sign(vector)


@pytest.mark.parametrize("size", SIZES)
def test_contacts_fall_with_a_power_of_the_distance_and_follow_compartments(size):
    """ln P = -γ ln(s + s0) + κ c c' + const, exactly, with c from Lieberman-Aiden's eigenvector."""
    distance = np.abs(np.arange(size)[:, None] - np.arange(size)) / size
    distance = np.log(np.minimum(distance, 1 - distance) + tissue.CONTACT_RANGE).ravel()
    exact, exponents, strengths = [], [], []
    for u in fields("chromatin_domain", 90, size):
        np.testing.assert_array_equal(u, u.T)
        basis = np.stack([np.ones_like(distance), distance, plaid(u).ravel()], 1)
        fitted = np.linalg.lstsq(basis, u.ravel(), rcond=None)[0]
        exact.append(np.abs(u.ravel() - basis @ fitted).max() < 1e-6)
        exponents.append(-fitted[1])
        strengths.append(fitted[2])
    assert np.mean(exact) > 0.8  # else the eigenvector errs at some locus
    exponents, strengths = np.array(exponents)[exact], np.array(strengths)[exact]
    assert min(exponents) == pytest.approx(tissue.CONTACT_EXPONENT[0], abs=0.1)
    assert max(exponents) == pytest.approx(tissue.CONTACT_EXPONENT[1], abs=0.1)
    assert min(strengths) == pytest.approx(tissue.COMPARTMENT[0], abs=0.05)
    assert max(strengths) == pytest.approx(tissue.COMPARTMENT[1], abs=0.05)


def test_compartments_alternate_over_six_to_twelve_domains_of_every_length():
    rng = np.random.Generator(np.random.Philox(0))
    points = np.arange(512) / 512
    kinds = np.stack([tissue._compartments(points, rng) for _ in range(200)])
    borders = (kinds != np.roll(kinds, 1, -1)).sum(-1)
    assert set(borders) == {6, 8, 10, 12}
    assert abs(kinds.mean()) < 0.05
    assert np.abs(kinds.mean(0)).max() < 0.3
