"""The convolutional operator: symmetry, independence of realizations, live parameters."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import (
    CHANGES,
    SWITCHED,
    THETA,
    record_streams,
    roll_out,
    table,
    theta,
    variety,
)
from spinlock.operators import blocks, cnn, weights
from spinlock.operators.build import build

ROWS = range(len(variety()))


def field(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("row", ROWS)
@given(shift=st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_a_shifted_field_with_shifted_noise_gives_the_shifted_output(row, shift):
    operator = build(variety(), row, "float32")
    u, drawn = field(2, 3, 8, 8), operator.chance.at(1, 4, 2, 0)
    moved = replace(drawn, noise=drawn.noise.roll(shift, (-2, -1)))
    torch.testing.assert_close(
        operator.apply(u.roll(shift, (-2, -1)), moved),
        operator.apply(u, drawn).roll(shift, (-2, -1)),
        atol=1e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("row", ROWS)
def test_a_realization_does_not_see_the_others_to_the_bit(row, precision):
    operator = build(variety(), row, precision)
    u, drawn = field(3, 3, 8, 8), operator.chance.at(1, 4, 3, 0)
    spoiled = u.clone()
    spoiled[1] = torch.nan
    spoiled[2] = 1e30
    assert torch.equal(operator.apply(u, drawn)[0], operator.apply(spoiled, drawn)[0])


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("num_layers", [1, 2, 4])
def test_one_cell_reaches_its_receptive_field_and_no_further(kernel_size, num_layers):
    changes = {"kernel_size": kernel_size, "num_layers": num_layers}
    parameters = theta(normalization="none", activation="tanh", dropout_rate=0.0, **changes)
    operators = table(parameters, grid_size=24)
    operator = build(operators, 0, "float32")
    u, drawn = field(1, 3, 24, 24), operator.chance.at(1, 1, 1, 0)
    touched = u.clone()
    touched[..., 12, 12] += 1.0
    changed = (operator.apply(u, drawn) - operator.apply(touched, drawn)).abs().sum(1)[0] > 0
    rows = changed.any(1).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == cnn.receptive_field(parameters, 24)


def test_a_receptive_field_is_at_most_the_grid():
    assert cnn.receptive_field(theta(num_layers=5, kernel_size=7), 8) == 8


@pytest.mark.parametrize("name", ["instance", "layer"])
def test_a_normalization_leaves_mean_zero_and_variance_one(name):
    y = blocks.NORMALIZATIONS[name](5 + 3 * field(2, 4, 8, 8))
    axes = (-2, -1) if name == "instance" else (-3, -2, -1)
    torch.testing.assert_close(y.mean(axes), torch.zeros_like(y.mean(axes)), atol=1e-5, rtol=0)
    variance = y.var(axes, correction=0)
    torch.testing.assert_close(variance, torch.ones_like(variance), atol=1e-4, rtol=0)


def test_only_deep_operators_have_residual_blocks():
    for depth, expected in ((3, [False] * 3), (5, [False, False, False, True, True])):
        operator = build(table(theta(num_layers=depth)), 0, "float32")
        assert [block.residual for block in operator.hidden.blocks] == expected


def test_a_residual_block_adds_its_input():
    block = blocks.ConvBlock(
        weight=torch.zeros(4, 4, 3, 3), normalize=blocks.keep, activate=torch.tanh, residual=True
    )
    x = field(2, 4, 8, 8)
    assert torch.equal(block(x, None), x)


def test_dropout_keeps_the_mean_and_drops_its_share_of_channels():
    chance = build(table(theta(dropout_rate=0.3, base_channels=8)), 0, "float32").chance
    masks = torch.cat([chance.at(step, 400, 3, 0).masks[2] for step in range(1, 401)])
    assert set(masks.unique().tolist()) == {0.0, float(torch.tensor(1.0) / 0.7)}
    assert float(masks.mean()) == pytest.approx(1, abs=0.02)  # 19 200 masks


def test_dropout_drops_whole_channels():
    operator = build(table(), 0, "float32")
    mask = torch.tensor([0.0, 1.25, 0.0, 1.25])[None, :, None, None]
    out = operator.hidden.blocks[0](field(1, 3, 8, 8), mask)
    assert (out[0].abs().sum((1, 2)) > 0).tolist() == [False, True, False, True]


def test_nothing_is_drawn_for_a_dropout_rate_of_zero():
    assert build(table(theta(dropout_rate=0.0)), 0, "float32").chance.at(1, 1, 2, 0).masks == ()


OWN_CHANGES = [{"num_layers": 4}, {"kernel_size": 5}]


@pytest.mark.parametrize("change", OWN_CHANGES + CHANGES, ids=str)
def test_changing_one_parameter_alone_changes_the_rollout(change):
    operators = table(theta(), theta(**change), ids=torch.zeros(2, dtype=torch.int64).numpy())
    first, second = (roll_out(operators, row, 64, 2, 1e3) for row in (0, 1))
    assert torch.equal(first.u0, second.u0)
    assert (first.u - second.u).abs().mean() > 1e-3


@pytest.mark.parametrize(("switch", "name", "values"), SWITCHED)
def test_a_switched_parameter_acts_where_it_is_switched_on(switch, name, values):
    same = torch.zeros(2, dtype=torch.int64).numpy()
    for switched, acts in ((switch, True), ({}, False)):
        rows = [theta(**switched, **{name: value}) for value in values]
        first, second = (roll_out(table(*rows, ids=same), row, 64, 2, 1e3) for row in (0, 1))
        assert ((first.u - second.u).abs().mean() > 1e-3) == acts
        assert torch.equal(first.u, second.u) != acts


@pytest.mark.parametrize("row", ROWS)
def test_given_its_own_parameters_an_operator_is_the_same_to_rounding(row):
    hidden, u = build(variety(), row, "float32").hidden, field(2, 3, 8, 8)
    again = hidden.with_parameters(hidden.parameters)
    torch.testing.assert_close(again(u, ()), hidden(u, ()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("row", ROWS)
def test_operators_of_one_architecture_run_together_under_vmap(row):
    operators = replace(variety(), weights="independent")
    first = build(operators, row, "float32").hidden
    second = build(replace(operators, ids=operators.ids + 1), row, "float32").hidden
    u = field(2, 2, 3, 8, 8)
    stacked = tuple(map(torch.stack, zip(first.parameters, second.parameters, strict=True)))
    together = torch.vmap(lambda weights, x: first.with_parameters(weights)(x, ()))(stacked, u)
    for own, hidden, x in zip(together, (first, second), u, strict=True):
        torch.testing.assert_close(own, hidden(x, ()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("row", ROWS)
def test_every_weight_is_reached(row):
    operator = build(variety(), row, "float32")
    weights_used = [weight.clone().requires_grad_() for weight in operator.hidden.parameters]
    operator.hidden.with_parameters(weights_used)(field(4, 3, 8, 8), ()).square().sum().backward()
    assert all((weight.grad != 0).any((1, 2, 3)).all() for weight in weights_used)


def test_no_stream_serves_two_purposes(monkeypatch):
    used = record_streams(monkeypatch)
    weights.basis.cache_clear()
    operators = table(THETA, THETA)
    for row in (0, 1):
        for draw in (0, 1):
            roll_out(operators, row, 3, 2, 1e3, draw=draw)
    weights.basis.cache_clear()
    # layers 0-4 of the widest shape are not drawn by operators of three layers: 3 and the output
    assert len(used) == len(set(used)) == 4 + 2 * 2 * (1 + 3 * 2 * (1 + 3))
