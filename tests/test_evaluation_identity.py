"""Identity of tokens that name the operator, the initial condition, or nothing."""

import numpy as np
import pytest
import torch

import operator_cases
from spinlock.evaluation import cost, identity, information
from spinlock.evaluation.intervals import Bootstrap
from spinlock.operators import convolution
from spinlock.operators.build import build

HOW = Bootstrap(seed=1, num_resamples=200, min_operators=8)
ISOLATED = np.repeat([True, False, False], 2)
LEVELS = [2, 2, 2]


def draws(*shape, high=4, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def twice(first, second, kinds=None):
    kinds = draws(len(first), high=3, seed=9) if kinds is None else kinds
    return identity.Twice(first=first, second=second, kinds=kinds)


def test_tokens_that_name_the_operator_agree_within_it_alone():
    first, second = draws(200, 6), draws(200, 6, seed=1)
    second[:, 2:] = first[:, 2:]
    found = identity.metrics(twice(first, second), ISOLATED, LEVELS, HOW)
    assert found["identity_within"] == found["identity_within_low"] == 1
    assert found["identity_between"] == pytest.approx(0.25, abs=0.02)
    assert found["identity_gain"] == found["identity_within"] - found["identity_between"]
    assert found["identity_margin"] == pytest.approx(0.75, abs=0.03)
    assert found["identity_within_initial"] == pytest.approx(0.25, abs=0.05)
    assert (found["identity_positive"], found["identity_certain"]) == (1, 1)


def test_tokens_of_chance_have_no_margin_and_their_interval_says_so():
    found = identity.metrics(twice(draws(200, 6), draws(200, 6, seed=1)), ISOLATED, LEVELS, HOW)
    assert found["identity_gain"] == pytest.approx(0, abs=0.03)
    assert found["identity_gain_low"] < 0 < found["identity_gain_high"]
    assert found["identity_certain"] == 0


def test_the_margin_is_that_of_the_worst_category():
    first, second = draws(400, 6), draws(400, 6, seed=1)
    second[:, 2:4] = first[:, 2:4]
    found = identity.metrics(twice(first, second), ISOLATED, LEVELS, HOW)
    assert found["identity_margin"] == pytest.approx(0, abs=0.05)
    assert found["identity_margin_low"] < found["identity_margin"] < found["identity_margin_high"]
    assert found["identity_within"] == pytest.approx(0.625, abs=0.03)
    rows = identity.by_category(twice(first, second), "abc", LEVELS, HOW)
    assert [row["category"] for row in rows] == ["a", "b", "c"]
    assert rows[2]["margin"] == found["identity_margin"]
    assert rows[1]["within"] == 1
    assert rows[1]["low"] <= rows[1]["margin"] <= rows[1]["high"]


def test_agreement_between_is_over_pairs_of_different_operators():
    first, second = draws(60, 4), draws(60, 4, seed=1)
    found = identity.agreement(twice(first, second), HOW)
    assert found.between.value == pytest.approx(information.chance_agreement(first, second))
    same = np.tile(draws(1, 4), (60, 1))
    constant = identity.agreement(twice(same, same), HOW)
    assert constant.margin.value == 0
    assert (constant.margin.drawn == 0).all()


def test_tokens_that_name_the_kind_of_u0_alone_have_no_margin_beside_their_kind():
    kinds = draws(200, high=5, seed=3)
    named = np.repeat(kinds[:, None], 6, axis=1)
    both = twice(named, named, kinds)
    found = identity.metrics(both, ISOLATED, LEVELS, HOW)
    assert found["identity_between_kind"] == found["identity_within"] == 1
    assert found["identity_margin"] == pytest.approx(0.8, abs=0.05)
    assert found["identity_certain"] == 1
    assert (found["identity_gain_kind"], found["identity_certain_kind"]) == (0, 0)
    (row, *_) = identity.by_category(both, "abc", LEVELS, HOW)
    assert (row["between_kind"], row["margin_kind"]) == (1, 0)


def test_the_same_kind_is_compared_pair_by_pair():
    first, second = draws(30, 4), draws(30, 4, seed=1)
    kinds = draws(30, high=3, seed=2)
    found = identity.agreement(twice(first, second, kinds), HOW, same_kind=True)
    alone = [
        np.mean(
            [(first[i] == second[j]).mean() for j in range(30) if i != j and kinds[i] == kinds[j]]
        )
        for i in range(30)
    ]
    assert found.between.value == pytest.approx(np.mean(alone))
    assert found.within.value == pytest.approx((first == second).mean())


def test_kinds_of_unequal_numbers_are_no_identity():
    """Two large kinds have tokens of chance, small ones each their own: nothing names operators."""
    kinds = np.repeat(np.arange(9), [14, 13, 4, 4, 3, 3, 3, 3, 4])
    margins = []
    for seed in range(20):
        first, second = draws(len(kinds), 3, seed=seed), draws(len(kinds), 3, seed=100 + seed)
        small = kinds > 1
        first[small] = second[small] = kinds[small, None] + 4
        found = identity.agreement(twice(first, second, kinds), HOW, same_kind=True).margin
        margins.append((found.value, found.interval().low > 0))
    values, certain = np.array(margins).T
    assert abs(values.mean()) < 0.02
    assert certain.mean() <= 0.2


def test_without_two_operators_of_a_kind_there_is_no_margin_beside_it():
    found = identity.metrics(
        twice(draws(20, 6), draws(20, 6, seed=1), np.arange(20)), ISOLATED, LEVELS, HOW
    )
    assert found["identity_margin"] is not None
    assert found["identity_margin_kind"] is None
    assert found["identity_certain_kind"] is None


def test_copies_of_an_operator_in_a_resample_are_no_pair_of_different_ones():
    # every operator has tokens of its own: only copies could agree "between"
    own = np.arange(30)[:, None]
    found = identity.agreement(twice(own, own), HOW)
    assert found.between.value == 0
    assert (found.between.drawn == 0).all()


def test_few_operators_are_null():
    found = identity.metrics(twice(draws(5, 6), draws(5, 6)), ISOLATED, LEVELS, HOW)
    assert found.pop("identity_count") == 5
    assert set(found.values()) == {None}
    rows = identity.by_category(twice(draws(5, 6), draws(5, 6)), "abc", LEVELS, HOW)
    assert {row["margin"] for row in rows} == {""}


@pytest.mark.parametrize("tiled", [False, True])
def test_an_operator_counts_as_it_is_defined_whichever_algorithm_computes_it(monkeypatch, tiled):
    monkeypatch.setattr(convolution, "in_fourier_space", lambda *shape: tiled)
    operators = operator_cases.table(operator_cases.theta(kernel_size=7))
    assert cost.operator_flops(operators, 0) == _by_definition(operators)


def _by_definition(operators):
    """Each convolution cell by cell, k² products for each pair of channels."""
    operator = build(operators, 0, "float32")
    weights = [*operator.hidden.parameters, operator.output, operator.mixing]
    cells = operators.grid_size**2
    return sum(2 * cells * weight.numel() for weight in weights if weight.ndim == 4)


def test_operations_of_a_convolution_are_counted():
    u, kernel = torch.zeros(1, 3, 8, 8), torch.zeros(5, 3, 3, 3)
    count = cost.flops(lambda: torch.nn.functional.conv2d(u, kernel, padding=1))
    assert count == 2 * 8 * 8 * 5 * 3 * 3 * 3
