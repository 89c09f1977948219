"""Weights have the Kaiming law wherever they come from; a basis shares them across shapes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import table, theta
from spinlock.operators import weights
from spinlock.operators.build import build, num_parameters

WIDEST = (16, 16, 7, 7)


def on_sphere(*coordinates):
    z = np.array([coordinates], dtype=np.float32)
    return z / np.linalg.norm(z)


@pytest.mark.parametrize("kind", ["basis", "independent"])
@given(seed=st.integers(0, 2**31), z=st.lists(st.floats(0.1, 1), min_size=1, max_size=4))
def test_weights_are_normal_with_variance_two_over_fan_in(kind, seed, z):
    operators = table(seed=seed, weights=kind, z=on_sphere(*z))
    shape = (16, 12, 5, 5)
    drawn = weights.draw(operators, 0, "1", shape, WIDEST)
    unit = drawn * math.sqrt(math.prod(shape[1:]) / 2)
    count = unit.numel()  # 4800 numbers; 5 standard errors of each moment
    assert abs(unit.mean()) < 5 / count**0.5
    assert abs(unit.square().mean() - 1) < 5 * (2 / count) ** 0.5
    assert abs(unit.pow(4).mean() - 3) < 5 * (96 / count) ** 0.5


def test_weights_at_an_angle_correlate_by_its_cosine():
    first, second = on_sphere(1, 0, 0, 0), on_sphere(3, 4, 0, 0)
    a, b = (weights.draw(table(z=z), 0, "1", WIDEST, WIDEST).flatten() for z in (first, second))
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1] - 0.6) < 0.03


def test_a_set_does_not_depend_on_how_many_there_are():
    one, four = (weights.basis(7, m, "0", (4, 3, 5, 5)) for m in (1, 4))
    assert torch.equal(one[0], four[0])


def test_a_narrow_operator_has_the_leading_channels_and_the_centre_of_a_wide_one():
    operators = table()
    wide = weights.draw(operators, 0, "1", (8, 6, 5, 5), WIDEST)
    narrow = weights.draw(operators, 0, "1", (4, 3, 3, 3), WIDEST)
    scale = math.sqrt((6 * 5 * 5) / (3 * 3 * 3))
    torch.testing.assert_close(narrow, wide[:4, :3, 1:4, 1:4] * scale)


def test_layers_and_sets_are_independent_draws():
    drawn = [weights.basis(7, 2, layer, WIDEST)[j] for layer in ("0", "1") for j in (0, 1)]
    correlation = torch.corrcoef(torch.stack([w.flatten() for w in drawn]))
    assert (correlation - torch.eye(4)).abs().max() < 0.05


def test_a_shared_basis_is_shared_and_own_weights_are_own():
    for kind, equal in (("basis", True), ("independent", False)):
        operators = table(theta(), theta(), weights=kind)
        a, b = (build(operators, row, "float32").hidden.blocks[0].weight for row in (0, 1))
        assert torch.equal(a, b) is equal


@pytest.mark.parametrize("kind", ["basis", "independent"])
def test_weights_belong_to_the_operator_not_to_its_row(kind):
    operators = table(theta(), theta(num_layers=2), theta(), weights=kind)
    alone = build(operators.take([2]), 0, "float32")
    together = build(operators, 2, "float32")
    for a, b in zip(alone.hidden.blocks, together.hidden.blocks, strict=True):
        assert torch.equal(a.weight, b.weight)
    assert torch.equal(alone.output, together.output)


def test_a_layer_of_the_basis_does_not_depend_on_the_depth_of_the_operator():
    shallow, deep = (
        build(table(theta(num_layers=2)), 0, "float32"),
        build(table(theta(num_layers=3)), 0, "float32"),
    )
    assert torch.equal(shallow.hidden.blocks[1].weight, deep.hidden.blocks[1].weight)


def test_the_widest_operator_of_the_space_fits_the_basis():
    operators = table(theta(num_layers=5, base_channels=8, kernel_size=7))
    built = build(operators, 0, "float32")
    assert [b.weight.shape[0] for b in built.hidden.blocks] == [8, 16, 16, 16, 16]
    counted = sum(b.weight.numel() for b in built.hidden.blocks) + built.output.numel()
    assert counted == num_parameters(operators, operators.theta[0])
