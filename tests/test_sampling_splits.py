from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampling_space import SEED, config, section
from spinlock.refusals import Refusal
from spinlock.sampling import labels, report, splits
from spinlock.sampling.build import build
from spinlock.sampling.config import Family, Split

MIX = config().ic_mix


@given(st.integers(1, 5), st.integers(1, 10), st.integers(1, 10))
def test_a_cycle_holds_each_split_as_often_as_declared_and_never_lags_a_block(log, val, test):
    cycle = 2 ** (log + 4)
    shares = {"train": cycle - val - test, "validation": val, "test": test}
    pattern = splits.cycle(Split(**shares))
    assert Counter(pattern) == shares
    for k in range(1, cycle + 1):
        for name, share in shares.items():
            assert abs(pattern[:k].count(name) - k * share / cycle) < 1.5


def test_growing_the_design_moves_no_operator():
    small, large = build(SEED, config(num_operators=300)), build(SEED, config(num_operators=1024))
    first = large.take(slice(300))
    assert first.split == small.split
    assert first.ic_types == small.ic_types
    assert first.theta == small.theta
    np.testing.assert_array_equal(first.unit, small.unit)
    np.testing.assert_array_equal(first.held_out, small.held_out)


def test_splits_are_whole_blocks_but_for_the_held_out():
    operators = build(SEED, config())
    for start in range(0, 512, 32):
        block = set(operators.split[start : start + 32]) - {"held_out"}
        assert len(block) == 1


def test_held_out_are_the_members_of_groups_and_they_are_what_the_groups_say():
    held_out = section()["held_out"] | {"update_policies": ["convex"]}
    operators = build(SEED, config(held_out=held_out))
    assert operators.held_out_groups == (
        "ic_variant:band_limited_high",
        "update_policy:convex",
        "theta_corner",
    )
    np.testing.assert_array_equal(
        operators.held_out.any(axis=1), np.array(operators.split) == "held_out"
    )
    for position in operators.rows("update_policy:convex"):
        assert operators.theta[position].update_policy == "convex"
    corner = operators.take(operators.rows("theta_corner"))
    for theta in corner.theta:
        assert theta.noise_scale > 10 ** (-5 + 5 * 0.7)
        assert theta.spatial_correlation > 0.7 * 0.3
    others = operators.take(np.flatnonzero(~operators.held_out[:, 2]))
    assert not any(t.noise_scale > 0.04 and t.spatial_correlation > 0.22 for t in others.theta)


def test_without_held_out_groups_every_operator_keeps_the_split_of_its_block():
    none = {"ic_variants": [], "update_policies": [], "theta_corner": []}
    operators = build(SEED, config(held_out=none))
    assert Counter(operators.split) == {"train": 384, "validation": 64, "test": 64}
    assert operators.held_out.shape == (512, 0)


def test_an_empty_split_is_refused_with_the_reason():
    with pytest.raises(Refusal, match="test is empty: its first block holds operators 160 to 191"):
        build(SEED, config(num_operators=160))
    held_out = section()["held_out"] | {"theta_corner": [{"name": "num_layers", "above": 0}]}
    with pytest.raises(Refusal, match="train is empty: held-out groups take all of its"):
        build(SEED, config(held_out=held_out))


def test_every_block_has_exactly_the_shares_of_the_families():
    family = labels.family_of(MIX)
    given_labels = labels.assign(SEED, MIX, 32, 512)
    for start in range(0, 512, 32):
        counts = Counter(family[label] for label in given_labels[start : start + 32])
        assert set(counts.values()) == {8}
        variants = Counter(given_labels[start : start + 32])
        assert all(variants[f"grf_{v}"] in (1, 2) for v in ("0.25", "0.5", "1", "2", "4"))


@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=7),
    block=st.sampled_from([1, 2, 8, 32]),
    blocks=st.integers(1, 9),
)
def test_shares_are_exact_to_within_one_operator_in_each_block_and_in_all(sizes, block, blocks):
    mix = tuple(
        Family(family=f"f{i}", variants=tuple(f"f{i}_{j}" for j in range(size)))
        for i, size in enumerate(sizes)
    )
    given_labels = labels.assign(1, mix, block, block * blocks)
    whole = [given_labels[start : start + block] for start in range(0, block * blocks, block)]
    for part in (*whole, given_labels):
        counts = Counter(part)
        own = [sum(counts[v] for v in family.variants) for family in mix]
        assert max(own) - min(own) <= 1
        for family in mix:
            variants = [counts[variant] for variant in family.variants]
            assert max(variants) - min(variants) <= 1


@given(st.integers(1, 200), st.integers(0, 200))
def test_labels_do_not_move_when_the_design_grows(count, more):
    assert labels.assign(1, MIX, 32, count + more)[:count] == labels.assign(1, MIX, 32, count)


def test_labels_are_independent_of_theta_and_a_function_of_the_index_is_not():
    sizes = config(num_operators=2048)
    operators = build(SEED, sizes)
    scores = report.label_metrics(operators, sizes)
    assert scores["sample/ic_theta_association"] < 0.08
    assert scores["sample/ic_theta_p_value"] > 0.01
    association, p_value = max(
        report.association(np.arange(2048) % 4, column) for column in operators.unit.T
    )
    assert association > 0.5
    assert p_value < 1e-9


def test_p_values_of_independence_are_not_too_small_over_seeds():
    few = [report.label_metrics(build(seed, config()), config()) for seed in range(20)]
    assert sum(scores["sample/ic_theta_p_value"] < 0.05 for scores in few) <= 4
