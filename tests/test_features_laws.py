"""The laws that every column of every registered group obeys, as it declares them."""

import math
from functools import cache

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import law_cases as cases
from spinlock.features import names

seeds = st.integers(0, 2**31)
few = settings(max_examples=2, phases=[Phase.generate])
each_group = pytest.mark.parametrize(("family", "group"), cases.GROUPS)
TOLERANCE = 1e-6  # relative and absolute, of what is equal but for rounding, in float64
ROUNDING = 1e-5  # beyond a bound, in float32


@cache
def still(seed):
    """Some trajectories and their columns."""
    case = cases.trajectories(seed)
    return case, cases.describe(case)


def gap(found, expected):
    """Largest difference by column, as a share of 1 + |expected|; infinite if one is missing."""
    return {
        name: float(
            torch.where(
                found[name].isnan() & expected[name].isnan(),
                0,
                ((found[name] - expected[name]).abs() / (1 + expected[name].abs())).nan_to_num(
                    nan=math.inf
                ),
            ).max()
        )
        for name in expected
    }


def broken(gaps):
    """The columns that differ by more than rounding."""
    return {name: value for name, value in gaps.items() if not value <= TOLERANCE}


@each_group
def test_every_column_is_documented(family, group):
    for column in cases.of_group(family, group):
        place = "initial." if family == "initial" else f"{family}.{group}."
        assert column.name.startswith(place)
        texts = (column.formula, column.unit, column.source, column.purpose)
        assert all(text and text == text.strip() for text in texts), column.name
        assert not any("\n" in text for text in texts), column.name
        assert column.low < column.high, column.name


def test_names_are_unique():
    every = [column.name for family in names.GROUPS for column in names.columns(family)]
    assert len(set(every)) == len(every) == len(cases.COLUMNS)


def outside(found):
    """Columns with a value that is infinite or beyond its bounds."""
    margin = {name: ROUNDING * (1 + values.abs()) for name, values in found.items()}
    return [
        (name, float(values.nan_to_num(nan=0).min()), float(values.nan_to_num(nan=0).max()))
        for name, values in found.items()
        if values.isinf().any()
        or (values < cases.COLUMNS[name].low - margin[name]).any()
        or (values > cases.COLUMNS[name].high + margin[name]).any()
    ]


@few
@given(seed=seeds)
def test_values_of_random_trajectories_lie_inside_their_bounds(seed):
    wrong = outside(cases.describe(cases.single_precision(cases.trajectories(seed))))
    assert not wrong


@pytest.mark.parametrize("size", [32, 64])
def test_values_of_every_initial_condition_lie_inside_their_bounds(size):
    wrong = outside(cases.describe(cases.of_initial_conditions(size)))
    assert not wrong


@pytest.mark.parametrize("name", cases.extremes())
def test_values_of_extreme_fields_are_missing_or_inside_their_bounds(name):
    wrong = outside(cases.describe(cases.extremes()[name]))
    assert not wrong


def test_every_column_exists_and_tells_trajectories_apart():
    parts = [cases.describe(cases.single_precision(cases.trajectories(seed))) for seed in range(3)]
    parts.append(cases.describe(cases.of_initial_conditions()))
    for name in cases.COLUMNS:
        values = torch.cat([part[name].flatten() for part in parts])
        values = values[~values.isnan()]
        assert values.numel(), f"{name}: never exists"
        assert values.min() < values.max(), f"{name}: constant"


def test_every_column_has_the_same_bits_in_any_batch():
    case = cases.single_precision(cases.of_initial_conditions())
    together = cases.describe(case)
    order = torch.tensor([6, 2, 9, 0])
    some = cases.describe(cases.taken(case, order))
    alone = cases.describe(cases.taken(case, 4))
    for name, values in together.items():
        assert torch.equal(some[name].nan_to_num(), values[order].nan_to_num()), name
        assert torch.equal(alone[name].nan_to_num(), values[4].nan_to_num()), name


@few
@given(seed=seeds, dy=st.integers(0, 31), dx=st.integers(1, 31))
def test_translation_changes_no_column_that_says_so(seed, dy, dx):
    case, expected = still(seed)
    moved = cases.transformed(
        case, lambda v: v.roll((dy, dx), (-2, -1)), lambda v: v.roll((-dy, -dx), (-2, -1))
    )
    known = {name: v for name, v in expected.items() if cases.COLUMNS[name].translation}
    wrong = broken(gap(cases.describe(moved), known))
    assert not wrong


