"""The profile of Fisher's front, and the fractal dimension of aggregates."""

import numpy as np
import pytest
from scipy import ndimage

from initial_condition_cases import fields
from spinlock import randomness
from spinlock.initial_conditions import growth

SIZES = [32, 64]


@pytest.mark.parametrize("size", SIZES)
def test_fronts_have_the_profile_of_fishers_equation_everywhere(size):
    """ln(u^-1/2 - 1) = d / ℓ is a distance: its gradient has one length."""
    lengths = []
    for u in fields("reaction_front", 60, size):
        distance = np.log(u**-0.5 - 1)
        slopes = [np.roll(distance, -1, a) - np.roll(distance, 1, a) for a in (0, 1)]
        slope = np.hypot(*slopes) * size / 2
        near = (u > 0.01) & (u < 0.95)
        lengths.append(1 / np.median(slope[near]))
        assert np.median(np.abs(slope[near] * lengths[-1] - 1)) < 0.05
    assert growth.FRONT[0] * 0.9 < min(lengths) < 0.018
    assert 0.027 < max(lengths) < growth.FRONT[1] * 1.2


@pytest.mark.parametrize("size", SIZES)
def test_fronts_leave_part_of_the_domain_unreacted(size):
    reacted = (fields("reaction_front", 90, size) > 0.25).mean((-2, -1))
    assert reacted.min() > 0.08
    assert reacted.max() < growth.REACTED[1] + 0.02
    assert np.ptp(reacted) > 0.25


def clusters(count, particles=growth.PARTICLES):
    streams = [randomness.stream(seed, "initial_condition/0", 0) for seed in range(count)]
    return [growth.cluster(particles, rng) for rng in streams]


def radius_of_gyration(sites):
    """Of the first 1, 2, 3 … particles."""
    number = np.arange(1, len(sites) + 1)
    square = np.cumsum((sites**2).sum(-1)) / number
    return np.sqrt(square - (np.cumsum(sites, 0) ** 2).sum(-1) / number**2)


def test_each_particle_of_a_cluster_touches_an_earlier_one_and_has_its_site_alone():
    for sites in clusters(5):
        assert (sites[0] == 0).all()
        apart = np.abs(sites[:, None] - sites).sum(-1)
        assert all(apart[j, :j].min() == 1 for j in range(1, len(sites)))


def test_clusters_have_the_fractal_dimension_of_diffusion_limited_aggregation():
    """R ∝ N^(1 / D) with D = 1.71, where compact growth has 2."""
    radii = np.array([radius_of_gyration(sites) for sites in clusters(80)])[:, 39:]
    number = np.arange(40, growth.PARTICLES + 1)
    slope = np.polyfit(np.log(number), np.log(radii).mean(0), 1)[0]
    assert 1 / slope == pytest.approx(1.71, abs=0.09)


def test_clusters_are_isotropic_but_for_chance():
    ends = np.array([sites[100:].mean(0) for sites in clusters(80)])
    assert np.abs(ends.mean(0)).max() < 4 * ends.std() / np.sqrt(len(ends))


def box_dimension(u):
    """From the number of boxes of 4, 8 and 16 points that the cluster on a 128² grid meets."""
    sizes, counts = (4, 8, 16), []
    for size in sizes:
        boxes = (u > 1).reshape(len(u), 128 // size, size, 128 // size, size).any((2, 4))
        counts.append(boxes.sum((-2, -1)).mean())
    return -np.polyfit(np.log(sizes), np.log(counts), 1)[0]


def test_the_image_of_a_cluster_is_neither_a_line_nor_an_area():
    assert 1.4 < box_dimension(fields("dla_cluster", 30, 128)) < 1.8


@pytest.mark.parametrize("size", [64, 128])
def test_the_image_of_a_cluster_is_one_piece_on_the_torus(size):
    for u in fields("dla_cluster", 30, size):
        twice = np.tile(u > 0.5, (2, 2))
        label, _ = ndimage.label(twice, np.ones((3, 3)))
        assert np.bincount(label.ravel())[1:].max() >= (u > 0.5).sum()


@pytest.mark.parametrize("size", SIZES)
def test_clusters_cover_the_same_share_of_the_domain_anywhere(size):
    u = fields("dla_cluster", 90, size)
    assert u.mean((-2, -1)).std() < 0.1 * u.mean()
    assert u.max() <= 2
    profile = u.mean((0, 1))
    assert profile.min() > 0.4 * profile.mean()
