"""TEMPORAL morphological features: shapes on the torus whose size and form are known."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import optional_cases as cases
from feature_cases import noise, smooth, wave
from spinlock.features import fields
from spinlock.features.declare import statistic
from spinlock.features.temporal import morphological

NAMES = [statistic(column) for column in morphological.COLUMNS]
seeds = st.integers(0, 2**31)
points = torch.arange(32, dtype=torch.float64) / 32 - 0.5
radius = torch.hypot(points[:, None], points[None, :])


def describe(u):
    """Columns by name of fields [B, C, H, W], [B, C] each."""
    return dict(zip(NAMES, morphological.compute(fields.measure(u)).unbind(-1), strict=True))


def one(field):
    """Columns by name of one field [H, W]."""
    return {name: float(value) for name, value in describe(field[None, None]).items()}


def standard(u):
    """The Fourier series of a field below 16 cycles, summed wave by wave on 32², standardized."""
    size = len(u)
    spectrum = np.fft.fft2(u) / size**2
    grid = np.arange(32) / 32
    reach = min(16, size // 2) - 1
    k = np.arange(-reach, reach + 1)
    phases = np.exp(2j * np.pi * np.outer(grid, k))
    z = (phases @ spectrum[np.ix_(k, k)] @ phases.T).real if size != 32 else u
    return (z - z.mean()) / z.std()


def flood(z):
    """Clusters as lists of points, filled from neighbor to neighbor."""
    sign = np.where(z >= 1, 1, np.where(z <= -1, -1, 0))
    seen, clusters = set(), []
    for start in product(range(32), range(32)):
        if sign[start] == 0 or start in seen:
            continue
        seen.add(start)
        cluster, front = [], [start]
        while front:
            y, x = front.pop()
            cluster.append((y, x))
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                near = ((y + dy) % 32, (x + dx) % 32)
                if sign[near] == sign[start] and near not in seen:
                    seen.add(near)
                    front.append(near)
        clusters.append(cluster)
    return clusters


def crossings(inside):
    changes = 0
    for y, x in product(range(32), range(32)):
        changes += inside[y, x] != inside[y, x - 1]
        changes += inside[y, x] != inside[y - 1, x]
    return math.log10(changes / 64 + 0.1)


def vertices_less_edges_plus_faces(inside):
    """Mean of two complexes: points joined to four neighbors, and closed squares."""
    total = 0
    for y, x in product(range(32), range(32)):
        places = [(y, x), (y, x - 1), (y - 1, x), (y - 1, x - 1)]
        block = [int(inside[place]) for place in places]
        right, up = block[:2], block[::2]
        total += block[0] - all(right) - all(up) + all(block)  # points are vertices
        total += any(block) - any(right) - any(up) + block[0]  # points are faces
    return math.asinh(total / 2)


def elongation(cluster):
    """From all pairs of nine points in each square of the cluster (Gauss-Legendre)."""
    nodes, weights = np.polynomial.legendre.leggauss(3)
    inner = np.array([(y + dy / 2, x + dx / 2) for y, x in cluster for dy in nodes for dx in nodes])
    weight = np.tile(np.outer(weights, weights).ravel() / 4, len(cluster)) / len(cluster)
    dy, dx = (2 * np.pi / 32 * (inner[:, None] - inner)).transpose(2, 0, 1)
    cross = weight @ (np.sin(dy) * np.sin(dx)) @ weight
    along_y, along_x = (weight @ (2 - 2 * np.cos(distance)) @ weight for distance in (dy, dx))
    low, high = np.linalg.eigvalsh([[along_y, cross], [cross, along_x]])
    return (high - low) / (high + low)


def areas(clusters):
    return np.array([len(cluster) for cluster in clusters])


ORACLES = {  # of z and its clusters
    "area_high": lambda z, _: sum(value >= 1 for value in z.flat) / 1024,
    "area_low": lambda z, _: sum(value <= -1 for value in z.flat) / 1024,
    "perimeter_high": lambda z, _: crossings(z >= 1),
    "perimeter_low": lambda z, _: crossings(z <= -1),
    "euler_high": lambda z, _: vertices_less_edges_plus_faces(z >= 1),
    "euler_middle": lambda z, _: vertices_less_edges_plus_faces(z >= 0),
    "euler_low": lambda z, _: vertices_less_edges_plus_faces(z <= -1),
    "cluster_count": lambda _, found: math.log10(len(found)),
    "largest_cluster": lambda _, found: areas(found).max() / areas(found).sum(),
    "size_deviation": lambda _, found: np.log10(areas(found)).std(),
    "elongation": lambda _, found: np.average(
        [elongation(cluster) for cluster in found], weights=areas(found)
    ),
}


def assert_as_by_oracles(u):
    found, z = one(u), standard(u.numpy())
    clusters = flood(z)
    for name, oracle in ORACLES.items():
        assert found[name] == pytest.approx(oracle(z, clusters), rel=1e-5, abs=1e-9), name


def test_every_column_has_an_oracle_and_a_purpose():
    assert set(ORACLES) == set(NAMES)
    assert all(column.purpose and not column.differentiable for column in morphological.COLUMNS)


@pytest.mark.parametrize(("size", "reach"), [(16, 4), (32, 7), (64, 5)])
def test_columns_of_smooth_fields_are_those_of_plain_loops(size, reach):
    assert_as_by_oracles(smooth(size, (), size, reach))


def test_columns_of_noise_are_those_of_plain_loops():
    assert_as_by_oracles(noise(3, (32, 32), torch.float64).exp())


def test_stripes_are_bands_around_the_torus():
    found = one(wave(0, 2)[0])
    assert found["area_high"] == found["area_low"] == 1 / 4  # where cos >= 1 / sqrt 2
    assert found["perimeter_high"] == pytest.approx(math.log10(4 / 2 + 0.1))  # none along y
    assert found["euler_high"] == found["euler_middle"] == found["euler_low"] == 0
    assert found["cluster_count"] == pytest.approx(math.log10(4))
    assert found["largest_cluster"] == 1 / 4
    assert found["size_deviation"] == 0
    # moments of a band of width w: 2 along it, 2 - 2 sinc^2 w across
    across = 2 - 2 * np.sinc(1 / 8) ** 2
    assert found["elongation"] == pytest.approx((2 - across) / (2 + across))


def test_points_of_a_checkerboard_touch_at_corners_only():
    place = torch.arange(32)
    found = one((-1.0) ** (place[:, None] + place))
    assert found["cluster_count"] == pytest.approx(math.log10(1024))
    assert found["area_high"] == found["area_low"] == 1 / 2
    assert found["perimeter_high"] == pytest.approx(math.log10(32.1))
    assert found["elongation"] == pytest.approx(0, abs=1e-9)
    assert found["euler_high"] == 0  # 512 points, or one set with 512 holes


@pytest.mark.parametrize("shift", [0, 16])
def test_one_blob_is_one_round_object_wherever_it_lies(shift):
    blob = torch.exp(-((radius / 0.1) ** 2)).roll((shift, shift), (0, 1))
    found = one(blob)
    assert found["cluster_count"] == 0
    assert found["largest_cluster"] == 1
    assert found["area_low"] == 0
    assert found["perimeter_low"] == pytest.approx(-1)
    assert found["euler_high"] == pytest.approx(math.asinh(1))
    assert found["elongation"] == pytest.approx(0, abs=1e-9)


def test_holes_are_less_than_objects_in_the_euler_characteristic():
    hill = torch.exp(-((radius / 0.1) ** 2))
    two = hill + hill.roll((12, 12), (0, 1))
    ring = torch.exp(-(((radius - 0.25) / 0.05) ** 2))
    assert one(two)["euler_high"] == pytest.approx(math.asinh(2))
    assert one(ring)["euler_high"] == pytest.approx(0)
    assert one(-hill)["euler_middle"] == pytest.approx(-one(hill)["euler_middle"])
    assert one(-two)["euler_low"] == pytest.approx(math.asinh(2))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (3, 4), (2, 6), (12, 3)])
def test_elongation_of_a_rectangle_is_that_of_its_sides(height, width):
    u = torch.zeros(32, 32)
    u[:height, :width] = 1
    along_y, along_x = (1 - np.sinc(side / 32) ** 2 for side in (height, width))
    expected = abs(along_y - along_x) / (along_y + along_x)
    found = one(u.roll((-2, -3), (0, 1)))["elongation"]
    assert found == pytest.approx(expected, abs=1e-6)
    # of an ellipse with these axes, but for the curvature of the torus
    ellipse = abs(height**2 - width**2) / (height**2 + width**2)
    assert found == pytest.approx(ellipse, abs=0.03)


def test_one_in_six_points_of_gaussian_noise_is_high():
    found = describe(noise(0, (40, 1, 32, 32)))
    assert float(found["area_high"].mean()) == pytest.approx(0.15866, abs=2e-3)
    # a pair straddles the level with probability 2 p (1 - p)
    expected = math.log10(64 * 0.15866 * 0.84134 + 0.1)
    assert float(found["perimeter_high"].mean()) == pytest.approx(expected, abs=5e-3)


@given(seed=seeds, dy=st.integers(0, 31), dx=st.integers(0, 31))
def test_nothing_depends_on_origin_scale_offset_direction_and_grid(seed, dy, dx):
    cases.knows_no_origin_scale_offset_direction_or_grid(morphological, seed, dy, dx)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_field_has_the_same_bits_alone_and_among_others(size):
    cases.has_the_same_bits_in_any_batch(morphological, size)


@pytest.mark.parametrize("value", [0.0, 2.0, torch.nan, torch.inf])
def test_a_field_that_does_not_vary_has_no_shape_and_others_keep_theirs(value):
    u = noise(1, (2, 3, 32, 32))
    expected = morphological.compute(fields.measure(u))
    u[0, 1] = value
    found = morphological.compute(fields.measure(u))
    assert found[0, 1].isnan().all()
    expected[0, 1] = torch.nan
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=0, atol=0)


def test_waves_that_the_common_grid_has_not_are_no_shape():
    assert math.isnan(one(wave(0, 20, 64)[0])["cluster_count"])


def test_a_field_that_wants_a_gradient_gets_a_value_without_one():
    u = smooth(0, (1, 3), 16)
    found = morphological.compute(fields.measure(u.clone().requires_grad_()))
    assert not found.requires_grad
    torch.testing.assert_close(found, morphological.compute(fields.measure(u)), rtol=0, atol=0)


@given(seed=seeds, power=st.floats(0.2, 3))
def test_values_lie_within_the_declared_bounds(seed, power):
    u = noise(seed, (2, 3, 32, 32), torch.float64).abs() ** power
    found = morphological.compute(fields.measure(u))
    for column, values in zip(morphological.COLUMNS, found.unbind(-1), strict=True):
        assert bool((values >= column.low).all() and (values <= column.high).all()), column.name
