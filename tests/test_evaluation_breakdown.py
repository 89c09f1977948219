"""Scores taken apart by category and column add up to those of the whole."""

import numpy as np
import pytest

import tokenizer_cases
from spinlock.evaluation import breakdown, codes, criteria, distortion, tokenizer, vocabulary
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.intervals import Bootstrap

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)
FIT = Fit(seed=1, purpose="test", num_init=1)


@pytest.fixture(scope="module")
def cleaned():
    return tokenizer_cases.source(240)[1]


@pytest.fixture(scope="module")
def described():
    cleaner, cleaned = tokenizer_cases.source(240)
    model = tokenizer_cases.started(cleaner, cleaned)
    return vocabulary.describe(model, cleaned.aggregated, cleaned.rows("train"), FIT)


@pytest.fixture(scope="module")
def rows(cleaned):
    return cleaned.rows("train")


@pytest.fixture(scope="module")
def whole(described, rows):
    return tokenizer.metrics(described, rows, HOW, HOW)


def test_the_wide_beam_has_all_axes_and_the_other_those_of_the_tokenizer():
    config = tokenizer_cases.CONFIG
    found = vocabulary.by_category(config, 2)
    shared = {"width": config.search_width, "jitter": config.jitter}
    wide = codes.ResidualBeam(**shared, axes=None, dims=(None, None))
    narrow = codes.ResidualBeam(**shared, axes=config.group_embedding_dim, dims=config.dims(2))
    assert (found["residual_beam_wide"], found["residual_beam"]) == (wide, narrow)


def test_rivals_are_fitted_to_further_draws_too(cleaned, described):
    cleaner, _ = tokenizer_cases.source(240)
    model, train = tokenizer_cases.started(cleaner, cleaned), cleaned.rows("train")
    further = tokenizer_cases.further(cleaner, 240)
    further = further.aggregated.take(further.rows("train"))
    found = vocabulary.describe(model, cleaned.aggregated, train, FIT, further)
    assert len(found.fitted.values) == len(train) + len(further)
    np.testing.assert_array_equal(found.fitted.values[: len(train)], described.fitted.values)
    assert len(found.target.values) == len(described.target.values)
    np.testing.assert_array_equal(found.values["tokenizer"], described.values["tokenizer"])
    for rival in ("untrained", "product", "residual_beam", "residual_beam_wide", "pca_waterfill"):
        assert not np.array_equal(found.values[rival], described.values[rival]), rival


def table_of(described, rows, make):
    return make(described, breakdown.group(described, rows, HOW, HOW))


def test_categories_share_out_the_columns_and_the_error(described, rows, whole):
    table = table_of(described, rows, breakdown.by_category)
    names = [category.name for category in described.layout.categories]
    assert [row["category"] for row in table] == names

    def mean(some):
        total = sum(row["columns"] for row in some)
        return sum(row["columns"] * row["tokenizer"] for row in some) / total

    assert mean(table) == pytest.approx(whole["reconstruction"], rel=1e-6)
    assert mean(table[:2]) == pytest.approx(whole["reconstruction_initial"], rel=1e-6)
    for row in table:
        assert row["low"] <= row["tokenizer"] <= row["high"]
        assert row["r2_low"] <= row["r2"] <= row["r2_high"] <= 1
        assert -1 <= row["topo_tokens_low"] <= row["topo_tokens"] <= row["topo_tokens_high"] <= 1
        assert row["train_mean"] > row["tokenizer"]
    assert sum(row["tokens"] for row in table) == described.own.tokens.shape[1]


def test_columns_have_the_error_and_the_median_of_the_whole(described, rows, whole):
    table = table_of(described, rows, breakdown.by_column)
    assert len({row["column"] for row in table}) == len(table)
    mean = np.mean([row["reconstruction"] for row in table])
    assert mean == pytest.approx(whole["reconstruction"], rel=1e-6)
    assert np.median([row["r2"] for row in table]) == pytest.approx(whole["r2"])
    layout = described.layout
    for row in table:
        own = next(c for c in layout.categories if c.name == row["category"])
        places = getattr(own, row["family"])
        assert row["column"] in [layout.columns[row["family"]][place] for place in places]


def test_a_group_that_is_too_small_has_empty_cells(described, rows):
    assert breakdown.group(described, rows[:5], HOW, HOW) is None
    assert breakdown.by_category(described, None)[0]["tokenizer"] == ""
    assert breakdown.by_column(described, None)[0]["r2"] == ""


def test_more_bits_lose_less_and_the_tokenizer_stands_at_its_own(described, rows, whole):
    table = distortion.rows(described, rows, (2, 4, 16), FIT, HOW)
    own = [row for row in table if row["code"] == "tokenizer"]
    assert len(own) == 1
    assert own[0]["reconstruction"] == whole["reconstruction"]
    assert own[0]["bits"] == whole["bits"]
    for name in (*distortion.CODES, distortion.WATER, *criteria.BOUNDS):
        curve = [row for row in table if row["code"] == name]
        assert [row["bits"] for row in curve] == sorted(row["bits"] for row in curve)
        assert len(curve) == 4
        lost = [row["reconstruction"] for row in curve]
        assert lost == sorted(lost, reverse=True)
        assert lost[-1] < lost[0]


def test_few_operators_have_no_curve_but_their_row(described, rows):
    table = distortion.rows(described, rows[:3], (2, 4), FIT, HOW)
    assert {row["reconstruction"] for row in table} == {None}
    assert {row["code"] for row in table} >= {"tokenizer", "pca_waterfill"}


def test_a_group_has_no_gap_to_itself_and_one_to_operators_that_are_harder(
    described, rows, cleaned
):
    none = tokenizer.gaps(described, rows, rows, HOW)
    assert none["gap"] == 0
    assert none["gap_low"] < 0 < none["gap_high"]
    lost = tokenizer.measured(described, rows, HOW).errors["tokenizer"].squares.sum(1)
    order = rows[np.argsort(lost)]
    harder = tokenizer.gaps(described, order[-40:], order[:40], HOW)
    assert 0 < harder["gap_low"] < harder["gap"] < harder["gap_high"]
    few = tokenizer.gaps(described, rows[:3], rows, HOW)
    assert few.pop("gap_count") == 3
    assert set(few.values()) == {None}
