"""Probes of tokens that name the answer, and of tokens that do not."""

import numpy as np
import pytest

import operator_cases
from spinlock.evaluation import probes
from spinlock.evaluation.intervals import Bootstrap
from spinlock.evaluation.probes import Question
from spinlock.sampling import space

HOW = Bootstrap(seed=1, num_resamples=200, min_operators=8)
N = 300
TRAIN, JUDGED = np.arange(200), np.arange(200, N)

FREE = ("update_policy", "noise_scale", "dt")
VARYING = (
    space.Choice(
        name="update_policy",
        kind="choice",
        choices=("residual", "convex"),
        weights=(0.5, 0.5),
    ),
    space.Continuous(name="noise_scale", kind="continuous", low=1e-5, high=1.0, scale="log"),
    space.Continuous(name="dt", kind="continuous", low=1e-3, high=1.0, scale="linear"),
)
DIMENSIONS = VARYING + tuple(
    d for d in operator_cases.DIMENSIONS if isinstance(d, space.Fixed) and d.name not in FREE
)


def draws(*shape, high=5, seed=0):
    return np.random.default_rng(seed).integers(high, size=shape)


def ask(answers, numeric=True, asked=None):
    every = np.ones(len(answers), dtype=bool)
    return Question(
        name="x",
        numeric=numeric,
        answers=answers.astype(float),
        asked=every if asked is None else asked,
    )


def answer(question, tokens, features=None, judged=JUDGED):
    cells = tokens.astype(float) if features is None else features
    return probes.rows(tokens, cells, [question], (TRAIN, judged), HOW)[0]


def test_a_number_that_the_tokens_add_up_to_is_read_exactly():
    tokens = draws(N, 3)
    values = np.random.default_rng(1).standard_normal((3, 5))
    number = sum(values[s, tokens[:, s]] for s in range(3))
    row = answer(ask(number), tokens)
    assert row["value"] == pytest.approx(1, abs=1e-3)
    assert row["low"] <= row["value"] <= row["high"]
    assert row["floor"] == 0
    assert row["gain_low"] > 0.9


def test_a_label_that_a_token_names_is_read_and_the_floor_is_the_commonest():
    tokens = draws(N, 4)
    row = answer(ask(np.minimum(tokens[:, 2], 2), numeric=False), tokens)
    assert row["value"] == 1
    truth = np.minimum(tokens[JUDGED, 2], 2)
    assert row["floor"] == pytest.approx((truth == 2).mean())
    assert row["gain"] == pytest.approx(row["value"] - row["floor"])


def test_tokens_of_chance_tell_nothing():
    tokens = draws(N, 8)
    number = np.random.default_rng(3).standard_normal(N)
    row = answer(ask(number), tokens, features=number[:, None])
    assert row["gain_low"] < 0.02
    assert row["value"] < 0.1
    assert row["features"] == pytest.approx(1, abs=1e-3)
    label = answer(ask(draws(N, seed=9), numeric=False), tokens)
    assert label["gain_low"] < 0.05


def test_only_operators_that_have_the_parameter_are_asked():
    tokens = draws(N, 3)
    number = tokens[:, 0].astype(float)
    asked = np.arange(N) % 2 == 0
    number[~asked] = np.nan
    row = answer(ask(number, asked=asked), tokens)
    assert row["count"] == 50
    assert row["value"] == pytest.approx(1, abs=1e-3)


def test_few_operators_and_one_answer_have_empty_cells():
    tokens = draws(N, 3)
    assert answer(ask(tokens[:, 0]), tokens, judged=JUDGED[:5])["value"] == ""
    assert answer(ask(np.ones(N)), tokens)["value"] == ""
    assert answer(ask(np.ones(N), numeric=False), tokens)["value"] == 1


def test_a_logarithmic_parameter_is_asked_as_such_and_one_out_of_use_not_at_all():
    thetas = [
        operator_cases.theta(
            update_policy=("convex", "residual")[row % 2],
            noise_scale=10.0**-row,
            dt=0.1 * (1 + row),
        )
        for row in range(4)
    ]
    operators = operator_cases.table(
        *thetas, ic_types=("grf_1", "sinusoids", "grf_2", "localized"), dimensions=DIMENSIONS
    )
    found = {question.name: question for question in probes.questions(operators)}
    assert list(found) == ["ic_family", "update_policy", "noise_scale", "dt"]
    families = found["ic_family"].answers
    assert families[0] == families[2]
    assert len(set(families.tolist())) == 3
    np.testing.assert_allclose(found["noise_scale"].answers, [0, -1, -2, -3])
    np.testing.assert_array_equal(found["dt"].asked, [False, True, False, True])
    np.testing.assert_allclose(found["dt"].answers, [0.1, 0.2, 0.3, 0.4])
    assert not found["update_policy"].numeric
