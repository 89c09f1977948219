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


def beside(fitted, coded, copies=4):
    config = replace(
        tokenizer_cases.CONFIG,
        readout=replace(tokenizer_cases.CONFIG.readout, copies=copies, own=0.1, others=0.1),
    )
    tokenizer = SimpleNamespace(
        config=config, sizes=SIZES, layout=SimpleNamespace(blocks=lambda: BLOCKS)
    )
    count = len(fitted.values)
    return readout.beside(codes.residual_kmeans, fitted, coded, tokenizer, count, FIT)


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


def test_cells_that_do_not_exist_teach_nothing():
    fitted, coded = rows(400), rows(50, seed=1)
    exists = np.ones(fitted.values.shape, dtype=bool)
    exists[:, 5] = False
    values = np.where(exists, fitted.values, 0.0)
    plain, corrected = beside(target(values, exists), coded)
    np.testing.assert_allclose(corrected.values[:, 5], plain.values[:, 5], atol=1e-9)


@pytest.mark.parametrize("copies", [0, 1])
def test_without_copies_there_is_no_correction(copies):
    plain, corrected = beside(rows(200), rows(50, seed=1), copies)
    assert (plain.values == corrected.values).all() == (copies == 0)
