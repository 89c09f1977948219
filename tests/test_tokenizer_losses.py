"""Each loss on cases with a known value, and where its gradient goes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from spinlock.tokenizer import losses

seeds = st.integers(0, 2**16)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_missing_cells_neither_cost_nor_pull():
    guess, target, weights = normal(5, 4).requires_grad_(), normal(5, 4, seed=1), torch.ones(5, 4)
    weights[:, 2] = 0.0
    loss = losses.reconstruction(guess, target, weights)
    expected = (guess - target).square()[:, [0, 1, 3]].sum() / 5
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (guess.grad[:, 2] == 0).all()
    assert (guess.grad[:, [0, 1, 3]] != 0).all()


def test_latents_that_say_the_same_cost_the_square_of_what_exceeds_the_target():
    one = normal(4000, 1, 3)
    loss = losses.orthogonality(one.expand(-1, 2, -1), torch.ones(4000, 2), 0.15)
    assert float(loss) == pytest.approx(0.85**2, rel=1e-4)


def test_independent_latents_cost_nothing():
    assert float(losses.orthogonality(normal(4000, 3, 2), torch.ones(4000, 3), 0.15)) == 0.0


@given(seed=seeds)
def test_orthogonality_does_not_see_rotations_and_scales(seed):
    z, weights = normal(50, 2, 3, seed=seed), torch.ones(50, 2)
    rotation = torch.linalg.qr(normal(3, 3, seed=seed + 1)).Q
    turned = torch.stack([7 * z[:, 0] @ rotation, z[:, 1]], 1)
    torch.testing.assert_close(
        losses.orthogonality(z, weights, 0.0), losses.orthogonality(turned, weights, 0.0)
    )


def test_of_single_numbers_orthogonality_is_the_squared_correlation():
    z = normal(50, 2, 1)
    r = torch.corrcoef(z[..., 0].T)[0, 1]
    loss = losses.orthogonality(z, torch.ones(50, 2), 0.0)
    torch.testing.assert_close(loss, r.square())


def test_orthogonality_ignores_rows_without_weight():
    z, weights = normal(60, 2, 3), torch.ones(60, 2)
    weights[50:] = 0.0
    changed = z.clone()
    changed[50:] = 100.0
    torch.testing.assert_close(
        losses.orthogonality(changed, weights, 0.1), losses.orthogonality(z, weights, 0.1)
    )


def test_scaled_and_shifted_distances_cost_nothing_and_reversed_ones_two():
    d, valid = normal(40, 3).abs(), torch.ones(40, 3)
    assert float(losses.topographic(d, 3 * d + 1, valid)) == pytest.approx(0.0, abs=1e-5)
    assert float(losses.topographic(d, -d, valid)) == pytest.approx(2.0, abs=1e-5)


def test_topographic_pulls_latents_and_leaves_invalid_pairs_alone():
    z = normal(10, 2, 3).requires_grad_()
    pairs = torch.tensor([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    valid = torch.ones(5, 2)
    valid[4] = 0.0
    losses.topographic(normal(5, 2).abs(), losses.distance(z, pairs), valid).backward()
    assert z.grad.isfinite().all()
    assert (z.grad[[4, 9]] == 0).all()
    assert (z.grad[[0, 1, 5, 6]] != 0).any()


def test_a_row_paired_with_itself_has_a_finite_gradient():
    z = normal(3, 1, 2).requires_grad_()
    losses.distance(z, torch.tensor([[0, 1], [0, 2]])).sum().backward()
    assert z.grad.isfinite().all()


def test_input_distances_compare_only_the_cells_that_both_rows_have():
    cells = torch.tensor([[1.0, 5.0, 2.0], [4.0, 0.0, 2.0]])
    exists = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    members = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found, valid = losses.cell_distance(cells, exists, members, torch.tensor([[0], [1]]))
    torch.testing.assert_close(found, torch.tensor([[3.0, 0.0]]), atol=1e-5, rtol=0)
    assert torch.equal(valid, torch.ones(1, 2))
    exists[1, 2] = 0.0
    assert (
        float(losses.cell_distance(cells, exists, members, torch.tensor([[0], [1]]))[1][0, 1]) == 0
    )


def test_commitment_counts_rows_by_weight():
    distances = torch.tensor([[1.0, 2.0], [5.0, 7.0]])
    weights = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    assert float(losses.commitment(distances, weights)) == pytest.approx((1 + 2 + 14) / 4)


def test_the_codebook_loss_counts_rows_by_weight_and_categories_by_columns():
    distances = torch.tensor([[1.0, 2.0], [5.0, 7.0]])
    weights = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    found = losses.codebook(distances, weights, torch.tensor([3.0, 1.0]))
    assert float(found) == pytest.approx((0.75 * 1 + 0.25 * (2 + 14)) / 2)


def test_tokens_that_differ_by_the_rank_of_the_distance_cost_nothing_and_reversed_ones_two():
    apart = normal(50, 1)[:, 0].abs().cumsum(0)
    shared = torch.linspace(36, 0, 50)
    assert float(losses.symbols(apart, shared)) == pytest.approx(0.0, abs=1e-5)
    assert float(losses.symbols(apart.exp(), 2 * shared + 1)) == pytest.approx(0.0, abs=1e-5)
    assert float(losses.symbols(apart, -shared)) == pytest.approx(2.0, abs=1e-5)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    assert float(losses.symbols(apart[order], shared[order])) == pytest.approx(0.0, abs=1e-5)
    assert abs(1 - float(losses.symbols(apart[order], shared))) < 0.3


def test_the_loss_of_symbols_lets_far_rows_share_less_and_near_ones_more():
    shared = torch.tensor([1.0, 1.0, 1.0, 1.5]).requires_grad_()
    losses.symbols(torch.tensor([4.0, 1.0, 2.0, 3.0]), shared).backward()
    assert shared.grad[1] < 0 < shared.grad[0]  # descent raises what the nearest pair shares


@pytest.mark.parametrize(
    ("apart", "shared"),
    [
        (torch.ones(1), torch.ones(1)),
        (normal(9), torch.full((9,), 3.0)),
        (normal(9), 3e4 * (1 + 1e-7 * normal(9, seed=1))),
        (torch.ones(9), normal(9)),
    ],
    ids=["a single pair", "tokens all shared", "all but for rounding", "one distance"],
)
def test_what_does_not_vary_costs_one_and_pulls_nothing(apart, shared):
    shared = shared.clone().requires_grad_()
    found = losses.symbols(apart, shared)
    found.backward()
    assert found.item() == 1.0
    assert torch.equal(shared.grad, torch.zeros_like(shared))


def test_the_loss_of_symbols_does_not_see_how_much_is_shared_in_all():
    apart, shared = normal(9), normal(9, seed=1)
    expected = losses.symbols(apart, shared)
    torch.testing.assert_close(losses.symbols(apart, 1e-9 * shared), expected)
    torch.testing.assert_close(
        losses.symbols(apart, 3 + 1e-3 * shared), expected, rtol=0, atol=1e-3
    )


def test_equal_distances_have_the_mean_of_their_ranks():
    apart, shared = torch.tensor([2.0, 1.0, 2.0, 3.0, 2.0, 1.0]), normal(6)
    expected = 1 - np.corrcoef(rankdata(apart), -shared)[0, 1]
    assert float(losses.symbols(apart, shared)) == pytest.approx(expected, rel=1e-5)


def test_a_correlation_of_what_is_not_a_number_is_not_a_number():
    broken = normal(9, 1)
    broken[3] = torch.nan
    assert losses.correlation(normal(9, 1, seed=1), broken, torch.ones(9, 1)).isnan().all()
