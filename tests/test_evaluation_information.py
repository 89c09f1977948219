"""Entropy, agreement and similarity of tokens on cases worked out by hand."""

import numpy as np
import pytest
from scipy.stats import rankdata

from spinlock.evaluation import information, topography
from spinlock.evaluation.intervals import Bootstrap, resamples

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)


def draws(*shape, high=4, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def test_entropy_of_a_fair_die_is_the_logarithm_of_its_faces():
    assert information.entropy(np.zeros(10, dtype=int)) == 0
    assert information.entropy(draws(100_000, high=8)) == pytest.approx(3, abs=1e-3)


def test_miller_madow_corrects_the_bias_of_few_draws():
    corrected = np.mean([information.entropy(draws(40, high=8, seed=s)) for s in range(200)])
    assert corrected == pytest.approx(3, abs=0.03)  # the plug-in estimate is 0.13 bits lower


def test_information_of_a_copy_is_its_entropy_and_of_a_stranger_its_null():
    a, b = draws(2000, high=4), draws(2000, high=4, seed=1)
    order = information.shuffles(1, "test", 2000, 20)
    assert information.mutual_information(a, 3 - a) == pytest.approx(2, abs=0.01)
    assert information.mutual_information(a, b) == pytest.approx(
        information.null_information(a, b, order), abs=0.005
    )


def test_joint_entropy_counts_a_copied_token_once_and_strangers_apart():
    order = information.shuffles(1, "test", 4000, 5)
    a, b = draws(4000, high=4), draws(4000, high=8, seed=1)

    def together(*tokens):
        stack = np.stack(tokens, axis=1)
        return information.joint_entropy(stack, information.shared(stack, order))

    assert together(a, a, b, (a + 1) % 4) == pytest.approx(5, abs=0.05)
    assert together(a, b) == pytest.approx(5, abs=0.05)


def test_agreement_with_oneself_with_others_and_by_chance():
    tokens = draws(300, 5)
    assert (information.agreement(tokens, tokens) == 1).all()
    assert information.chance_agreement(tokens, tokens) == pytest.approx(0.25, abs=0.01)
    hand = np.array([[0, 0], [0, 1], [1, 1]])
    assert information.chance_agreement(hand, hand) == pytest.approx((2 + 2) / 12)


def test_kappa_is_one_for_equals_zero_by_chance_and_undefined_without_variation():
    a, b = draws(3000, 4), draws(3000, 4, seed=1)
    assert information.kappa(a, a) == pytest.approx(1)
    assert information.kappa(a, b) == pytest.approx(0, abs=0.02)
    assert information.kappa(a, (a + 1) % 4) < -0.3
    assert np.isnan(information.kappa(np.zeros((5, 2), int), np.zeros((5, 2), int)))


def test_kappa_of_a_hand_made_table():
    # 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = 0.5 (textbook example)
    a = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])[:, None]
    b = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])[:, None]
    assert information.kappa(a, b) == pytest.approx(0.4)


def test_similarity_does_not_see_scale_and_sees_shuffling():
    points = np.random.default_rng(3).standard_normal((40, 3))
    distance = topography.euclidean(points)
    same = topography.similarity(distance, np.exp(distance), HOW)
    assert same.value == pytest.approx(1)
    assert same.low == pytest.approx(1)
    shuffled = topography.euclidean(points[np.random.default_rng(4).permutation(40)])
    found = topography.similarity(distance, shuffled, HOW)
    assert abs(found.value) < 0.2
    assert found.low < 0 < found.high


def test_distances_and_spearman_agree_with_their_definitions():
    points = np.random.default_rng(5).standard_normal((6, 3))
    oracle = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.testing.assert_allclose(topography.euclidean(points), oracle, atol=1e-6)
    assert topography.hamming(np.array([[0, 1], [0, 2], [3, 4]])).tolist() == [
        [0, 0.5, 1],
        [0.5, 0, 1],
        [1, 1, 0],
    ]
    assert topography.spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 9, 16])) == 1
    assert topography.spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == -1
    assert np.isnan(topography.spearman(np.ones(3), np.arange(3.0)))


def test_neighbours_are_counted_by_hand_and_equally_near_ones_share_the_places_left(monkeypatch):
    monkeypatch.setattr(topography, "NEAREST", 2)
    places = np.array([0.0, 1, 3, 7, 15])
    line = np.abs(places[:, None] - places)
    levels = np.ones((5, 5)) - np.eye(5)  # everybody equally far: 2 of 4 by chance
    assert topography.neighbours(line, line, HOW).value == 1
    assert topography.neighbours(line, levels, HOW).value == pytest.approx(0.5)
    other = line.copy()
    other[0, 1:] = 1, 2, 0, 3  # nearest of the first: 3 and 1 instead of 1 and 2
    assert topography.neighbours(line, other, HOW).value == pytest.approx((0.5 + 4) / 5)


