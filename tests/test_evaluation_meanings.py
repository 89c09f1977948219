"""What tokens mean: defining columns, distances, and levels as additions, against known cases."""

import numpy as np

from spinlock import randomness
from spinlock.evaluation import meanings
from spinlock.evaluation.codes import Target


def noise(*shape, seed=0):
    return randomness.stream(seed, "test").standard_normal(shape)


def target(values, exists=None, column=None, category=None):
    count = values.shape[1]
    column = np.arange(count) if column is None else np.array(column)
    weight = 1 / np.bincount(column)[column]
    return Target(
        values=values,
        exists=np.ones(values.shape, dtype=bool) if exists is None else exists,
        weight=weight,
        category=np.zeros(count, dtype=int) if category is None else np.array(category),
        column=column,
    )


def test_a_column_is_the_mean_of_its_cells_that_exist():
    values = np.array([[1.0, 3.0, 5.0], [2.0, 9.0, 7.0]])
    exists = np.array([[True, True, True], [True, False, False]])
    found = meanings.by_column(target(values, exists, column=[0, 0, 1]))
    np.testing.assert_array_equal(found, [[2, 5], [2, np.nan]])


def test_mean_and_deviation_pass_over_what_is_missing():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(meanings.mean(values), [2, np.nan])
    np.testing.assert_array_equal(meanings.deviation(values), [1, np.nan])
    whole = noise(20, 3)
    np.testing.assert_allclose(meanings.deviation(whole), whole.std(0))


def test_a_missing_value_stands_at_its_columns_mean():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(meanings.filled(values), [[1, 0], [3, 0], [2, 0]])


def test_distance_is_from_the_mean_of_the_members_in_columns_that_exist():
    values = np.array([[0.0, 0.0, 0.0], [2.0, 4.0, 4.0], [9.0, 9.0, 9.0]])
    found = meanings.distances(target(values, column=[0, 1, 1]), np.array([0, 1]))
    np.testing.assert_allclose(found, np.sqrt([(1 + 4) / 2, (1 + 4) / 2]))
    exists = np.array([[True, True, True], [True, False, False], [True] * 3])
    found = meanings.distances(target(values, exists, column=[0, 1, 1]), np.array([0, 1]))
    np.testing.assert_allclose(found, [np.sqrt((1 + 0) / 2), 1])


def test_the_one_who_has_a_token_alone_is_at_its_center():
    assert meanings.distances(target(noise(5, 3)), np.array([2])).tolist() == [0]


def two_levels(seed=0, count=400):
    """Values that are a sum of what two independent tokens say, and the tables of the sums."""
    rng = randomness.stream(seed, "tokens")
    tokens = rng.integers(0, (4, 3), (count, 2))
    tables = noise(4, 5, seed=7), 0.3 * noise(3, 5, seed=8)
    return tables[0][tokens[:, 0]] + tables[1][tokens[:, 1]], tokens, tables


def test_levels_that_add_up_are_read_back_and_tell_all():
    values, tokens, (coarse, fine) = two_levels()
    rows = np.arange(400)
    first, second = meanings.levels(target(values), tokens, (4, 5), rows, rows)
    assert (first.size, second.size) == (4, 5)
    assert second.codes.tolist() == [0, 1, 2]
    assert second.counts.sum() == 400
    assert 0.8 < first.told < second.told
    assert second.told > 0.99
    gaps = first.effect - first.effect[0], coarse - coarse[0]
    np.testing.assert_allclose(gaps[0], gaps[1], atol=0.15)
    np.testing.assert_allclose(second.effect - second.effect[0], fine - fine[0], atol=0.15)


def test_what_is_told_is_counted_on_operators_the_means_are_not_of():
    values, tokens, _ = two_levels()
    values = noise(*values.shape, seed=3)  # tokens that say nothing
    train, test = np.arange(40), np.arange(40, 400)
    (first, second) = meanings.levels(target(values), tokens, (4, 3), train, test)
    assert first.told < 0
    assert second.told < first.told


def test_a_code_that_no_training_operator_has_adds_nothing():
    values = np.array([[1.0], [3.0], [5.0]])
    (level,) = meanings.levels(
        target(values), np.array([[0], [0], [1]]), (2,), np.array([0, 1]), np.array([2])
    )
    assert level.codes.tolist() == [0]
    assert level.told == 0


def test_an_operator_without_tokens_changes_nothing():
    values, tokens, _ = two_levels()
    rows = np.arange(300)
    before = meanings.levels(target(values), tokens, (4, 3), rows, rows)
    tokens[350] = -1
    after = meanings.levels(target(values), tokens, (4, 3), rows, rows)
    assert [level.told for level in before] == [level.told for level in after]


def test_without_test_operators_nothing_is_told():
    values, tokens, _ = two_levels()
    none = np.array([], dtype=int)
    found = meanings.levels(target(values), tokens, (4, 3), np.arange(400), none)
    assert all(np.isnan(level.told) for level in found)


def test_missing_cells_do_not_count():
    values, tokens, _ = two_levels()
    exists = noise(*values.shape, seed=5) < 1
    spoiled = np.where(exists, values, 0.0)
    other = np.where(exists, values, 1e6)
    rows = np.arange(400)
    found = [
        meanings.levels(target(v, exists), tokens, (4, 3), rows, rows) for v in (spoiled, other)
    ]
    assert found[0][1].told == found[1][1].told > 0.95


def test_cells_of_a_category_keep_their_columns():
    whole = target(noise(3, 4), column=[0, 1, 1, 2], category=[0, 1, 1, 0])
    part = meanings.of_category(whole, 1)
    np.testing.assert_array_equal(part.values, whole.values[:, 1:3])
    assert part.column.tolist() == [1, 1]
