"""The functions that data, agent and scores share: batches, gradients, aggregates, names."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feature_cases import noise, relaxing, smooth
from spinlock import params
from spinlock.features import extract, names
from spinlock.features.config import Config
from spinlock.refusals import Refusal

seeds = st.integers(0, 2**31)


def trajectories(count, steps=16, size=16):
    frames = torch.cat([relaxing(seed, steps, 0.9, 0.1, size) for seed in range(count)])
    return frames[:, 1:], frames[:, 0]


def gradients(function, u):
    """The gradient of each differentiable column's sum with respect to u, by name."""
    u = u.detach().clone().requires_grad_()
    columns, found = function(u)
    columns_of = found.reshape(-1, len(columns)).unbind(-1)
    return {
        column.name: (values.detach(), torch.autograd.grad(values.sum(), u, retain_graph=True)[0])
        for column, values in zip(columns, columns_of, strict=True)
        if column.differentiable
    }


def step(u):
    """A map that stretches, saturates and leaks."""
    return 0.9 * u + 0.1 * u.tanh() + 0.05


def of_summary(u):
    return names.columns("summary", names.DEFAULT_SUMMARY), summary(u[:, 1:], u[:, 0])


def of_temporal(u):
    return names.columns("temporal", names.DEFAULT_TEMPORAL), extract.temporal(u)


def summary(u, u0):
    return extract.summary(u, u0, step=step)


def test_shapes_are_those_of_the_contract():
    u, u0 = trajectories(2)
    assert extract.initial(u0).shape == (2, 14)
    assert summary(u, u0).shape == (2, 120)
    assert summary(u[None], u0[None]).shape == (1, 2, 120)
    assert summary(u[0], u0[0]).shape == (120,)
    assert extract.temporal(u).shape == (2, 16, 63)
    assert extract.temporal(u[0]).shape == (16, 63)
    assert extract.aggregate(torch.zeros(5, 3, 120)).shape == (5, 360)
    assert extract.single(torch.zeros(5, 120)).shape == (5, 360)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_one_trajectory_has_the_same_bits_alone_and_among_others(size, monkeypatch):
    u, u0 = trajectories(5, size=size)
    of_paths, of_steps = summary(u, u0), extract.temporal(u)
    for row in range(5):
        assert same(summary(u[row], u0[row]), of_paths[row])
        assert same(extract.temporal(u[row]), of_steps[row])
    order = torch.tensor([3, 0, 4, 1, 2])
    assert same(summary(u[order], u0[order]), of_paths[order])
    monkeypatch.setattr(extract, "CHUNK", 3 * 3 * size * size)
    assert same(extract.temporal(u), of_steps)
    assert same(summary(u, u0), of_paths)


def same(one, other):
    """Equal bits, and missing where the other is."""
    return torch.equal(one.isnan(), other.isnan()) and torch.equal(
        one.nan_to_num(), other.nan_to_num()
    )


@pytest.mark.parametrize("size", [32, 64])
def test_a_gradient_changes_no_bit(size):
    u, u0 = trajectories(2, size=size)
    watched = u.clone().requires_grad_()
    assert same(summary(watched, u0), summary(u, u0))
    assert same(extract.temporal(watched), extract.temporal(u))


@pytest.mark.parametrize("function", [of_summary, of_temporal])
def test_every_differentiable_column_has_a_finite_gradient_that_is_not_zero(function):
    frames = relaxing(2, 16, 0.9, 0.3, size=32)
    for name, (values, gradient) in gradients(function, frames).items():
        assert values.isfinite().all(), name
        assert gradient.isfinite().all(), name
        censored = name.rpartition(".")[2].startswith("time_to_")
        assert censored or bool((gradient != 0).any()), name


@pytest.mark.parametrize("function", [of_summary, of_temporal])
@pytest.mark.parametrize("kind", ["constant", "zero", "frozen", "nan", "wave", "checkerboard"])
def test_gradients_are_finite_where_values_are_missing_or_extreme(function, kind):
    frames = relaxing(2, 16, 0.9, 0.3)
    points = torch.arange(16)
    if kind == "frozen":
        frames = frames[:, :1].expand_as(frames)
    else:
        frames[:, 5:9] = {
            "constant": torch.tensor(2.0),
            "zero": torch.tensor(0.0),
            "nan": torch.tensor(torch.nan),
            "wave": torch.cos(2 * math.pi * points / 16).expand(16, 16),
            "checkerboard": (-1.0) ** (points[:, None] + points),
        }[kind]
    for name, (values, gradient) in gradients(function, frames).items():
        assert not values.isinf().any(), name
        assert gradient.isfinite().all(), name


