"""The tokenizer's last step on a rival's codes: what one category tells of another is used."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import tokenizer_cases
from spinlock import randomness
from spinlock.evaluation import codes, readout
from spinlock.evaluation.codes import Fit, Target

FIT = Fit(seed=5, purpose="test", num_init=2)
CATEGORY = np.array([0, 0, 1, 1, 2, 2])
SIZES = ((4,), (8, 8), (1,))
BLOCKS = ((0,), (1, 2))


def target(values, exists=None):
    return Target(
        values=values,
        exists=np.ones(values.shape, dtype=bool) if exists is None else exists,
        weight=np.array([1.0, 1.0, 1.0, 0.5, 0.5, 1.0]),
        category=CATEGORY,
        column=np.arange(6),
    )


def rows(count, seed=0):
    """Cells of the third category repeat those of the second; the first knows nothing of them."""
    values = randomness.stream(seed, "test").standard_normal((count, 6))
    values[:, 4:] = values[:, 2:4] @ np.array([[1.0, 0.5], [-1.0, 1.0]])
    return target(values)


def beside(fitted, coded, copies=4, own=0.1, others=0.1, jitter=0.1, width=6, sizes=SIZES):
    config = replace(
        tokenizer_cases.CONFIG,
        jitter=jitter,
        group_embedding_dim=width,
        latent_dim=(min(width, 4), min(width, 3)),
        readout=replace(tokenizer_cases.CONFIG.readout, copies=copies, own=own, others=others),
    )
    tokenizer = SimpleNamespace(
        config=config, sizes=sizes, layout=SimpleNamespace(blocks=lambda: BLOCKS)
    )
    return readout.beside(codes.residual_kmeans, fitted, coded, tokenizer, FIT)


def lost(found, coded, category):
    cells = category == CATEGORY
    return np.square(found.values - coded.values)[:, cells].mean()


def test_the_code_is_the_rival_itself_and_its_tokens_stay():
    fitted, coded = rows(200), rows(50, seed=1)
    plain, corrected = beside(fitted, coded)
    alone = codes.by_category(codes.residual_kmeans, fitted, coded, SIZES, FIT)
    np.testing.assert_array_equal(plain.values, alone.values)
    np.testing.assert_array_equal(plain.tokens, alone.tokens)
    np.testing.assert_array_equal(corrected.tokens, alone.tokens)


def test_what_one_category_tells_of_another_is_used():
    fitted, coded = rows(400), rows(200, seed=1)
    plain, corrected = beside(fitted, coded)
    assert lost(plain, coded, 2) > 1  # it has no code at all
    assert lost(corrected, coded, 2) < 0.2 * lost(plain, coded, 2)
    assert lost(corrected, coded, 1) < 1.05 * lost(plain, coded, 1)


def test_a_block_reads_nothing_of_another():
    fitted, coded = rows(200), rows(50, seed=1)
    other = coded.values.copy()
    other[:, :2] = rows(50, seed=2).values[:, :2]
    one, two = (beside(fitted, each)[1].values for each in (coded, target(other)))
    np.testing.assert_allclose(one[:, 2:], two[:, 2:], atol=1e-12)
    assert np.abs(one[:, :2] - two[:, :2]).max() > 0.1


@pytest.mark.parametrize("width", [1, 6])
def test_the_correction_is_the_ridge_regression_that_its_penalties_say(width):
    """One copy without jitter, so that all is known: the fitted rows and what is left of them."""
    exists = np.ones((60, 6), dtype=bool)
    exists[::7, 5] = exists[::5, 2] = False
    fitted = target(np.where(exists, rows(60).values, 0.0), exists)
    plain, corrected = beside(
        fitted, fitted, 1, own=3.0, others=40.0, jitter=0.0, width=width, sizes=((4,), (8,), (3,))
    )
    read = []
    for group in (1, 2):
        cells = group == CATEGORY
        scale = np.sqrt(fitted.weight[cells])
        given = fitted.values[:, cells] * scale
        axes = np.linalg.svd(given - given.mean(0), full_matrices=False)[2][:width]
        size = np.sqrt(((given - given.mean(0)) @ axes.T).var(0).sum())
        read.append((plain.values[:, cells] * scale - given.mean(0)) @ axes.T / size)
    inputs = np.concatenate(read, axis=1)
    inputs = inputs - inputs.mean(0)
    operators = np.repeat([40.0, 3.0], [part.shape[1] for part in read])  # for the cells of 2
    own = inputs.T @ inputs / 60
    penalty = np.diag(operators / 60 * own.diagonal().mean())
    cells = CATEGORY == 2
    rest = ((fitted.values - plain.values) * exists)[:, cells]
    weights = np.linalg.solve(own + penalty, inputs.T @ (rest - rest.mean(0)) / 60)
    expected = plain.values[:, cells] + inputs @ weights + rest.mean(0)
    np.testing.assert_allclose(corrected.values[:, cells], expected, atol=1e-6)


def test_no_more_rows_are_held_than_there_is_room_for(monkeypatch):
    seen = []
    code = codes.residual_kmeans
    monkeypatch.setattr(codes, "residual_kmeans", lambda *given: seen.append(given) or code(*given))
    monkeypatch.setattr(readout, "MOST", 500)
    beside(rows(200), rows(50, seed=1), copies=9)
    assert {len(given[1]) for given in seen} == {50 + 2 * 200}


@pytest.mark.parametrize("copies", [0, 1])
def test_without_copies_there_is_no_correction(copies):
    plain, corrected = beside(rows(200), rows(50, seed=1), copies)
    assert (plain.values == corrected.values).all() == (copies == 0)
