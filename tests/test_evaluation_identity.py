"""Identity and leakage of tokens that name the operator, the initial condition, or nothing."""

import numpy as np
import pytest
import torch

from spinlock.evaluation import cost
from spinlock.evaluation.identity import identity, leakage
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)
ISOLATED = np.repeat([True, False, False], 2)


def draws(*shape, high=4, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def test_tokens_that_name_the_operator_agree_within_it_alone():
    first, second = draws(200, 6), draws(200, 6, seed=1)
    second[:, 2:] = first[:, 2:]
    found = identity(first, second, ISOLATED, [2, 2, 2], HOW)
    assert found["identity_within"] == 1
    assert found["identity_between"] == pytest.approx(0.25, abs=0.02)
    assert found["identity_margin"] == pytest.approx(0.75, abs=0.03)
    assert found["identity_within_initial"] == pytest.approx(0.25, abs=0.05)


def test_the_margin_is_that_of_the_worst_category():
    first, second = draws(400, 6), draws(400, 6, seed=1)
    second[:, 2:4] = first[:, 2:4]
    found = identity(first, second, ISOLATED, [2, 2, 2], HOW)
    assert found["identity_margin"] == pytest.approx(0, abs=0.05)
    assert found["identity_within"] == pytest.approx(0.625, abs=0.03)
    assert found["identity_within_low"] < found["identity_within"] < found["identity_within_high"]


def test_few_operators_are_null():
    found = identity(draws(5, 6), draws(5, 6), ISOLATED, [2, 2, 2], HOW)
    assert found.pop("identity_count") == 5
    assert set(found.values()) == {None}
    assert set(leakage(draws(5, 4), draws(5), 5, HOW).values()) == {None}


def test_leakage_is_what_the_label_tells_beyond_chance():
    labels = draws(300)
    copies = np.stack([labels, 3 - labels], axis=1)
    found = leakage(copies, labels, 10, HOW)
    assert found["leakage_ic"] == pytest.approx(found["leakage_ic_label"], abs=0.05)
    assert leakage(draws(300, 6, seed=4), labels, 10, HOW)["leakage_ic"] == pytest.approx(
        0, abs=0.02
    )


def test_operations_of_a_convolution_are_counted():
    u, kernel = torch.zeros(1, 3, 8, 8), torch.zeros(5, 3, 3, 3)
    count = cost.flops(lambda: torch.nn.functional.conv2d(u, kernel, padding=1))
    assert count == 2 * 8 * 8 * 5 * 3 * 3 * 3