def test_gradients_are_those_of_finite_differences():
    u = smooth(3, (2, 1), 8, reach=3)
    exists = ~extract.temporal(u)[0].isnan()  # a grid of 8² has not all bands
    columns = names.columns("temporal", names.DEFAULT_TEMPORAL)
    of_step = exists & torch.tensor([column.differentiable for column in columns])
    assert int(of_step.sum()) > 40
    assert torch.autograd.gradcheck(
        lambda x: extract.temporal(x)[:, of_step], u[:1].clone().requires_grad_()
    )
    more = smooth(4, (4, 1), 8, reach=3)
    path = torch.cat([u, 0.7 * u + 0.1 * more[:2], more])
    columns = names.columns("summary", names.DEFAULT_SUMMARY)
    of_path = torch.tensor([column.differentiable for column in columns])
    of_path &= ~summary(path[1:], path[0]).isnan()
    assert int(of_path.sum()) > 80  # seven steps have one window
    assert torch.autograd.gradcheck(
        lambda x: summary(x[1:], x[0])[of_path], path.clone().requires_grad_()
    )


@given(seed=seeds)
def test_aggregates_are_mean_deviation_and_their_ratio(seed):
    values = noise(seed, (4, 3, 7)) + 2
    mean, std, cv = extract.aggregate(values).chunk(3, -1)
    torch.testing.assert_close(mean, values.mean(1))
    torch.testing.assert_close(std, values.std(1))
    defined = mean.abs() > 0.1 * std
    torch.testing.assert_close(cv[defined], (std / mean.abs())[defined])
    assert cv[~defined].isnan().all()


def test_a_mean_that_is_not_told_from_zero_has_no_ratio():
    cv = extract.aggregate(torch.tensor([[[1.0, 0.0, 5.0], [-1.0, 0.0, 5.0]]]))[0, 6:]
    assert cv[:2].isnan().all()
    assert cv[2] == 0


def test_one_realization_is_the_single_view():
    values = noise(0, (4, 1, 7))
    aggregated, single = extract.aggregate(values), extract.single(values[:, 0])
    torch.testing.assert_close(aggregated, single, equal_nan=True)
    assert aggregated[:, 7:].isnan().all()


def test_a_missing_value_is_missing_in_its_aggregates_only_and_sends_no_gradient():
    values = (5 + noise(0, (2, 3, 2))).requires_grad_()
    missing = torch.zeros(2, 3, 2, dtype=torch.bool)
    missing[0, 1, 0] = True
    found = extract.aggregate(torch.where(missing, torch.nan, values))
    assert int(found.isnan().sum()) == 3
    (gradient,) = torch.autograd.grad(found.nansum(), values)
    assert gradient.isfinite().all()
    assert (gradient[0, :, 0] == 0).all()


def test_equal_realizations_have_a_gradient():
    values = torch.ones(1, 3, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(extract.aggregate(values).sum(), values)
    assert gradient.isfinite().all()


def test_names_are_unique_ordered_and_aggregated_in_blocks():
    groups = {"initial": None, "summary": names.DEFAULT_SUMMARY, "temporal": names.DEFAULT_TEMPORAL}
    assert [len(names.names(*item)) for item in groups.items()] == [14, 120, 63]
    every = [name for family in names.COLUMNS for name in names.names(family)]
    assert len(set(every)) == len(every)
    many = names.aggregated(names.names("summary", names.DEFAULT_SUMMARY))
    assert len(many) == 360
    assert many[0] == "summary.temporal.energy_growth.mean"
    assert many[120] == "summary.temporal.energy_growth.std"
    assert many[240] == "summary.temporal.energy_growth.cv"
    assert len(names.aggregated_units(names.units("summary", names.DEFAULT_SUMMARY))) == 360


def test_the_default_groups_have_the_sizes_of_the_specification():
    sizes = {
        group: len(names.columns(family, [group]))
        for family, groups in (
            ("summary", names.DEFAULT_SUMMARY), ("temporal", names.DEFAULT_TEMPORAL),
        )
        for group in groups
    }  # fmt: skip
    assert sizes == {
        "temporal": 36, "causality": 14, "drift": 60, "sensitivity": 10,
        "spatial": 24, "spectral": 27, "cross_channel": 12,
    }  # fmt: skip


def test_groups_can_be_chosen():
    u, _ = trajectories(1)
    both = extract.temporal(u)
    assert torch.equal(extract.temporal(u, ["spatial"]), both[..., :24])
    assert names.names("temporal", ["spectral"]) == names.names("temporal")[24:51]


@pytest.mark.parametrize(
    ("groups", "message"),
    [(["spatial", "causal"], "temporal_groups: allowed spatial, spectral, .*; got 'causal'"),
     (["spatial", "spatial"], "temporal_groups: a group is named twice")],
)  # fmt: skip
def test_an_unknown_group_is_refused(groups, message):
    tree = {
        "extract": {
            "further_draws": 0, "max_operators": None, "summary_groups": ["temporal"],
            "temporal_groups": groups,
        }
    }  # fmt: skip
    with pytest.raises(Refusal, match=message):
        params.parse("extract", tree, Config)