def test_resamples_of_neighbours_draw_operators():
    rng = np.random.default_rng(0)
    one, two = (topography.euclidean(rng.standard_normal((40, 3))) for _ in range(2))
    found = topography.neighbours(one, two, HOW)
    assert abs(found.value - 5 / 39) < 0.06
    assert 0.5 < found.drawn.std() / (np.ptp(found.drawn) / 5) < 2
    near = [np.argsort(space + 1e9 * np.eye(40), axis=1)[:, :5] for space in (one, two)]
    share = np.array([len(set(a) & set(b)) / 5 for a, b in zip(*near, strict=True)])
    first = next(iter(resamples(HOW.seed, 40, HOW.num_resamples)))
    assert found.drawn[0] == pytest.approx(share[first].mean())
    again = topography.neighbours(one, two, HOW)
    np.testing.assert_array_equal(found.drawn, again.drawn)


def test_telling_the_unusual_from_the_typical_is_worth_nothing_at_equal_sizes():
    rng = np.random.default_rng(1)
    points = rng.standard_normal((60, 4)) * rng.exponential(size=(60, 1))
    far, sizes = topography.euclidean(points), np.linalg.norm(points, axis=1)
    noise = 0.1 * topography.euclidean(rng.standard_normal((60, 3)))
    spaces = {"far": far, "alone": np.hypot(sizes[:, None], sizes) + noise, "same": np.exp(far)}
    held = topography.sizes_apart(sizes)
    wanted = {name: ("far", name) for name in ("alone", "same")}
    plain = topography.similarities(spaces, wanted, HOW)
    beyond = {name: (*couple, *held) for name, couple in wanted.items()}
    left = topography.similarities(spaces | held, beyond, HOW)
    assert plain["alone"].value > 0.8
    assert abs(left["alone"].value) < 0.1
    assert left["same"].value == pytest.approx(1)
    np.testing.assert_allclose(left["same"].drawn, 1)


def test_tokens_of_sizes_alone_keep_distances_of_points_of_unequal_sizes():
    rng = np.random.default_rng(4)
    points = rng.standard_normal((300, 20)) * rng.exponential(size=(300, 1))
    sizes = np.linalg.norm(points, axis=1)
    tokens = topography.by_size(sizes[200:], sizes[:200], [24] * 36)
    assert tokens.min() == 0
    assert tokens.max() == 23
    far = topography.euclidean(points[200:])
    assert topography.similarity(far, topography.hamming(tokens), HOW).value > 0.8
    assert topography.neighbours(far, topography.hamming(tokens), HOW).value < 0.5
    assert (np.diff(tokens[np.argsort(sizes[200:])], axis=0) >= 0).all()


def test_tokens_of_sizes_by_hand():
    train, sizes = np.arange(8.0), np.array([-1.0, 2.0, 5.0, 100.0])
    tokens = topography.by_size(sizes, train, [5, 3, 1, 2])  # of all 4, of the largest 6, 4 and 2
    assert tokens.tolist() == [[1, 0, 0, 0], [2, 1, 0, 0], [3, 2, 0, 0], [4, 2, 0, 1]]


def test_what_a_held_space_nearly_determines_is_still_compared():
    rng = np.random.default_rng(5)
    spaces = {name: topography.euclidean(rng.standard_normal((12, 2))) for name in "ab"}
    spaces["twin"] = spaces["a"] + 0.02 * spaces["b"]
    found = topography.similarities(spaces, {"bt": ("b", "twin", "a")}, HOW)["bt"]
    assert 0 < found.value < 1


def test_partial_correlations_are_those_of_residuals():
    rng = np.random.default_rng(2)
    spaces = {name: topography.euclidean(rng.standard_normal((12, 2))) for name in "abcd"}
    spaces["a"] = spaces["a"] + spaces["c"]
    spaces["b"] = spaces["b"] - spaces["c"] + spaces["d"]
    found = topography.similarities(spaces, {"ab": ("a", "b", "c", "d")}, HOW)["ab"]
    pairs = np.triu_indices(12, 1)
    a, b, c, d = (rankdata(spaces[name][pairs]) for name in "abcd")
    given = np.stack([np.ones(66), c, d], 1)
    a, b = (v - given @ np.linalg.lstsq(given, v, rcond=None)[0] for v in (a, b))
    assert found.value == pytest.approx(np.corrcoef(a, b)[0, 1])
    spaces["twin"] = np.exp(spaces["a"])
    same = topography.similarities(spaces, {"bt": ("b", "twin", "a")}, HOW)["bt"]
    assert np.isnan([same.value, *same.drawn]).all()


def test_too_few_operators_have_no_similarity():
    distance = topography.euclidean(np.eye(5))
    assert topography.similarity(distance, distance, HOW).value is None
