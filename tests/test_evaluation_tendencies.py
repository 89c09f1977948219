"""What operators have in common: rank sums against scipy, and what is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from operator_cases import table, theta
from spinlock import randomness
from spinlock.evaluation import tendencies
from spinlock.evaluation.tendencies import Attribute


def rng(seed=0):
    return randomness.stream(seed, "test")


@given(seed=st.integers(0, 99), ties=st.booleans())
def test_the_score_is_that_of_the_rank_sum_test(seed, ties):
    values = rng(seed).integers(0, 4, 60) if ties else rng(seed).standard_normal(60)
    member = rng(seed + 1).random(60) < 0.4
    expected = stats.mannwhitneyu(
        values[member], values[~member], method="asymptotic", use_continuity=False
    )
    score = tendencies.rank_score(values.astype(float), member)
    assert 2 * stats.norm.sf(abs(score)) == pytest.approx(expected.pvalue)


@given(seed=st.integers(0, 99))
def test_the_others_have_the_opposite_score_and_scale_does_not_matter(seed):
    values, member = rng(seed).standard_normal(30), rng(seed + 1).random(30) < 0.5
    score = tendencies.rank_score(values, member)
    assert tendencies.rank_score(-values, member) == pytest.approx(-score)
    assert tendencies.rank_score(np.exp(values), member) == pytest.approx(score)


def test_nobody_everybody_and_equal_values_have_no_score():
    values = np.arange(9.0)
    assert tendencies.rank_score(values, np.zeros(9, dtype=bool)) == 0
    assert tendencies.rank_score(values, np.ones(9, dtype=bool)) == 0
    assert tendencies.rank_score(np.ones(9), np.arange(9) < 4) == 0


@given(seed=st.integers(0, 99))
def test_the_chance_of_a_share_is_that_of_fishers_exact_test(seed):
    values, member = rng(seed).random(40) < 0.2, rng(seed + 1).random(40) < 0.3
    counts = [[int((values == v)[member == m].sum()) for v in (True, False)] for m in (True, False)]
    chance = tendencies.chance_of_share(values.astype(float), member)
    assert chance == pytest.approx(stats.fisher_exact(counts, alternative="greater").pvalue)


def attribute(values, name="noise_scale", share=False, used=None):
    used = np.ones(len(values), dtype=bool) if used is None else used
    return Attribute(name=name, share=share, values=np.asarray(values, dtype=float), used=used)


def test_a_clear_difference_is_named_with_its_direction():
    member = np.arange(100) < 30
    (low,) = tendencies.tendencies([attribute(np.arange(100))], member)
    (high,) = tendencies.tendencies([attribute(-np.arange(100))], member)
    assert str(low) == "noise_scale low: 14 (all 50)"
    assert str(high) == "noise_scale high: -14 (all -50)"


def test_chance_is_not_named():
    values, member = rng().standard_normal((200, 100)), np.arange(100) < 30
    assert tendencies.tendencies([attribute(row) for row in values], member) == ()


def test_a_share_is_named_where_it_is_larger():
    member = np.arange(100) < 30
    assert tendencies.tendencies([attribute(~member, share=True)], member) == ()
    (found,) = tendencies.tendencies([attribute(member, "u0=grf_1", share=True)], member)
    assert str(found) == "u0=grf_1 100% (all 30%)"


def test_operators_that_do_not_use_a_parameter_do_not_count():
    member, used = np.arange(100) < 30, np.arange(100) % 2 == 0
    values = np.where(used, np.arange(100), -1e9)
    (found,) = tendencies.tendencies([attribute(values, used=used)], member)
    assert found.own == 14
    assert found.all == 49


def test_the_clearest_are_named_first_and_few():
    member = np.arange(100) < 30
    noisy = [attribute(np.arange(100) + 20 * k * rng(k).random(100), f"p{k}") for k in range(6)]
    found = tendencies.tendencies(noisy[::-1], member)
    scores = [abs(one.score) for one in found]
    assert len(found) == tendencies.SHOWN
    assert found[0].name == "p0"
    assert scores == sorted(scores, reverse=True)


def test_every_varying_parameter_and_initial_condition_is_an_attribute():
    operators = table(
        theta(num_layers=2, kernel_size=3),
        theta(num_layers=4, kernel_size=5),
        ic_types=("grf_1", "localized"),
    )
    found = {one.name: one for one in tendencies.attributes(operators)}
    assert found["num_layers"].values.tolist() == [2, 4]
    assert found["kernel_size=5"].share
    assert found["u0=localized"].values.tolist() == [0, 1]
    assert not any(name.endswith(".active") for name in found)


def test_a_rare_kind_in_a_token_of_one_operator_is_no_tendency():
    values, member = np.arange(300) < 3, np.arange(300) == 0
    assert tendencies.rank_score(values.astype(float), member) > tendencies.CLEAR
    assert tendencies.tendencies([attribute(values, "u0=grf_1", share=True)], member) == ()


def test_a_share_that_chance_hardly_has_is_named_and_its_complement_is_not():
    values, member = np.arange(300) < 40, np.arange(300) < 30
    (found,) = tendencies.tendencies([attribute(values, "u0=grf_1", share=True)], member)
    assert str(found) == "u0=grf_1 100% (all 13%)"
    assert found.score > tendencies.CLEAR
    assert tendencies.tendencies([attribute(~values, "u0=grf_2", share=True)], member) == ()
