"""Levels by category: the total is kept, and what varies most and longest gets most."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tokenizer_cases as cases
from spinlock.tokenizer import allocation
from spinlock.tokenizer.layout import assign
from spinlock.tokenizer.model import load

curves = st.lists(
    st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 0.9)), min_size=1, max_size=6
)  # error before any level, and the share that a level leaves


def gains(error: float, left: float):
    return (error * left**level * (1 - left) for level in count())


@given(curves=curves, extra=st.integers(0, 20))
def test_levels_add_up_and_each_category_has_one(curves, extra):
    total = len(curves) + extra
    given_levels = allocation.share([gains(*curve) for curve in curves], total)
    assert sum(given_levels) == total
    assert min(given_levels) >= 1


@given(curves=curves, extra=st.integers(1, 12))
def test_no_level_would_help_more_elsewhere_when_gains_fall(curves, extra):
    levels = allocation.share([gains(*curve) for curve in curves], len(curves) + extra)
    last = [
        error * left ** (level - 1) * (1 - left)
        for (error, left), level in zip(curves, levels, strict=True)
        if level > 1
    ]
    following = [
        error * left**level * (1 - left)
        for (error, left), level in zip(curves, levels, strict=True)
    ]
    assert max(following) <= min(last) * (1 + 1e-9)


def chosen(cleaned, cleaner, **changes):
    config = replace(cases.CONFIG, codebook_size=4, latent_dim=4, **changes)
    steps = cleaned.aggregated.temporal.shape[1]
    layout = assign(cases.mapping(cleaner.kept), cleaner.kept, config.temporal_bins, steps)
    train = cleaned.aggregated.take(cleaned.rows("train"))
    return allocation.levels(train, layout, config, 1)


@pytest.fixture(scope="module")
def made():
    return cases.source()


def test_uniform_levels_are_equal(made):
    cleaner, cleaned = made
    assert chosen(cleaned, cleaner, levels="uniform") == (2,) * 5


def test_allocated_levels_have_the_same_total_and_follow_from_the_seed(made):
    cleaner, cleaned = made
    levels = chosen(cleaned, cleaner, levels="allocated")
    assert sum(levels) == 10
    assert levels == chosen(cleaned, cleaner, levels="allocated")


def test_a_category_that_does_not_vary_gets_no_more_than_one_level(made):
    cleaner, cleaned = made
    layout_columns = cases.mapping(cleaner.kept)["numbers"]
    summary = cleaned.aggregated.summary.clone()
    summary[:, [cleaner.kept["summary"].index(name) for name in layout_columns]] = 0.0
    still = replace(cleaned, aggregated=replace(cleaned.aggregated, summary=summary))
    assert chosen(still, cleaner, levels="allocated")[3] == 1


def test_operators_that_are_not_for_training_change_no_allocation(made):
    cleaner, cleaned = made
    others = np.setdiff1d(np.arange(len(cleaned.aggregated.summary)), cleaned.rows("train"))
    summary = cleaned.aggregated.summary.clone()
    summary[others] = 100 * torch.randn(len(others), summary.shape[1])
    other = replace(cleaned, aggregated=replace(cleaned.aggregated, summary=summary))
    expected = chosen(cleaned, cleaner, levels="allocated")
    assert chosen(other, cleaner, levels="allocated") == expected


def test_allocated_tokens_round_trip_through_the_file(made, tmp_path):
    changes = {"levels": "allocated", "codebook_size": 4, "latent_dim": 4}
    model = cases.started(*made, **changes)
    assert len(set(model.quantizer.levels)) > 1
    model.save(tmp_path / "tokenizer.pt")
    loaded = load(tmp_path / "tokenizer.pt")
    latents = model.latents(made[1].aggregated)
    tokens = model.tokens(latents)
    assert tokens.shape[1] == len(model.token_names) == 10
    assert torch.equal(loaded.tokens(latents), tokens)
    assert model.bits == loaded.bits == pytest.approx(20.0)
    torch.testing.assert_close(
        loaded.decode(tokens).summary,
        model.arrange(model.decoder(model.quantize(latents).latents)).summary,
    )


def test_different_sizes_by_level_cannot_be_allocated():
    with pytest.raises(ValueError, match="codebook_size: allowed one number if levels are alloc"):
        replace(cases.CONFIG, levels="allocated")
