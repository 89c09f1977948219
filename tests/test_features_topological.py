"""TEMPORAL topological features: landscapes on the torus whose valleys and hills are known."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import optional_cases as cases
from feature_cases import noise, smooth, wave
from spinlock.features import fields
from spinlock.features.declare import statistic
from spinlock.features.temporal import topological
from spinlock.refusals import Refusal

NAMES = [statistic(column) for column in topological.COLUMNS]
SIDES = [(0, 1), (1, 0), (0, -1), (-1, 0)]
CORNERS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
seeds = st.integers(0, 2**31)
points = torch.arange(32, dtype=torch.float64) / 32 - 0.5
radius = torch.hypot(points[:, None], points[None, :])
hill = torch.exp(-((radius / 0.1) ** 2))


def describe(u):
    """Columns by name of fields [B, C, H, W], [B, C] each."""
    return dict(zip(NAMES, topological.compute(fields.measure(u)).unbind(-1), strict=True))


def one(field):
    """Columns by name of one field [H, W]."""
    return {name: float(value) for name, value in describe(field[None, None]).items()}


def standard(u):
    z = u.numpy()
    return (z - z.mean()) / z.std()


def flooding(z, neighbors):
    """Raise water over the torus, cell by cell; which pools merge, which meet themselves.

    Returns:
        Persistence of the pools that merge into an older one, and the levels at which the water
        first goes around the torus, and around in another direction.
    """
    size, parent, away = len(z), {}, {}
    merged, loops, windings = [], [], []

    def source(cell):
        """The root of a cell, and the way from the root to the cell on the plane."""
        way = np.zeros(2, dtype=int)
        while parent[cell] != cell:
            way = way + away[cell]
            cell = parent[cell]
        return cell, way

    for cell in sorted(np.ndindex(z.shape), key=lambda c: z[c]):
        parent[cell], away[cell] = cell, np.zeros(2, dtype=int)
        for step in neighbors:
            near = tuple((np.array(cell) + step) % size)
            if near not in parent:
                continue
            (root, way), (other, other_way) = source(cell), source(near)
            turn = way + step - other_way
            if root != other:
                old, young = sorted((root, other), key=lambda c: z[c])
                merged.append(z[cell] - z[young])
                parent[young], away[young] = old, turn if old == root else -turn
            elif turn.any() and np.linalg.matrix_rank([*windings, turn]) > len(windings):
                windings.append(turn)
                loops.append(z[cell])
    return np.array([length for length in merged if length > 1e-5]), loops


def entropy(lengths):
    return -sum(length / sum(lengths) * math.log(length / sum(lengths)) for length in lengths)


def significant(lengths):
    return math.log10(1 + len([length for length in lengths if length > 0.5]))


ORACLES = {  # of the valleys, the hills and the loops
    "valley_persistence": lambda valleys, hills, loops: math.log10(sum(valleys) + 1e-3),
    "valley_pairs": lambda valleys, hills, loops: significant(valleys),
    "valley_entropy": lambda valleys, hills, loops: entropy(valleys),
    "valley_largest": lambda valleys, hills, loops: max(valleys, default=0),
    "hill_persistence": lambda valleys, hills, loops: math.log10(sum(hills) + 1e-3),
    "hill_pairs": lambda valleys, hills, loops: significant(hills),
    "hill_entropy": lambda valleys, hills, loops: entropy(hills),
    "hill_largest": lambda valleys, hills, loops: max(hills, default=0),
    "first_loop": lambda valleys, hills, loops: loops[0],
    "second_loop": lambda valleys, hills, loops: loops[1],
}


def test_every_column_has_an_oracle_and_a_purpose():
    assert set(ORACLES) == set(NAMES)
    assert all(column.purpose and not column.differentiable for column in topological.COLUMNS)


@pytest.mark.parametrize("kind", ["smooth", "noise", "diagonal", "skewed"])
def test_columns_are_those_of_rising_water(kind):
    """Hills end where water from above, which does not pass corners, would merge (duality)."""
    u = {
        "smooth": smooth(0, (), 32),
        "noise": noise(0, (32, 32), torch.float64),
        "diagonal": wave(3, 4)[0],
        "skewed": smooth(1, (), 32, reach=9).exp(),
    }[kind]
    found, z = one(u), standard(u)
    valleys, loops = flooding(z, SIDES + CORNERS)
    hills, _ = flooding(-z, SIDES)
    assert len(loops) == 2  # the torus has two
    for name, oracle in ORACLES.items():
        assert found[name] == pytest.approx(oracle(valleys, hills, loops), rel=1e-5), name


def test_stripes_have_a_loop_at_the_bottom_and_one_at_the_top():
    found = one(wave(0, 2, phase=0.0)[0])
    high = math.sqrt(2)  # of a cosine with mean square 1
    assert found["first_loop"] == pytest.approx(-high)
    assert found["second_loop"] == pytest.approx(high)
    # one of two valleys ends at a ridge; one of two ridges closes a hole, and ends at its top
    for kind in ("valley", "hill"):
        assert found[f"{kind}_largest"] == pytest.approx(2 * high)
        assert found[f"{kind}_persistence"] == pytest.approx(math.log10(2 * high + 1e-3))
        assert found[f"{kind}_pairs"] == pytest.approx(math.log10(2))
        assert found[f"{kind}_entropy"] == 0


def test_one_hill_has_no_valleys_and_stands_on_a_torus():
    z = standard(hill)
    found = one(hill)
    # the highest top ends the torus, not a hole
    assert found["hill_largest"] == 0
    assert found["hill_persistence"] == found["valley_persistence"] == pytest.approx(-3)
    assert found["first_loop"] == pytest.approx(found["second_loop"], abs=1e-3)
    assert found["first_loop"] == pytest.approx(z.min(), abs=1e-3)


@pytest.mark.parametrize("shift", [0, 16])
def test_a_second_hill_is_a_hole_as_high_as_it_is(shift):
    u = hill + 0.6 * hill.roll((16, 16), (0, 1))
    found, z = one(u.roll(shift, 0)), standard(u)
    assert found["hill_largest"] == pytest.approx(0.6 * (z.max() - z.min()), abs=0.01)
    assert found["hill_pairs"] == pytest.approx(math.log10(2))
    assert found["valley_pairs"] == 0
    turned = one(-u.roll(shift, 0))
    assert turned["valley_largest"] == pytest.approx(found["hill_largest"], abs=0.01)
    assert turned["valley_pairs"] == found["hill_pairs"]


def test_hills_of_a_checkerboard_are_holes_of_one_net():
    place = torch.arange(32)
    found = one((-1.0) ** (place[:, None] + place))
    assert found["valley_persistence"] == pytest.approx(-3)  # low squares meet at corners
    assert found["first_loop"] == found["second_loop"] == pytest.approx(-1)
    assert found["hill_pairs"] == pytest.approx(math.log10(512))  # the last one ends the torus
    assert found["hill_entropy"] == pytest.approx(math.log(511))
    assert found["hill_largest"] == pytest.approx(2)


@settings(max_examples=8)
@given(seed=seeds, dy=st.integers(0, 31), dx=st.integers(0, 31))
def test_nothing_depends_on_origin_scale_offset_direction_and_grid(seed, dy, dx):
    cases.knows_no_origin_scale_offset_direction_or_grid(topological, seed, dy, dx)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_field_has_the_same_bits_alone_and_among_others(size):
    cases.has_the_same_bits_in_any_batch(topological, size)


def test_rounding_makes_no_valleys():
    exact, rounded = one(wave(0, 3)[0]), one(wave(0, 3)[0].float())
    for name, value in exact.items():
        assert rounded[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize("value", [0.0, 2.0, torch.nan, torch.inf])
def test_a_field_that_does_not_vary_has_no_landscape_and_others_keep_theirs(value):
    u = noise(1, (2, 3, 32, 32))
    expected = topological.compute(fields.measure(u))
    u[0, 1] = value
    expected[0, 1] = torch.nan
    found = topological.compute(fields.measure(u))
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=0, atol=0)


def test_a_field_that_wants_a_gradient_gets_a_value_without_one():
    u = smooth(0, (1, 3), 16)
    found = topological.compute(fields.measure(u.clone().requires_grad_()))
    assert not found.requires_grad
    torch.testing.assert_close(found, topological.compute(fields.measure(u)), rtol=0, atol=0)


@settings(max_examples=8)
@given(seed=seeds, power=st.floats(0.2, 3))
def test_values_lie_within_the_declared_bounds(seed, power):
    u = noise(seed, (2, 3, 32, 32), torch.float64).abs() ** power
    found = topological.compute(fields.measure(u))
    for column, values in zip(topological.COLUMNS, found.unbind(-1), strict=True):
        assert bool((values >= column.low).all() and (values <= column.high).all()), column.name


def test_without_gudhi_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gudhi", None)
    with pytest.raises(Refusal, match=r"temporal_groups: topological needs .*spinlock\[topology\]"):
        describe(noise(0, (1, 1, 32, 32)))
