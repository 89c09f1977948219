"""The tokenizer beside perfect and useless ones, and rivals that see training rows only."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

import tokenizer_cases
from spinlock.evaluation import bound, codes, criteria, tokenizer, topography, vocabulary
from spinlock.evaluation.codes import Fit
from spinlock.evaluation.intervals import Bootstrap
from spinlock.tokenizer import scores

HOW = Bootstrap(seed=1, num_resamples=100, min_operators=8)
FIT = Fit(seed=1, purpose="test", num_init=1)


@pytest.fixture(scope="module")
def cleaned():
    return tokenizer_cases.source(240)


@pytest.fixture(scope="module")
def model(cleaned):
    """A tokenizer as it stands after k-means, before any step."""
    return tokenizer_cases.started(*cleaned)


@pytest.fixture(scope="module")
def described(cleaned, model):
    everything = cleaned[1]
    return vocabulary.describe(model, everything.aggregated, everything.rows("train"), FIT)


@pytest.fixture(scope="module")
def rows(cleaned):
    return cleaned[1].rows("train")


@pytest.fixture(scope="module")
def found(described, rows):
    return tokenizer.metrics(described, rows, HOW, HOW)


def test_reconstruction_is_the_tokenizers_own_definition(cleaned, model, found, rows):
    inputs = model.inputs(cleaned[1].aggregated.take(rows))
    with torch.no_grad():
        values = model.decoder(model.quantize(model.encoder(inputs)).latents)
    expected = scores.column_errors(values, inputs.cells, inputs.exists, model.layout)
    assert found["reconstruction"] == pytest.approx(scores.reconstruction(expected), rel=1e-5)
    assert found["reconstruction_low"] < found["reconstruction"] < found["reconstruction_high"]
    assert found["quality"] == pytest.approx(1 - found["reconstruction"])
    assert found["quality_low"] < found["quality"] < found["quality_high"]


def test_floors_and_ceilings_stand_where_they_must(found):
    assert found["reconstruction_train_mean"] == pytest.approx(1, abs=0.1)
    assert found["reconstruction_shuffled"] > 1.2
    assert found["reconstruction_unquantized"] < found["reconstruction"]
    for rival in (
        "pca_kmeans",
        "residual_kmeans",
        "residual_beam",
        "residual_beam_wide",
        "product",
        "pca_waterfill",
    ):
        assert found[f"reconstruction_{rival}"] < found["reconstruction_train_mean"]
    assert found["reconstruction_shuffled"] > found["reconstruction_untrained"]


def test_topographies_see_order_and_not_shuffled_tokens(found):
    assert found["topo_pre"] > 0.8
    assert found["topo_post"] > 0.6
    assert found["topo_tokens"] > 0.2
    assert abs(found["topo_tokens_shuffled"]) < 0.1
    assert found["topo_partial"] > 0.1 > abs(found["topo_partial_shuffled"])
    assert found["neighbours"] > 2 * found["neighbours_shuffled"]
    for name in ("topo_pre_untrained", "topo_tokens_residual_kmeans", "topo_tokens_untrained"):
        assert -1 <= found[name] <= 1


def test_nothing_but_training_rows_moves_a_rival(cleaned, model, described, rows):
    everything = cleaned[1]
    outside = np.setdiff1d(np.arange(len(everything.aggregated)), rows)
    changed = everything.aggregated.summary.clone()
    changed[outside] *= -3
    other = vocabulary.describe(model, replace(everything.aggregated, summary=changed), rows, FIT)
    for name, values in described.values.items():
        np.testing.assert_array_equal(other.values[name][rows], values[rows], err_msg=name)
    for name, tokens in described.tokens.items():
        np.testing.assert_array_equal(other.tokens[name][rows], tokens[rows], err_msg=name)


def test_every_rival_has_as_many_tokens_of_as_many_codes(described):
    num_tokens = described.own.tokens.shape[1]
    assert num_tokens == 5 * 2
    for tokens in (*described.tokens.values(), described.untrained.tokens, described.own.tokens):
        assert tokens.shape[1] == num_tokens
        assert (tokens.max(0) < np.concatenate(described.sizes)).all()
    assert described.isolated.tolist() == [True] * 4 + [False] * 6


def test_small_groups_are_null_with_their_count(described, rows):
    for few in (rows[:5], rows[:0]):
        found = tokenizer.metrics(described, few, HOW, HOW)
        assert found["count"] == len(few)
        known = {name for name, value in found.items() if value is not None}
        assert known == {"count", "bits"}


def test_too_few_for_neighbours_are_too_few(described, rows):
    every = replace(HOW, min_operators=2)
    assert tokenizer.topographies(described, rows[:10], every)["neighbours"] is None
    assert 0.4 < tokenizer.topographies(described, rows[:11], every)["neighbours"] <= 1


def test_both_sizes_are_regressed_out(described, rows):
    found = tokenizer.topographies(described, rows, HOW)
    target = described.target.take(rows)
    size = tokenizer.sizes(target)
    first, second = np.triu_indices(len(rows), 1)
    given, tokens = (
        tokenizer.input_distances(target),
        topography.hamming(described.own.tokens[rows]),
    )
    held = np.abs(size[first] - size[second]), np.hypot(size[first], size[second])
    ranks = [rankdata(v) for v in (given[first, second], tokens[first, second], *held)]
    known = np.stack([np.ones(len(first)), *ranks[2:]], 1)
    one, two = (v - known @ np.linalg.lstsq(known, v, rcond=None)[0] for v in ranks[:2])
    assert found["topo_partial"] == pytest.approx(np.corrcoef(one, two)[0, 1])
    assert found["topo_partial_low"] < found["topo_partial"] < found["topo_partial_high"]


def test_a_size_is_the_distance_to_the_mean_over_the_cells_that_exist(described, rows):
    target = described.target.take(rows[:20])
    exists = target.exists.copy()
    exists[::2, ::3] = False
    target = replace(target, exists=exists)
    mean = np.zeros_like(target.values[:1])
    beside = replace(
        target,
        values=np.vstack([mean, target.values]),
        exists=np.vstack([np.ones_like(exists[:1]), exists]),
    )
    expected = tokenizer.input_distances(beside)[0, 1:]
    np.testing.assert_allclose(tokenizer.sizes(target), expected, rtol=1e-6)
    empty = replace(target, exists=np.zeros_like(target.exists))
    assert (tokenizer.sizes(empty) == 1).all()


def test_ridge_finds_an_affine_map_and_shuffling_moves_every_row():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    y = x @ rng.standard_normal((3, 4)) + 5
    np.testing.assert_allclose(vocabulary.ridge(x[:150], y[:150], x), y, atol=0.02)
    order = tokenizer.shuffle(50, 1)
    assert sorted(order) == list(range(50))
    assert (order != np.arange(50)).all()


def test_a_large_group_speaks_by_its_first_operators(described, rows, monkeypatch):
    few = tokenizer.topographies(described, rows[:40], HOW)
    ranks = tokenizer.ranks(described, rows[:40], HOW)
    monkeypatch.setattr(topography, "MOST", 40)
    assert tokenizer.topographies(described, rows, HOW) == few
    assert tokenizer.ranks(described, rows, HOW) == ranks


def test_paired_differences_are_differences_of_the_scores(found):
    for metric, rivals in (
        ("reconstruction", criteria.COMPARED),
        *((name, (*criteria.BY_CATEGORY, "untrained")) for name in tokenizer.ON_TOKENS),
    ):
        for rival in rivals:
            name = f"{metric}_minus_{rival}"
            assert found[name] == pytest.approx(found[metric] - found[f"{metric}_{rival}"])
            assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    for name, rivals in (("classical", criteria.CLASSICAL), ("best", criteria.EQUAL_BITS)):
        best = min(found[f"reconstruction_{rival}"] for rival in rivals)
        ratio = f"reconstruction_over_{name}"
        assert found[ratio] == pytest.approx(found["reconstruction"] / best)
        assert found[f"{ratio}_low"] < found[ratio] < found[f"{ratio}_high"]
    assert found["reconstruction_over_best"] > found["reconstruction_over_classical"]


def test_bounds_are_of_the_tokenizers_bits_and_of_these_operators(described, found, rows):
    bits = codes.bits(described.sizes)
    for name, part in (("", np.zeros_like), ("_by_category", np.asarray)):
        target = described.target
        own = bound.coordinates(described.fitted, target.take(rows), part(target.category))
        least = bound.gaussian(own, bits, HOW).interval()
        metric = f"reconstruction_gaussian_bound{name}"
        assert found[metric] == pytest.approx(least.value)
        assert found[f"{metric}_low"] == pytest.approx(least.low)
    whole, parted = (found[f"reconstruction_{name}"] for name in criteria.BOUNDS)
    assert whole < parted < found["reconstruction_pca_kmeans"]


def test_every_metric_of_the_criteria_is_computed(found):
    elsewhere = ("identity_", "leakage_")
    for criterion in criteria.TOKENIZER:
        goals = criterion.goal if isinstance(criterion.goal, tuple) else ()
        for name in (
            criterion.value,
            criterion.floor,
            criterion.ceiling,
            *goals,
            *criterion.paired,
        ):
            metric = (name or "tokenizer/count").removeprefix("tokenizer/")
            assert metric in found or metric.startswith(elsewhere)


def test_copies_are_redundant_and_strangers_are_not(described, rows):
    def spoken(tokens):
        return tokenizer.joint(
            replace(described, own=replace(described.own, tokens=tokens)), rows, 1
        )

    dice = np.random.default_rng(0).integers(4, size=(rows.max() + 1, 5))
    copies = spoken(np.repeat(dice[:, :1], 5, axis=1))
    assert 2 <= copies["entropy_joint"] < 2.4  # an upper estimate
    assert copies["redundancy"] == pytest.approx(0.78, abs=0.03)
    assert spoken(dice)["redundancy"] == pytest.approx(0, abs=0.05)
