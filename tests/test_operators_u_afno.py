"""The U-shaped operator: symmetry, independence of realizations, live parameters and parts."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import (
    CHANGES,
    DIMENSIONS,
    PLACES,
    SWITCHED,
    THETA,
    record_streams,
    roll_out,
    table,
    theta,
    u_theta,
    variety_u_afno,
)
from spinlock.operators import random_u_afno, u_afno_layers, weights
from spinlock.operators.build import build, num_parameters, receptive_field
from spinlock.sampling import space
from spinlock.sampling.table import Operators

ROWS = range(len(variety_u_afno()))
LARGEST = {"base_channels": 16, "encoder_levels": 4, "afno_blocks": 6, "blocks_per_level": 3}


def field(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def large_table(*thetas, **changes) -> Operators:
    """Operators of a space of larger U-AFNOs."""
    integers = {
        name: space.Integer(name=name, kind="integer", low=1, high=high)
        for name, high in LARGEST.items()
    }
    dimensions = tuple(integers.get(d.name, d) for d in DIMENSIONS)
    sizes = {"grid_size": 32, "max_width": 32, "dimensions": dimensions}
    return table(*thetas, **sizes | changes)


def pair(first, second, make=table):
    """Rollouts of two operators with the same id, that is with the same u0, noise and basis."""
    operators = make(first, second, ids=np.zeros(2, dtype=np.int64))
    return [roll_out(operators, row, 64, 2, 1e3) for row in (0, 1)]


@pytest.mark.parametrize("row", ROWS)
@given(shift=st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_a_shift_by_the_stride_with_shifted_noise_gives_the_shifted_output(row, shift):
    operators = variety_u_afno()
    operator = build(operators, row, "float32")
    stride = 2 ** operators.theta[row].encoder_levels
    shift = (stride * shift[0], stride * shift[1])
    u, drawn = field(2, 3, 8, 8), operator.chance.at(1, 4, 2, 0)
    moved = replace(drawn, noise=drawn.noise.roll(shift, (-2, -1)))
    torch.testing.assert_close(
        operator.apply(u.roll(shift, (-2, -1)), moved),
        operator.apply(u, drawn).roll(shift, (-2, -1)),
        atol=1e-4,
        rtol=1e-4,
    )


@pytest.mark.parametrize("row", ROWS)
def test_a_realization_does_not_see_the_others_to_the_bit(row):
    operator = build(variety_u_afno(), row, "float32")
    u, drawn = field(3, 3, 8, 8), operator.chance.at(1, 4, 3, 0)
    spoiled = u.clone()
    spoiled[1] = torch.nan
    spoiled[2] = 1e30
    assert torch.equal(operator.apply(u, drawn)[0], operator.apply(spoiled, drawn)[0])


@pytest.mark.parametrize("row", ROWS)
def test_every_weight_is_reached(row):
    hidden = build(variety_u_afno(), row, "float32").hidden
    used = [weight.clone().requires_grad_() for weight in hidden.parameters]
    hidden.with_parameters(used)(field(4, 3, 8, 8), ()).square().sum().backward()
    for name, weight in zip(hidden.weights, used, strict=True):
        inputs = (1,) if weight.is_complex() else (1, 2, 3)  # mixing is [groups, in, out]
        assert (weight.grad != 0).any(inputs).all(), name


@pytest.mark.parametrize("normalization", ["none", "instance", "layer"])
def test_every_layer_matters(normalization):
    changes = {"encoder_levels": 3, "afno_blocks": 3, "blocks_per_level": 2, "base_channels": 8}
    operators = large_table(u_theta(normalization=normalization, **changes))
    hidden, u = build(operators, 0, "float32").hidden, field(2, 3, 32, 32)
    full = hidden(u, ())
    for name in hidden.weights:
        silent = {n: w * (n != name) for n, w in hidden.weights.items()}
        change = (hidden.with_parameters(tuple(silent.values()))(u, ()) - full).std() / full.std()
        assert change > 0.02, name


OWN_CHANGES = [
    {"encoder_levels": 2},
    {"mode_share": 0.25},
    {"afno_blocks": 3},
    {"blocks_per_level": 2},
]


@pytest.mark.parametrize("change", OWN_CHANGES + CHANGES, ids=str)
def test_changing_one_parameter_alone_changes_the_rollout(change):
    first, second = pair(u_theta(), u_theta(**change))
    assert torch.equal(first.u0, second.u0)
    assert (first.u - second.u).abs().mean() > 1e-3


@pytest.mark.parametrize(("switch", "name", "values"), SWITCHED)
def test_a_switched_parameter_acts_where_it_is_switched_on(switch, name, values):
    first, second = pair(*(u_theta(**switch, **{name: value}) for value in values))
    assert (first.u - second.u).abs().mean() > 1e-3
    first, second = pair(*(u_theta(**{name: value}) for value in values))
    assert torch.equal(first.u, second.u)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (u_theta, {"num_layers": 5}),
        (u_theta, {"kernel_size": 7}),
        (theta, {"encoder_levels": 1}),
        (theta, {"mode_share": 0.25}),
        (theta, {"afno_blocks": 3}),
        (theta, {"blocks_per_level": 2}),
    ],
)
def test_sizes_of_the_other_architecture_change_nothing(make, change):
    first, second = pair(make(), make(**change))
    assert torch.equal(first.u, second.u)


@pytest.mark.parametrize(("grid_size", "levels"), [(32, 2), (32, 3), (64, 2), (64, 3), (64, 4)])
def test_the_share_of_modes_acts_on_every_grid_with_a_bottleneck_of_four_cells(grid_size, levels):
    thetas = [
        u_theta(encoder_levels=levels, mode_share=share, dropout_rate=0.0) for share in (0.25, 1.0)
    ]
    make = partial(large_table, grid_size=grid_size)
    operators = make(*thetas, ids=np.zeros(2, dtype=np.int64))
    first, second = (roll_out(operators, row, 4, 1, 1e3).u for row in (0, 1))
    assert (first - second).std() > 0.02 * first.std()


@given(
    share=st.floats(0, 1, exclude_min=True),
    levels=st.integers(1, 4),
    doublings=st.integers(1, 3),
)
def test_retained_wavenumbers_are_a_share_of_the_nyquist_one(share, levels, doublings):
    nyquist = 2 ** (doublings - 1)
    retained = random_u_afno.modes(share, levels, 2 ** (levels + doublings))
    assert 1 <= retained <= nyquist
    assert retained == 1 or abs(retained - share * nyquist) <= 0.5


def test_all_wavenumbers_are_retained_by_a_share_of_one():
    assert [random_u_afno.modes(1.0, levels, 64) for levels in (1, 2, 3, 4, 5)] == [16, 8, 4, 2, 1]


@pytest.mark.parametrize("kind", ["basis", "independent"])
@pytest.mark.parametrize("normalization", ["none", "instance"])
def test_weights_have_the_variance_of_their_fan_in_and_gain(kind, normalization):
    changes = {"encoder_levels": 2, "afno_blocks": 2, "blocks_per_level": 2, "base_channels": 16}
    parameters = u_theta(normalization=normalization, **changes)
    operators = large_table(parameters, weights=kind)
    hidden = build(operators, 0, "float32").hidden
    for name, layer in u_afno_layers.layers(hidden.plan).items():
        drawn = hidden.weights[name]
        parts = torch.view_as_real(drawn) if drawn.is_complex() else drawn
        unit = parts / layer.gain * math.sqrt(math.prod(layer.shape[1:]) / 2)
        count = unit.numel()
        assert count == math.prod(layer.shape)
        assert abs(unit.mean()) < 5 / count**0.5
        assert abs(unit.square().mean() - 1) < 5 * (2 / count) ** 0.5


def test_weights_of_a_point_on_the_sphere_are_the_combination_of_the_basis():
    z = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    operators = table(*(u_theta(encoder_levels=2) for _ in z), z=z)
    first, second, mixed = (build(operators, row, "float32").hidden.parameters for row in range(3))
    for a, b, c in zip(first, second, mixed, strict=True):
        torch.testing.assert_close(c, 0.6 * a + 0.8 * b)


def test_a_shared_basis_is_shared_and_own_weights_are_own():
    for kind, equal in (("basis", True), ("independent", False)):
        operators = table(u_theta(), u_theta(), weights=kind)
        rows = [build(operators, row, "float32").hidden.parameters for row in (0, 1)]
        assert all(torch.equal(a, b) is equal for a, b in zip(*rows, strict=True))


def test_a_narrow_shallow_operator_has_the_leading_channels_of_a_wide_deep_one():
    sizes = {"encoder_levels": 1, "afno_blocks": 1, "base_channels": 4}
    operators = large_table(u_theta(**LARGEST), u_theta(**sizes), max_width=128)
    wide, narrow = (build(operators, row, "float32").hidden for row in (0, 1))
    widest = u_afno_layers.layers(wide.plan)
    for name, layer in u_afno_layers.layers(narrow.plan).items():
        own, other = narrow.weights[name], wide.weights[name]
        leading = other[tuple(slice(side) for side in own.shape)]
        scale = math.sqrt(widest[name].shape[1] / layer.shape[1]) * layer.gain / widest[name].gain
        torch.testing.assert_close(own, leading * scale)


@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize(
    ("base", "max_width", "expected"),
    [(13, 128, [13, 26, 52]), (13, 20, [13, 20, 20]), (4, 3, [3, 3, 3]), (16, 64, [16, 32, 64])],
)
def test_sizes_follow_the_base_and_the_cap(channels, base, max_width, expected):
    parameters = u_theta(base_channels=base, encoder_levels=2)
    operators = large_table(parameters, max_width=max_width, channels=channels)
    operator = build(operators, 0, "float32")
    assert list(operator.hidden.plan.widths) == expected
    drawn = operator.chance.at(1, 4, 2, 0)
    u = field(2, channels, 32, 32)
    assert operator.hidden(u, drawn.masks).shape == (2, expected[0], 32, 32)
    assert operator.apply(u, drawn).shape == u.shape
    counted = sum(w.numel() * (1 + w.is_complex()) for w in operator.hidden.parameters)
    assert counted + operator.output.numel() == num_parameters(operators, parameters)


def test_widths_double_up_to_eight_times_the_first():
    assert u_afno_layers.widths(5, 4, 1000) == (4, 8, 16, 32, 32, 32)


def test_one_cell_reaches_the_whole_grid():
    parameters = u_theta(encoder_levels=2, normalization="none", activation="tanh")
    operators = large_table(parameters)
    hidden, u = build(operators, 0, "float32").hidden, field(1, 3, 32, 32)
    touched = u.clone()
    touched[..., 5, 5] += 10.0
    assert (hidden(touched, ()) != hidden(u, ())).any(1).all()
    assert receptive_field(parameters, 32) == 32


@pytest.mark.parametrize("normalization", ["none", "instance", "layer"])
@pytest.mark.parametrize("activation", ["gelu", "relu", "silu", "tanh"])
def test_the_largest_and_the_smallest_keep_a_signals_size(normalization, activation):
    words = {"normalization": normalization, "activation": activation}
    small = {"encoder_levels": 1, "afno_blocks": 1, "base_channels": 8}
    operators = large_table(u_theta(**words, **LARGEST), u_theta(**words, **small))
    for row in (0, 1):
        size = build(operators, row, "float32").hidden(field(2, 3, 32, 32), ()).square().mean()
        assert 0.05 < size < 10


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_interpolation_is_that_of_torch_continued_periodically(size):
    x = field(2, 3, size, size)
    padded = torch.nn.functional.pad(x, (1,) * 4, mode="circular")
    fine = torch.nn.functional.interpolate(padded, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(random_u_afno.interpolated(x), fine[..., 2:-2, 2:-2])


def test_dropout_acts_on_every_block_and_drops_whole_channels():
    operator = build(table(u_theta(dropout_rate=0.5)), 0, "float32")
    hidden, u = operator.hidden, field(1, 3, 8, 8)
    kept = [torch.ones(1, width, 1, 1) for width in hidden.masked]
    full = hidden(u, ())
    torch.testing.assert_close(hidden(u, kept), full)
    for layer in range(len(kept)):
        some = [mask * (i != layer) for i, mask in enumerate(kept)]
        assert not torch.allclose(hidden(u, some), full)
    masks = operator.chance.at(1, 1, 3, 0).masks
    assert tuple(mask.shape for mask in masks) == tuple((3, w, 1, 1) for w in hidden.masked)


@pytest.mark.parametrize(("extract_from", "levels", "names"), PLACES)
def test_intermediate_features_have_the_sizes_of_their_levels(extract_from, levels, names):
    operator = build(table(u_theta(encoder_levels=2)), 0, "float32")
    found = operator.hidden.intermediate_features(field(2, 3, 8, 8), extract_from, levels)
    assert set(found) == names
    for name, value in found.items():
        level = 2 if name == "bottleneck" else int(name[-1])
        assert value.shape == (2, operator.hidden.plan.widths[level], 8 // 2**level, 8 // 2**level)


def test_intermediate_features_are_those_of_a_step_with_its_masks():
    operator = build(table(u_theta()), 0, "float32")
    u, masks = field(2, 3, 8, 8), operator.chance.at(1, 1, 2, 0).masks
    plain = operator.hidden.intermediate_features(u, "all")
    dropped = operator.hidden.intermediate_features(u, "all", masks=masks)
    assert all((plain[name] != dropped[name]).any() for name in plain)


def test_a_level_that_does_not_exist_is_an_error():
    hidden = build(table(u_theta()), 0, "float32").hidden
    with pytest.raises(ValueError, match="0 … 0"):
        hidden.intermediate_features(field(1, 3, 8, 8), "skips", (1,))


def test_operators_of_equal_sizes_can_be_run_together():
    operators = table(u_theta(), u_theta(), weights="independent")
    hidden = [build(operators, row, "float32").hidden for row in (0, 1)]
    u = field(2, 2, 3, 8, 8)
    masks = [build(operators, row, "float32").chance.at(1, 1, 2, 0).masks for row in (0, 1)]
    stacked = [torch.stack(pair) for pair in zip(*(h.parameters for h in hidden), strict=True)]
    together = torch.vmap(lambda w, x, m: hidden[0].with_parameters(w)(x, m))(
        stacked, u, [torch.stack(pair) for pair in zip(*masks, strict=True)]
    )
    for row in (0, 1):
        alone = hidden[row](u[row], masks[row])
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-4)


def test_what_can_be_run_together_shares_everything_but_weights():
    changes = [{}, {"seed": 8}, {"encoder_levels": 2}, {"mode_share": 0.25}, {"activation": "relu"}]
    tables = [table(u_theta(), seed=8) if "seed" in c else table(u_theta(**c)) for c in changes]
    first, *others = (build(operators, 0, "float32").hidden.structure for operators in tables)
    assert [other == first for other in others] == [True, False, False, False]


@pytest.mark.parametrize("row", ROWS)
def test_bfloat16_is_near_float32_and_repeats(row):
    u, operators = field(2, 3, 8, 8), variety_u_afno()
    exact, rounded, again = (
        build(operators, row, precision).hidden(u, ())
        for precision in ("float32", "bfloat16", "bfloat16")
    )
    assert torch.equal(rounded, again)
    assert rounded.dtype == torch.float32
    assert 1e-4 < (rounded - exact).std() / exact.std() < 0.02  # a product rounds by 2⁻⁹


def test_no_stream_serves_two_purposes(monkeypatch):
    operators = table(THETA, u_theta(), u_theta(encoder_levels=2))
    hidden = [build(operators, row, "float32").hidden for row in range(3)]
    weights.basis.cache_clear()
    used = record_streams(monkeypatch)
    for row in range(3):
        for draw in (0, 1):
            roll_out(operators, row, 3, 2, 1e3, draw=draw)
    weights.basis.cache_clear()
    layers = sum(len(h.parameters) + 1 for h in (hidden[0], hidden[2]))  # the deeper has them all
    drawn = sum(2 * (1 + 3 * 2 * (1 + len(h.masked))) for h in hidden)
    assert len(used) == len(set(used)) == layers + drawn


def random_theta(rng: np.random.Generator):
    """Some U-AFNO of the declared sizes at grid 32."""
    words = {
        "activation": ["gelu", "relu", "silu", "tanh"],
        "normalization": ["instance", "layer"],  # without any, fields grow or decay as they must
        "noise_type": ["gaussian", "laplace", "multiplicative"],
        "update_policy": ["autoregressive", "residual", "convex"],
    }
    lows = {"base_channels": 8, "encoder_levels": 2, "afno_blocks": 2, "blocks_per_level": 1}
    highs = {**LARGEST, "encoder_levels": 3}
    return u_theta(
        **{name: str(rng.choice(values)) for name, values in words.items()},
        **{name: int(rng.integers(low, highs[name] + 1)) for name, low in lows.items()},
        mode_share=float(rng.uniform(0.25, 1)),
        dropout_rate=float(rng.uniform(0, 0.3)),
        noise_scale=float(10 ** rng.uniform(-5, 0)),
        dt=float(10 ** rng.uniform(-3, -1)),
        alpha=float(rng.uniform(0.1, 0.9)),
    )


def test_random_operators_stay_bounded_alive_and_different():
    rng = np.random.default_rng(0)
    thetas = [random_theta(rng) for _ in range(30)]
    operators = large_table(*thetas, ids=np.zeros(30, dtype=np.int64), ic_types=("grf_1",) * 30)
    ends = [roll_out(operators, row, 12, 1, 1e3).u[0, -1] for row in range(30)]
    assert all(end.abs().max() < 50 for end in ends)
    variance = torch.tensor([float(end.var((-2, -1)).mean()) for end in ends])
    assert (variance > 1e-3).sum() >= 28  # `layer` lets a few fields become homogeneous
    distances = torch.pdist(torch.stack(ends).flatten(1)) / math.sqrt(ends[0].numel())
    assert distances.min() > 1e-3
