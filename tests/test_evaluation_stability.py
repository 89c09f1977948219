"""Agreement of runs that only rename, that differ in part, and that have nothing in common."""

import numpy as np
import pytest

from spinlock.evaluation import stability

NAMES = ("a/0", "a/1", "b/0")


def draws(*shape, high=6, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def table(*runs, names=NAMES):
    return {row["category"]: row for row in stability.tokens([(run, names) for run in runs])}


def test_codes_with_other_numbers_agree_wholly():
    tokens = draws(400, 3)
    renamed = np.random.default_rng(1).permutation(6)[tokens]
    found = table(tokens, renamed, tokens)
    for name in ("a", "b", "mean of 2"):
        assert found[name]["coarse"] == found[name]["levels"] == pytest.approx(1)


def test_tokens_of_chance_agree_by_chance():
    found = table(draws(500, 3), draws(500, 3, seed=1), draws(500, 3, seed=2))
    assert found["mean of 2"]["levels"] == pytest.approx(0, abs=0.02)


def test_the_category_and_the_level_that_move_are_seen():
    one, two = draws(500, 3), draws(500, 3, seed=1)
    two[:, 0] = one[:, 0]
    found = table(one, two)
    assert found["a"]["coarse"] == pytest.approx(1)
    assert found["a"]["levels"] == pytest.approx(0.5, abs=0.03)
    assert found["b"]["levels"] == pytest.approx(0, abs=0.03)


def test_levels_and_categories_that_only_one_run_has_do_not_count():
    tokens = draws(300, 3)
    other = (tokens[:, [0, 2, 2]], ("a/0", "b/0", "c/0"))
    rows = stability.tokens([(tokens, NAMES), other])
    assert [row["category"] for row in rows] == ["a", "b", "mean of 2"]
    assert rows[0]["levels"] == pytest.approx(1)


def test_runs_of_other_operators_are_refused():
    with pytest.raises(ValueError, match=r"\[9, 10\]"):
        stability.tokens([(draws(9, 3), NAMES), (draws(10, 3), NAMES)])
    with pytest.raises(ValueError, match="at least two"):
        stability.tokens([(draws(9, 3), NAMES)])


def test_categories_are_compared_by_their_columns():
    one = {"x": ["c1", "c2"], "y": ["c3", "c4"], "z": ["c5", "c6"]}
    renamed = {"p": ["c3", "c4"], "q": ["c5", "c6", "c9"], "r": ["c1", "c2"]}
    mixed = {"x": ["c1", "c3"], "y": ["c2", "c5"], "z": ["c4", "c6"]}
    assert stability.categories([one, renamed]) == 1
    assert stability.categories([one, mixed]) < 0
    mean = stability.categories([one, renamed, mixed])
    assert mean == pytest.approx((1 + 2 * stability.categories([one, mixed])) / 3)


def test_the_spread_is_that_of_the_runs():
    runs = [{"a": 1.0, "b": None, "c": 2}, {"a": 3.0, "b": 1.0, "c": 2}, {"a": 5.0, "c": 2}]
    assert stability.spread(runs) == [
        {"metric": "a", "mean": 3.0, "spread": 2.0, "least": 1.0, "most": 5.0},
        {"metric": "c", "mean": 2.0, "spread": 0.0, "least": 2.0, "most": 2.0},
    ]
    assert stability.spread(runs[:1])[0]["spread"] == ""