@few
@given(seed=seeds)
def test_a_quarter_turn_does_to_every_column_what_it_says(seed):
    case, expected = still(seed)
    turned = cases.transformed(
        case, lambda v: v.rot90(1, (-2, -1)), lambda v: v.rot90(-1, (-2, -1))
    )
    sign = {"invariant": 1, "negated": -1, "other": math.nan}
    laws = {name: sign[column.rotation] for name, column in cases.COLUMNS.items()}
    known = {name: laws[name] * v for name, v in expected.items() if not math.isnan(laws[name])}
    wrong = broken(gap(cases.describe(turned), known))
    assert not wrong


@few
@given(seed=seeds, scale=st.floats(0.02, 50))
def test_scaling_does_to_every_column_what_it_says(seed, scale):
    case, expected = still(seed)
    scaled = cases.transformed(case, lambda v: scale * v, lambda v: v / scale)
    shift = {"invariant": 0.0, "log": math.log10(scale), "other": math.nan}
    laws = {name: shift[column.scaling] for name, column in cases.COLUMNS.items()}
    known = {name: v + laws[name] for name, v in expected.items() if not math.isnan(laws[name])}
    wrong = broken(gap(cases.describe(scaled), known))
    assert not wrong


POINTS = "depends on which values the points of the grid meet: its error falls with their distance"
WAVES = "its integrand has waves that 32² does not resolve: it is sharp, or a high power"
COUNT = (
    "counts cells: what is smaller than one, or lies between two, is seen by the finer grid only"
)
# as a share of 1 + |value|, between 32² and finer grids
GRID_TOLERANCE = {
    "temporal.spatial.absolute_deviation": (2e-3, WAVES),
    "temporal.spatial.crossing_density": (0.15, COUNT),
    "temporal.spatial.median": (0.04, POINTS),
    "temporal.spatial.minimum": (0.06, POINTS),
    "temporal.spatial.maximum": (0.06, POINTS),
    "temporal.spatial.quantile_05": (0.04, POINTS),
    "temporal.spatial.quantile_95": (0.04, POINTS),
    "temporal.spatial.interquartile_range": (0.03, POINTS),
    "temporal.spatial.quartile_skewness": (0.06, POINTS),
    "temporal.spatial.tail_weight": (0.03, POINTS),
    "temporal.spatial.entropy": (0.03, POINTS),
    "temporal.spatial.gradient_mean": (1e-3, WAVES),
    "temporal.spatial.gradient_maximum": (0.03, POINTS),
    "temporal.distributional.l_skewness": (2e-3, POINTS),
    "temporal.distributional.l_kurtosis": (2e-3, POINTS),
    "temporal.distributional.energy_gini": (1e-3, POINTS),
    "temporal.distributional.separability": (3e-3, POINTS),
    "temporal.distributional.anderson_darling": (0.01, POINTS),
    "temporal.distributional.kolmogorov": (0.02, POINTS),
    "temporal.distributional.wasserstein": (0.03, POINTS),
    "temporal.distributional.tail_index": (0.05, POINTS),
    "temporal.structural.orientation_coherence": (3e-4, WAVES),
    "temporal.structural.homogeneity": (1e-3, WAVES),
    "temporal.structural.edge_share": (5e-3, POINTS),
    "temporal.physics.equipartition": (1e-3, WAVES),
    "temporal.physics.independence": (5e-3, WAVES),
    "temporal.physics.okubo_weiss": (0.02, WAVES),
    "temporal.physics.defects": (0.6, COUNT),
    "temporal.multiscale.roughness": (3e-3, WAVES),
    "temporal.multiscale.local_entropy": (5e-3, WAVES),
    "temporal.multiscale.coarse_entropy": (0.02, POINTS),
    "temporal.multiscale.interface_dimension": (0.03, COUNT),
}
DRIFT = {"mean_drift": 1.0, "final_initial_ratio": 0.5, "monotonicity": 8.0, "drift_variance": 15.0}
GRID_TOLERANCE |= {
    f"summary.drift.{version}_{norm}_{statistic}": (share * tolerance, WAVES)
    for version, norm, tolerance in (
        *((version, norm, 0.02) for version in ("raw", "low", "high") for norm in ("l1", "tv")),
        ("raw", "linf", 1e-3),
        ("high", "linf", 0.01),
    )
    for statistic, share in DRIFT.items()
}


def test_exceptions_are_columns():
    assert set(GRID_TOLERANCE) <= set(cases.COLUMNS)


@pytest.mark.parametrize(("seed", "size"), [(0, 64), (1, 64), (2, 128)])
def test_the_same_field_on_a_finer_grid_has_the_same_columns(seed, size):
    _, expected = still(seed)
    allowed = {name: tolerance for name, (tolerance, _) in GRID_TOLERANCE.items()}
    gaps = gap(cases.describe(cases.trajectories(seed, size)), expected)
    wrong = {n: g for n, g in gaps.items() if not g <= allowed.get(n, TOLERANCE)}
    assert not wrong
