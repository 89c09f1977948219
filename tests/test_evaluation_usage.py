"""Use of codebooks where all codes, one code, or half of them are in use."""

import numpy as np
import pytest
import torch

from spinlock.evaluation import usage
from spinlock.evaluation.intervals import Bootstrap
from spinlock.tokenizer import scores

HOW = Bootstrap(seed=1, num_resamples=300, min_operators=8)
SIZES = ((8, 4), (6,))


def tokens(count=500, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=count) for size in (8, 4, 6)], axis=1)


def test_fair_dice_use_everything():
    found = usage.metrics(tokens(), SIZES, HOW)
    assert found["utilization"] == 1
    assert found["perplexity"] == pytest.approx(6, abs=0.1)
    assert found["perplexity_normalized"] == pytest.approx(1, abs=0.02)
    assert found["entropy"] == pytest.approx(3 + 2 + np.log2(6), abs=0.05)


def test_one_token_for_all_carries_nothing():
    found = usage.metrics(np.zeros((50, 3), dtype=int), SIZES, HOW)
    assert found["utilization"] == pytest.approx(3 / 18)
    assert found["perplexity"] == 1
    assert found["entropy"] == 0
    assert found["entropy_low"] == found["entropy_high"] == 0


def test_the_scores_are_those_of_training_inside_their_intervals():
    some = tokens(40, seed=3)
    found = usage.metrics(some, SIZES, HOW)
    used = scores.counts(torch.from_numpy(some), SIZES)
    assert found["utilization"] == pytest.approx(scores.utilization(used))
    assert found["perplexity"] == pytest.approx(scores.perplexity(used, normalized=False))
    assert found["perplexity_normalized"] == pytest.approx(scores.perplexity(used, normalized=True))
    for name in ("utilization", "perplexity", "entropy"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_the_interval_covers_what_other_operators_use():
    inside = 0
    for seed in range(60):
        found = usage.metrics(tokens(60, seed=seed), SIZES, HOW)
        inside += found["entropy_low"] <= 5 + np.log2(6) <= found["entropy_high"]
    assert inside >= 48


def test_each_token_has_its_row_and_the_dead_codes_are_those_of_training():
    fitted, other = tokens(300), tokens(9, seed=5)
    fitted[:, 0] %= 5
    other[:, 2] = 4
    rows = usage.by_token(other, fitted, ("a/0", "a/1", "b/0"), SIZES)
    assert [(row["category"], row["level"], row["codes"]) for row in rows] == [
        ("a", 0, 8),
        ("a", 1, 4),
        ("b", 0, 6),
    ]
    assert [row["dead"] for row in rows] == [3, 0, 0]
    assert rows[2]["commonest"] == rows[2]["perplexity"] == 1
    assert rows[2]["used_test"] == 1
    assert usage.by_token(other[:0], fitted, ("a/0", "a/1", "b/0"), SIZES)[0]["entropy"] == ""


def test_an_interval_ends_where_the_score_does():
    found = usage.metrics(tokens(51), SIZES, HOW)
    assert found["utilization_high"] <= 1
    assert found["perplexity_normalized_high"] <= 1
    assert found["perplexity_high"] <= 6
