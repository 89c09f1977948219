"""Identity of tokens that name the operator, the initial condition, or nothing."""

import numpy as np
import pytest
import torch

from spinlock.evaluation import cost, identity, information
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=200, min_operators=8)
ISOLATED = np.repeat([True, False, False], 2)
LEVELS = [2, 2, 2]


def draws(*shape, high=4, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def test_tokens_that_name_the_operator_agree_within_it_alone():
    first, second = draws(200, 6), draws(200, 6, seed=1)
    second[:, 2:] = first[:, 2:]
    found = identity.metrics(first, second, ISOLATED, LEVELS, HOW)
    assert found["identity_within"] == found["identity_within_low"] == 1
    assert found["identity_between"] == pytest.approx(0.25, abs=0.02)
    assert found["identity_gain"] == found["identity_within"] - found["identity_between"]
    assert found["identity_margin"] == pytest.approx(0.75, abs=0.03)
    assert found["identity_within_initial"] == pytest.approx(0.25, abs=0.05)
    assert (found["identity_positive"], found["identity_certain"]) == (1, 1)


def test_tokens_of_chance_have_no_margin_and_their_interval_says_so():
    found = identity.metrics(draws(200, 6), draws(200, 6, seed=1), ISOLATED, LEVELS, HOW)
    assert found["identity_gain"] == pytest.approx(0, abs=0.03)
    assert found["identity_gain_low"] < 0 < found["identity_gain_high"]
    assert found["identity_certain"] == 0


def test_the_margin_is_that_of_the_worst_category():
    first, second = draws(400, 6), draws(400, 6, seed=1)
    second[:, 2:4] = first[:, 2:4]
    found = identity.metrics(first, second, ISOLATED, LEVELS, HOW)
    assert found["identity_margin"] == pytest.approx(0, abs=0.05)
    assert found["identity_margin_low"] < found["identity_margin"] < found["identity_margin_high"]
    assert found["identity_within"] == pytest.approx(0.625, abs=0.03)
    rows = identity.by_category(first, second, "abc", LEVELS, HOW)
    assert [row["category"] for row in rows] == ["a", "b", "c"]
    assert rows[2]["margin"] == found["identity_margin"]
    assert rows[1]["within"] == 1
    assert rows[1]["low"] <= rows[1]["margin"] <= rows[1]["high"]


def test_agreement_between_is_over_pairs_of_different_operators():
    first, second = draws(60, 4), draws(60, 4, seed=1)
    found = identity.agreement(first, second, HOW)
    assert found.between.value == pytest.approx(information.chance_agreement(first, second))
    same = np.tile(draws(1, 4), (60, 1))
    constant = identity.agreement(same, same, HOW)
    assert constant.margin.value == 0
    assert (constant.margin.drawn == 0).all()


def test_copies_of_an_operator_in_a_resample_are_no_pair_of_different_ones():
    # every operator has tokens of its own: only copies could agree "between"
    own = np.arange(30)[:, None]
    found = identity.agreement(own, own, HOW)
    assert found.between.value == 0
    assert (found.between.drawn == 0).all()


def test_few_operators_are_null():
    found = identity.metrics(draws(5, 6), draws(5, 6), ISOLATED, LEVELS, HOW)
    assert found.pop("identity_count") == 5
    assert set(found.values()) == {None}
    rows = identity.by_category(draws(5, 6), draws(5, 6), "abc", LEVELS, HOW)
    assert {row["margin"] for row in rows} == {""}


def test_operations_of_a_convolution_are_counted():
    u, kernel = torch.zeros(1, 3, 8, 8), torch.zeros(5, 3, 3, 3)
    count = cost.flops(lambda: torch.nn.functional.conv2d(u, kernel, padding=1))
    assert count == 2 * 8 * 8 * 5 * 3 * 3 * 3
