"""Fast loops: those of torch, with their gradients, and row by row the same bits."""

import pytest
import torch

from feature_cases import noise
from spinlock.features import kernels

STARTS = (0, 1, 5, 20)
CASES = {
    "dot": (kernels.dot, lambda x, y: (x * y).sum(-1), [(4, 3, 37), (4, 3, 37)]),
    "dot with itself": (lambda x: kernels.dot(x, x), lambda x: (x * x).sum(-1), [(3, 37)]),
    "log": (lambda x: kernels.log(x.square() + 1), lambda x: (x.square() + 1).log(), [(3, 37)]),
    "sums": (
        lambda x: kernels.sums(x, STARTS),
        lambda x: torch.stack([p.sum(-1) for p in x.split([1, 4, 15, 17], -1)], -1),
        [(2, 3, 37)],
    ),
    "product": (kernels.product, torch.matmul, [(3, 5, 4), (3, 4, 6)]),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_torch(name):
    function, expected, shapes = CASES[name]
    for dtype in (torch.float32, torch.float64):
        operands = [noise(seed, shape, dtype) for seed, shape in enumerate(shapes)]
        torch.testing.assert_close(function(*operands), expected(*operands))


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_finite_differences_and_change_no_bit(name):
    function, _, shapes = CASES[name]
    operands = [noise(seed, shape, torch.float64) for seed, shape in enumerate(shapes)]
    watched = [operand.clone().requires_grad_() for operand in operands]
    assert torch.equal(function(*watched).detach(), function(*operands))
    assert torch.autograd.gradcheck(function, watched)


def test_one_operand_for_all_rows_needs_no_gradient():
    x, weights = noise(1, (4, 37), torch.float64).requires_grad_(), noise(2, (37,), torch.float64)
    assert torch.autograd.gradcheck(lambda x: kernels.dot(x, weights), x)
    z, matrix = noise(1, (2, 5, 5), torch.float64).requires_grad_(), noise(2, (5, 5), torch.float64)
    assert torch.autograd.gradcheck(lambda z: kernels.product(matrix, z), z)
    assert torch.autograd.gradcheck(lambda z: kernels.product(z, matrix), z)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_row_has_the_same_bits_alone_and_among_others(size):
    z, matrix = noise(1, (7, 3, size, size)), noise(2, (size, size))
    x, starts = z.flatten(-2), (0, 3, 40)
    functions = {
        "dot": lambda x, z: kernels.dot(x, x),
        "log": lambda x, z: kernels.log(x.abs()),
        "sums": lambda x, z: kernels.sums(x, starts),
        "left": lambda x, z: kernels.product(matrix, z),
        "right": lambda x, z: kernels.product(z, matrix),
    }
    for name, function in functions.items():
        together = function(x, z)
        for count in (1, 2, 5):
            assert torch.equal(
                function(x[2 : 2 + count], z[2 : 2 + count]), together[2 : 2 + count]
            ), name
