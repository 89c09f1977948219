"""Order statistics: whatever the values and their order, those of sorting."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from feature_cases import noise
from spinlock import randomness
from spinlock.features import order

seeds = st.integers(0, 2**31)
LENGTHS = (7, 512, 1024, 1536, 2048, 4096, 8192)  # by sorting all, and by sorting windows


def arranged(seed, length):
    """Rows of few or many values: in any order, in order, the reverse, and row by row in order."""
    rng = randomness.stream(seed, "test")
    values = rng.choice([1, 3, 1e-3, 1e3]) * rng.standard_normal((5, length))
    values[1] = np.round(values[1])
    values[2].sort()
    values[3] = -np.sort(values[3])
    values[4] = np.concatenate([np.sort(part) for part in np.array_split(values[4], 8)])
    return torch.from_numpy(values).float()


@given(seed=seeds, length=st.sampled_from(LENGTHS))
def test_neighbors_are_those_of_the_sorted_values(seed, length):
    x = arranged(seed, length)
    ranks = [*range(0, length, 37), length - 2, length - 1]
    found = order.neighbors(x, ranks)
    sorted_values = x.sort(-1).values
    above = [min(rank + 1, length - 1) for rank in ranks]
    assert torch.equal(found[..., 0], sorted_values[..., ranks])
    assert torch.equal(found[..., 1], sorted_values[..., above])


@given(seed=seeds, columns=st.sampled_from(order.COLUMNS))
def test_two_values_are_told_apart_wherever_they_stand(seed, columns):
    """The 0-1 principle: what sorts all rows of zeros and ones sorts everything."""
    rng = randomness.stream(seed, "test")
    length = columns * order.ROW
    share = rng.beta(0.3, 0.3, (64, columns, 1))  # of ones, another in each column
    ones = (rng.random((64, columns, order.ROW)) < share).reshape(64, length)
    x = torch.from_numpy(ones).float()
    zeros = (~ones).sum(-1)
    for row, count in zip(x, zeros, strict=True):
        ranks = [rank for rank in range(int(count) - 3, int(count) + 3) if 0 <= rank < length]
        found = order.neighbors(row, ranks)[:, 0]
        assert found.tolist() == [float(rank >= count) for rank in ranks]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", LENGTHS)
def test_quantiles_are_those_of_numpy(length, dtype):
    x = noise(length, (3, length), dtype)
    levels = (0, 0.01, 0.25, 0.5, 0.77, 1)
    expected = np.quantile(x.double().numpy(), levels, axis=-1).T
    found = order.quantiles(x, levels)
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("length", [64, 1024, 4096])
def test_a_gradient_goes_to_the_two_values_around_a_quantile_and_changes_no_bit(length):
    x = noise(1, (2, length))
    watched = x.clone().requires_grad_()
    found = order.quantiles(watched, (0.3,))
    assert torch.equal(found.detach(), order.quantiles(x, (0.3,)))
    (gradient,) = torch.autograd.grad(found.sum(), watched)
    place = 0.3 * (length - 1)
    below = int(place)
    for row, slope in zip(x, gradient, strict=True):
        assert slope.count_nonzero() == 2
        low, high = row.argsort()[[below, below + 1]]
        assert float(slope[high]) == pytest.approx(place - below, abs=1e-5)
        assert float(slope[low]) == pytest.approx(1 - place + below, abs=1e-5)
