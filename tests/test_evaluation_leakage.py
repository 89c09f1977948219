"""Leakage of a label into tokens that copy it, know nothing of it, or know a little."""

import numpy as np
import pytest

from spinlock.evaluation import information, leakage
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)


def draws(*shape, high=4, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def test_counting_all_permutations_together_is_counting_them_one_by_one():
    tokens, labels = draws(50, 5, high=7), draws(3, 50, seed=1)
    labels[2] = 0
    found = leakage.informations(tokens, labels)
    expected = [
        [information.mutual_information(token, label) for token in tokens.T] for label in labels
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    many = leakage.informations(tokens, np.tile(labels, (40, 1)))
    np.testing.assert_array_equal(many[:3], found)
    np.testing.assert_array_equal(many[-3:], found)


def test_tokens_that_copy_the_label_tell_all_of_it():
    labels = draws(300)
    copies = np.stack([labels, 3 - labels], axis=1)
    found = leakage.metrics(copies, labels, 99, HOW)
    assert found["leakage_ic"] == pytest.approx(found["leakage_ic_label"], abs=0.05)
    assert found["leakage_ic_share"] == pytest.approx(1, abs=0.03)
    assert found["leakage_ic_p"] == pytest.approx(0.01)


def test_tokens_of_chance_stay_below_what_permutations_give():
    labels = draws(300)
    found = leakage.metrics(draws(300, 6, seed=4), labels, 99, HOW)
    assert found["leakage_ic"] == pytest.approx(0, abs=0.02)
    assert found["leakage_ic"] < found["leakage_ic_null_95"]
    assert found["leakage_ic_p"] > 0.05


def test_the_p_value_is_uniform_where_nothing_leaks():
    labels = draws(60)
    values = [
        leakage.metrics(draws(60, 2, seed=10 + i), labels, 19, HOW)["leakage_ic_p"]
        for i in range(200)
    ]
    assert np.mean(values) == pytest.approx(0.525, abs=0.06)  # of 1/20, 2/20 … 1
    assert np.mean(np.array(values) <= 0.05) == pytest.approx(0.05, abs=0.04)


def test_the_category_that_leaks_is_named():
    labels = draws(200)
    tokens = draws(200, 4, seed=2)
    tokens[:, 3] = labels
    parts = [("a", slice(0, 2)), ("b", slice(2, 4))]
    one, two = leakage.by_category(tokens, labels, parts, 99, HOW)
    assert (one["category"], two["category"]) == ("a", "b")
    assert one["bits_p"] > 0.05
    assert two["bits_p"] == pytest.approx(0.01)
    assert two["bits"] == pytest.approx(1, abs=0.1)  # one of its two tokens tells two bits
    assert two["bits_null_95"] < two["bits"]


def test_one_label_leaks_nothing():
    found = leakage.metrics(draws(50, 3), np.zeros(50, dtype=int), 19, HOW)
    assert (found["leakage_ic"], found["leakage_ic_p"]) == (pytest.approx(0), 1)
    assert found["leakage_ic_share"] is None


def test_few_operators_are_null():
    assert set(leakage.metrics(draws(5, 4), draws(5), 19, HOW).values()) == {None}
    rows = leakage.by_category(draws(5, 4), draws(5), [("a", slice(0, 4))], 19, HOW)
    assert rows[0].pop("category") == "a"
    assert set(rows[0].values()) == {""}


def split(count):
    return np.arange(count // 2), np.arange(count // 2, count)


def test_tokens_that_tell_little_each_may_tell_much_together():
    labels = draws(600)
    votes = np.where(draws(600, 12, high=2, seed=1) == 0, labels[:, None], draws(600, 12, seed=2))
    found = leakage.together(votes, labels, split(600), HOW)
    one = leakage.together(votes[:, :1], labels, split(600), HOW)
    assert one["leakage_ic_joint"] == pytest.approx(0.45, abs=0.15)
    assert 3 * one["leakage_ic_joint"] < found["leakage_ic_joint"] < 2
    assert (
        found["leakage_ic_joint_low"] < found["leakage_ic_joint"] < found["leakage_ic_joint_high"]
    )


def test_a_token_said_twice_tells_no_more():
    labels = draws(600)
    vote = np.where(draws(600, 1, high=2, seed=1) == 0, labels[:, None], draws(600, 1, seed=2))
    one, many = (
        leakage.together(np.tile(vote, (1, n)), labels, split(600), HOW)["leakage_ic_joint"]
        for n in (1, 10)
    )
    assert one > 0.2
    assert many == pytest.approx(one, abs=0.05)


def test_together_tokens_of_chance_tell_nothing_and_copies_all():
    labels = draws(600)
    none = leakage.together(draws(600, 6, seed=4), labels, split(600), HOW)["leakage_ic_joint"]
    assert -0.1 < none < 0.05
    everything = leakage.together(labels[:, None], labels, split(600), HOW)["leakage_ic_joint"]
    assert everything == pytest.approx(information.entropy(labels[300:]), abs=0.1)


def test_together_needs_operators_and_two_labels_of_some():
    labels = draws(40)
    few = (np.arange(20), np.arange(20, 25))
    assert leakage.together(draws(40, 2), labels, few, HOW)["leakage_ic_joint"] is None
    one = leakage.together(draws(40, 2), np.zeros(40, dtype=int), split(40), HOW)
    assert one["leakage_ic_joint"] is None
    rare = np.where(np.arange(40) % 20 == 0, 1, 0)  # one operator of it to learn from
    assert leakage.together(draws(40, 2), rare, split(40), HOW)["leakage_ic_joint"] is None


def test_together_is_fitted_to_training_operators_and_beside_their_shares():
    unequal = np.where(draws(600, high=10) > 0, 0, 1)
    many = draws(600, 40, high=12, seed=5)  # enough to learn any label by heart
    none = leakage.together(many, unequal, split(600), HOW)["leakage_ic_joint"]
    assert -0.1 < none < 0.05
    copies = leakage.together(unequal[:, None], unequal, split(600), HOW)["leakage_ic_joint"]
    assert copies == pytest.approx(information.entropy(unequal[300:]), abs=0.1)


def test_together_nothing_is_fitted_to_who_is_not_trained_on():
    labels, votes = draws(600), draws(600, 6, seed=2)
    votes[:, :3] = np.where(draws(600, 3, high=2, seed=1) == 0, labels[:, None], votes[:, :3])
    parts = np.arange(300), np.arange(300, 400)
    found = leakage.together(votes, labels, parts, HOW)
    assert found["leakage_ic_joint"] > 0.3
    labels[400:] = draws(200, seed=7)
    assert leakage.together(votes, labels, parts, HOW) == found


def test_together_a_label_that_no_training_operator_has_is_left_out():
    labels = draws(600, high=3)
    known = leakage.together(labels[:, None], labels, split(600), HOW)["leakage_ic_joint"]
    strange = np.where(np.arange(600) % 50 == 49, 3, labels)
    strange[:300] = labels[:300]
    found = leakage.together(labels[:, None], strange, split(600), HOW)["leakage_ic_joint"]
    assert found == pytest.approx(known, abs=0.02)
    assert leakage.together(draws(600, 0), labels, split(600), HOW)["leakage_ic_joint"] is None
