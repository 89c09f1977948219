"""Tokens in code space: the truth, a permuted truth, and one code for all."""

import numpy as np
import pytest

import evaluation_case as case
from spinlock.evaluation import codespace, symbols
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return case.sources(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def isolated(sources):
    categories = sources.tokenizer.layout.categories
    levels = [len(sizes) for sizes in sources.tokenizer.sizes]
    return np.repeat([category.isolated for category in categories], levels)


@pytest.fixture(scope="module")
def truth(sources):
    return symbols.truth(sources.tokenizer, sources.cleaned)[0]


@pytest.fixture(scope="module")
def space(sources, truth, isolated):
    train = truth[sources.cleaned.rows("train")]
    return codespace.fit(sources.tokenizer, train, isolated, Fit(1, "test", 1))


def test_the_truth_meets_every_criterion(space, truth):
    found = codespace.metrics(space, {"": truth}, truth, HOW)
    assert found["code_error"] == found["code_error_relative"] == 0
    assert found["entropy_ratio"] == found["entropy_ratio_two_sided"] == 1
    assert found["token_divergence"] == 0
    assert found["cluster_agreement"] == 1
    assert found["cluster_ari"] == 1
    assert 0 < found["token_utilization"] <= 1


def test_other_operators_codes_have_twice_the_variance_as_error_and_the_same_entropy(space, truth):
    others = np.random.default_rng(0).permutation(truth)
    found = codespace.metrics(space, {"": others}, truth, HOW)
    assert abs(found["code_error_relative"] - 2) < 0.5
    assert found["entropy_ratio"] == pytest.approx(1)
    assert found["token_divergence"] == pytest.approx(0)
    assert abs(found["cluster_ari"]) < 0.2
    assert found["cluster_agreement"] < 0.6


def test_one_code_for_all_has_no_entropy_and_noise_has_too_much(space, truth):
    collapsed = np.broadcast_to(truth[:1], truth.shape).copy()
    found = codespace.metrics(space, {"": collapsed}, truth, HOW)
    assert found["entropy_ratio_two_sided"] < 0.1
    assert (
        found["token_utilization"]
        < 0.5 * codespace.metrics(space, {"": truth}, truth, HOW)["token_utilization"]
    )
    noise = np.random.default_rng(0).integers(space.sizes, size=truth.shape)
    found = codespace.metrics(space, {"": noise}, truth, HOW)
    assert found["entropy_ratio"] > 1
    assert found["entropy_ratio_two_sided"] == pytest.approx(1 / found["entropy_ratio"])


def test_a_small_group_is_null(space, truth):
    found = codespace.metrics(space, {"": truth[:7]}, truth[:7], HOW)
    assert set(found) == set(codespace.NAMES)
    assert all(value is None for value in found.values())


def test_initial_categories_do_not_count(space, truth, isolated):
    changed = truth.copy()
    changed[:, isolated] = (changed[:, isolated] + 1) % space.sizes[isolated]
    found = codespace.metrics(space, {"": changed}, truth, HOW)
    assert isolated.any()
    assert found["code_error"] == 0
    assert found["entropy_ratio"] == 1


def test_disjoint_distributions_are_one_bit_apart():
    assert codespace.divergence(np.zeros((9, 2), int), np.ones((9, 2), int)) == pytest.approx(1)


def test_two_sided_is_symmetric():
    assert codespace.two_sided(0.5) == codespace.two_sided(2.0) == 0.5
    assert codespace.two_sided(0.0) == 0.0


def test_the_code_error_does_not_depend_on_the_width_of_the_latents(space, truth):
    """It is a distance in a category; the raw latents of one have a variance of about 1."""
    others = np.random.default_rng(0).permutation(truth)
    a, b = space.codes(others), space.codes(truth)
    wider = [np.concatenate([x, np.zeros_like(x)], 1) for x in (a, b)]
    np.testing.assert_allclose(space.distance(*wider), space.distance(a, b))
    found = codespace.metrics(space, {"": others}, truth, HOW)
    assert found["code_error"] == pytest.approx(space.distance(a, b).mean())
    assert found["code_error"] > 0.15


def test_the_commonest_tokens_are_those_of_the_training_operators_of_the_policy():
    tokens = np.array([[1, 5], [1, 4], [2, 4], [3, 0], [3, 1], [7, 7], [7, 7], [7, 7]])
    policies = np.array([0, 0, 0, 1, 1, 0, 1, 2])
    train = np.arange(5)  # what the others have is not looked at; of policy 2 there is none
    found = symbols.commonest(tokens, policies, train, np.array([5, 6, 7, 0]))
    assert found.tolist() == [[1, 4], [3, 0], [1, 4], [1, 4]]
    assert symbols.commonest(tokens, policies, train, np.arange(0)).shape == (0, 2)


def test_who_knows_the_policy_alone_is_a_floor_of_the_tokens(sources, isolated, truth, space):
    policies = np.array([theta.update_policy == "convex" for theta in sources.operators.theta])
    rows, train = np.arange(len(truth)), sources.cleaned.rows("train")
    told = symbols.commonest(truth, policies.astype(int), train, rows)
    compared = {"agent": truth, "persistence": truth, "policy": told}
    found = symbols.metrics(compared, [truth], isolated, HOW)
    assert found["token_kappa_policy"] < found["token_kappa"] == pytest.approx(1)
    found = codespace.metrics(space, symbols.beside(compared, [truth]), truth, HOW)
    assert found["code_error"] == 0 < found["code_error_policy"]
    assert found["entropy_ratio_policy"] < 1
