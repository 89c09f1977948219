"""Streams are functions of their names alone, and strangers to each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spinlock.randomness import SHARED, Streams, integer_seed, stream

words = st.sampled_from(["noise/0", "noise/1", "dropout/0/0", "initial_condition/0"])
places = st.tuples(words, st.integers(0, 10**6), st.integers(0, 99), st.integers(0, 10**4))


@given(seed=st.integers(0, 2**63), place=places)
def test_the_same_name_gives_the_same_numbers(seed, place):
    purpose, operator, realization, step = place
    draw = lambda: stream(seed, purpose, operator, realization, step).standard_normal(8)  # noqa: E731
    assert np.array_equal(draw(), draw())


@given(place=places, visited=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4))
def test_going_through_streams_gives_the_numbers_of_each(place, visited):
    purpose, operator, *last = place
    streams = Streams(3, purpose, operator)
    for realization, step in (*visited, last):
        found = streams.at(realization, step)
        expected = stream(3, purpose, operator, realization, step)
        # an odd count of 32-bit numbers leaves half a word behind
        assert np.array_equal(
            *(rng.standard_normal(7, dtype=np.float32) for rng in (found, expected))
        )
        assert np.array_equal(*(rng.random(5) for rng in (found, expected)))


@given(one=places, two=places)
def test_different_names_give_different_numbers(one, two):
    if one != two:
        assert not np.array_equal(
            stream(1, *one).standard_normal(8), stream(1, *two).standard_normal(8)
        )


def test_neighboring_streams_are_uncorrelated_normals():
    draws = np.stack([stream(0, "noise/0", 5, r, t).standard_normal(2000)
                      for r in range(3) for t in range(5)])  # fmt: skip
    correlation = np.corrcoef(draws) - np.eye(15)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(2000)
    assert abs(draws.mean()) < 4 / np.sqrt(draws.size)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / draws.size)


def test_a_library_seed_depends_on_seed_and_purpose():
    seeds = {integer_seed(s, p) for s in (0, 1) for p in ("a", "b")}
    assert len(seeds) == 4
    assert integer_seed(0, "a") == integer_seed(0, "a", SHARED)
    assert all(0 <= seed < 2**32 for seed in seeds)
