"""Scores on cases with a known value, and on cases where they must be bad."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tokenizer_cases as cases
from spinlock.tokenizer import scores
from spinlock.tokenizer.encoders import prepare
from spinlock.tokenizer.layout import assign

seeds = st.integers(0, 2**16)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def case():
    cleaner, cleaned = cases.source()
    layout = assign(cases.mapping(cleaner.kept), cleaner.kept, 4, 8)
    return layout, prepare(cleaned.aggregated, layout)


def test_a_perfect_guess_has_no_error_and_the_mean_costs_the_variance(case):
    layout, inputs = case
    cells, exists = inputs.cells, (inputs.exists > 0).float()
    assert scores.reconstruction(scores.column_errors(cells, cells, exists, layout)) == 0.0
    mean = (cells * exists).sum(0) / exists.sum(0)
    centered = torch.where(exists > 0, cells - mean, 0.0)
    standard = centered / (centered.square().sum(0) / exists.sum(0)).sqrt()
    errors = scores.column_errors(torch.zeros_like(cells), standard, exists, layout)
    torch.testing.assert_close(errors, torch.ones_like(errors), atol=1e-5, rtol=0)


def test_a_column_is_the_mean_over_its_own_cells_and_columns_count_alike(case):
    layout, inputs = case
    wrong = inputs.cells.clone()
    wrong[:, layout.column_of_cell() == 3] += 2.0
    errors = scores.column_errors(wrong, inputs.cells, torch.ones_like(wrong), layout)
    assert float(errors[3]) == pytest.approx(4.0, rel=1e-6)
    assert float(errors.sum()) == pytest.approx(4.0, rel=1e-6)
    assert scores.reconstruction(errors) == pytest.approx(4.0 / len(errors), rel=1e-6)


def test_missing_cells_do_not_count(case):
    layout, inputs = case
    exists = torch.ones_like(inputs.cells)
    exists[:5] = 0.0
    wrong = inputs.cells.clone()
    wrong[:5] = 1e3
    assert scores.reconstruction(scores.column_errors(wrong, inputs.cells, exists, layout)) == 0.0


def test_a_column_without_cells_has_no_error_and_is_left_out(case):
    layout, inputs = case
    exists = torch.ones_like(inputs.cells)
    exists[:, layout.column_of_cell() == 0] = 0.0
    errors = scores.column_errors(inputs.cells + 1, inputs.cells, exists, layout)
    assert errors[0].isnan()
    assert scores.reconstruction(errors) == pytest.approx(1.0, rel=1e-6)


@given(seed=seeds)
def test_cell_distances_are_those_of_each_pair_alone(seed):
    cells, weights = normal(6, 5, seed=seed), normal(5, seed=seed + 1).abs()
    exists = (normal(6, 5, seed=seed + 2) > -1).float()
    exists[:, 0] = 1.0
    found, pair = scores.cell_distances(cells, exists, weights), 0
    for i in range(6):
        for j in range(i + 1, 6):
            both = weights * exists[i] * exists[j]
            square = (both * (cells[i] - cells[j]).square()).sum() / both.sum()
            torch.testing.assert_close(found[pair].float(), square.sqrt(), atol=1e-5, rtol=1e-4)
            pair += 1


def test_a_pair_without_a_common_cell_is_as_far_apart_as_standardized_rows_are():
    exists = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    found = scores.cell_distances(normal(3, 4), exists, torch.ones(4))
    torch.testing.assert_close(found.float(), torch.full((3,), 2.0).sqrt())
    many = normal(300, 50)
    apart = scores.cell_distances(many, torch.ones_like(many), torch.ones(50))
    assert float(apart.mean()) == pytest.approx(2**0.5, abs=0.05)


def test_equal_rows_have_no_distance():
    rows = normal(50, 40).repeat(2, 1)
    found = scores.cell_distances(rows, torch.ones_like(rows), normal(40, seed=1).abs())
    assert found.isfinite().all()
    twins = found[[i * 100 - i * (i + 1) // 2 + 49 for i in range(50)]]
    assert twins.max() < 1e-6


def test_topographic_similarity_is_one_for_any_monotone_map_and_near_zero_when_shuffled():
    points = normal(60, 3)
    d = scores.distances(points)
    assert scores.topographic_similarity(d, d.exp()) == pytest.approx(1.0)
    assert scores.topographic_similarity(d, -d) == pytest.approx(-1.0)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    assert abs(scores.topographic_similarity(d, scores.distances(points[order]))) < 0.2
    assert scores.topographic_similarity(d, torch.ones_like(d)) == 0.0


def test_hamming_counts_the_tokens_that_differ():
    tokens = torch.tensor([[1, 2, 3, 4], [1, 2, 0, 0], [1, 2, 3, 4]])
    assert scores.hamming(tokens).tolist() == [0.5, 0.0, 0.5]


def test_equally_used_codes_have_the_perplexity_of_their_number():
    used = scores.counts(torch.arange(12)[:, None] % 6, [[8]])
    assert scores.utilization(used) == 0.75
    assert scores.perplexity(used, normalized=False) == pytest.approx(6.0)
    assert scores.perplexity(used, normalized=True) == pytest.approx(0.75)


def test_one_token_for_everybody_is_the_worst_case():
    used = scores.counts(torch.zeros(20, 2, dtype=torch.int64), [[8], [8]])
    assert scores.utilization(used) == pytest.approx(1 / 8)
    assert scores.perplexity(used, normalized=False) == pytest.approx(1.0)
    assert scores.perplexity(used, normalized=True) == pytest.approx(1 / 8)


def test_joint_distances_weigh_categories_by_their_columns(case):
    layout, _ = case
    z = torch.zeros(2, 5, 3)
    z[1] = 1.0
    columns = sum(map(len, layout.columns.values()))
    found = scores.distances(scores.joint(z, layout))
    assert float(found) == pytest.approx((3 * columns) ** 0.5, rel=1e-6)
