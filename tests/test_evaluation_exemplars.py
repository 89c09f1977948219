"""The vocabulary for people: who has a token, who stands for it, and what is at hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import evaluation_case as case
from spinlock.evaluation import exemplars, meanings, vocabulary
from spinlock.evaluation.vocabulary import Spaces, Vocabulary
from spinlock.features import names
from spinlock.rollout.engine import Rollout
from spinlock.tokenizer import report


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return case.sources(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def described(sources):
    """The vocabulary without its rivals."""
    tokenizer = sources.tokenizer
    inputs = tokenizer.inputs(sources.cleaned.aggregated)
    tokens = report.encode(tokenizer, sources.cleaned).tokens
    nothing = np.zeros((len(tokens), 0))
    target = vocabulary.make_target(inputs, tokenizer.layout)
    return Vocabulary(
        target=target,
        fitted=target.take(sources.cleaned.rows("train")),
        layout=tokenizer.layout,
        sizes=tokenizer.sizes,
        own=Spaces(latents=nothing, quantized=nothing, tokens=tokens),
        untrained=Spaces(latents=nothing, quantized=nothing, tokens=tokens),
        values={},
        tokens={},
        bounds={},
    )


@pytest.fixture(scope="module")
def dictionary(described, sources):
    return exemplars.describe(described, sources, 1)


def first_tokens(described):
    """Tokens of the first level, by category."""
    ends = np.cumsum([0, *map(len, described.sizes)])[:-1]
    return described.own.tokens[:, ends]


def test_every_category_and_every_code_in_use_has_an_entry(dictionary, described, sources):
    train = sources.cleaned.rows("train")
    named = [category.name for category in described.layout.categories]
    assert [entry.name for entry in dictionary.entries] == named
    for entry, token in zip(dictionary.entries, first_tokens(described).T, strict=True):
        assert {code.code for code in entry.codes} == set(token[train])
        assert sum(code.count for code in entry.codes) == len(train)


def test_test_operators_are_counted_and_never_shown(dictionary, described, sources):
    train, test = sources.cleaned.rows("train"), sources.cleaned.rows("test")
    assert (dictionary.train, dictionary.test) == (len(train), len(test))
    assert set(dictionary.shown) <= set(train)
    for entry, token in zip(dictionary.entries, first_tokens(described).T, strict=True):
        for code in entry.codes:
            assert code.test == (token[test] == code.code).sum()
            assert np.isnan(code.test_mean).all() == (code.test == 0)


def test_exemplars_have_the_code_and_are_the_nearest_first(dictionary, described, sources):
    train = sources.cleaned.rows("train")
    for number, entry in enumerate(dictionary.entries):
        token = first_tokens(described)[:, number]
        target = meanings.of_category(described.target, number)
        for code in entry.codes:
            members = train[token[train] == code.code]
            expected = np.sort(meanings.distances(target, members))[:3]
            found = [one.distance for one in code.exemplars]
            np.testing.assert_allclose(found, expected)
            assert {one.row for one in code.exemplars} <= set(members)


def test_a_codes_features_are_the_means_of_who_has_it(dictionary, described, sources):
    train = sources.cleaned.rows("train")
    values = meanings.by_column(described.target)
    names_of = [name for columns in described.layout.columns.values() for name in columns]
    for number, entry in enumerate(dictionary.entries):
        places = [names_of.index(name) for name in entry.columns]
        token = first_tokens(described)[:, number]
        code = entry.codes[0]
        members = train[token[train] == code.code]
        np.testing.assert_allclose(code.mean, values[members][:, places].mean(0), atol=1e-6)
        assert [entry.columns[f.place] for f in entry.features] == [f.name for f in entry.features]
        first = [code.mean[entry.features[0].place] for code in entry.codes]
        assert first == sorted(first)


def test_frames_are_those_of_the_rollout(dictionary, sources):
    row, shown = next(iter(dictionary.shown.items()))
    rollout = sources.index.read(sources.operators, row)
    assert dictionary.steps == (0, 1, 4, 8)
    np.testing.assert_array_equal(shown.frames[0], rollout.u0[0])
    np.testing.assert_array_equal(shown.frames[1:], rollout.u[0, [0, 3, 7], 0])
    assert shown.operator == sources.operators.ids[row]
    assert shown.policy == sources.operators.theta[row].update_policy


@given(steps=st.integers(1, 300))
def test_shown_steps_begin_with_u0_and_end_with_the_last(steps):
    shown = exemplars.shown_steps(steps)
    assert (shown[0], shown[-1]) == (0, steps)
    assert list(shown) == sorted(set(shown))
    assert len(shown) <= 4


def test_what_is_stored_is_at_hand_and_few_others_are(sources, monkeypatch):
    rows = np.arange(40)
    operators = sources.operators
    everything = SimpleNamespace(steps=8, stored_steps=lambda operator: 8)
    assert exemplars.at_hand(operators, everything, rows) is rows
    some = SimpleNamespace(steps=8, stored_steps=lambda operator: 8 if operator % 4 == 1 else 4)
    monkeypatch.setattr(exemplars, "NUM_REPLAYED", 12)
    found = exemplars.at_hand(operators, some, rows)
    assert found.tolist() == sorted([*range(1, 40, 4), 0, 2])
    nothing = SimpleNamespace(steps=8, stored_steps=lambda operator: 0)
    assert exemplars.at_hand(operators, nothing, rows).tolist() == list(range(12))


def test_who_is_not_at_hand_stands_for_nothing(described, sources, monkeypatch):
    kept = sources.cleaned.rows("train")[:5]
    monkeypatch.setattr(exemplars, "at_hand", lambda *given: kept)
    found = exemplars.describe(described, sources, 1)
    assert set(found.shown) <= set(kept)
    assert found.pool == 5
    assert sum(code.count for code in found.entries[0].codes) == found.train


def rolled(u):
    return Rollout(operator=0, u0=u[0, 0], u=u, diverged_at=torch.zeros(len(u), dtype=torch.int64))


def test_spread_is_that_between_realizations_over_that_in_space():
    pattern = torch.randn(1, 1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    pattern = (pattern - pattern.mean()) / pattern.std(correction=0)
    assert exemplars.spread(rolled(pattern.expand(3, 2, 1, 16, 16))) == 0
    moved = torch.cat([pattern + 1, pattern - 1]).expand(2, 2, 1, 16, 16)
    assert exemplars.spread(rolled(moved)) == pytest.approx(np.sqrt(2))
    assert np.isnan(exemplars.spread(rolled(pattern)))
    assert np.isnan(exemplars.spread(rolled(torch.ones(3, 2, 1, 4, 4))))


def test_every_default_column_says_what_it_tells_apart():
    for family, columns in (
        ("initial", names.names("initial")),
        ("summary", names.aggregated(names.names("summary"))),
        ("temporal", names.names("temporal")),
    ):
        for name in columns:
            words = exemplars.purpose(name)
            assert words, (family, name)
            assert not words.split(": ")[-1].startswith("the same"), name
    assert exemplars.purpose("summary.temporal.bursts.std").startswith("spread over realizations: ")
    assert exemplars.purpose("summary.foreign.column.mean") == ""
    assert exemplars.purpose("temporal.foreign.column") == ""


def test_workers_change_nothing(described, sources, dictionary):
    again = exemplars.describe(described, sources, 2)
    assert all(
        np.array_equal(dictionary.shown[row].frames, again.shown[row].frames) for row in again.shown
    )
