"""The U-AFNO: its symmetries, its reach, and that no weight is idle."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from operator_cases import PLACES
from spinlock.operators.conditioned import Conv, Norm
from spinlock.operators.periodic import drop_channels, upsample, wrap
from spinlock.operators.u_afno import UAFNO, AFNOBlock, Shape
from spinlock.refusals import Refusal

SHAPE = Shape(
    in_channels=3,
    out_channels=2,
    base_channels=8,
    stem_kernel=5,
    block_kernel=3,
    dilations=(1, 2),
    encoder_levels=2,
    blocks_per_level=1,
    afno_blocks=2,
    modes=16,
    mixing_groups=2,
    kernels=3,
    embedding_dim=6,
    dropout=0.5,
)
PLAIN = replace(SHAPE, kernels=1, embedding_dim=0)
GRID = 16


def network(shape: Shape = SHAPE, seed: int = 0) -> UAFNO:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return UAFNO(shape)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def apply(net: UAFNO, x: torch.Tensor, seed: int = 1) -> torch.Tensor:
    embedding = normal(len(x), net.shape.embedding_dim, seed=seed)
    return net(x, net.condition(embedding if net.shape.embedding_dim else None))


@given(rows=st.integers(-4, 4), columns=st.integers(-4, 4), levels=st.integers(1, 3))
def test_translation_by_the_stride_commutes(rows, columns, levels):
    net, x = network(replace(SHAPE, encoder_levels=levels)), normal(2, 3, GRID, GRID)
    shift = (2**levels * rows, 2**levels * columns)
    moved = apply(net, x.roll(shift, (-2, -1)))
    torch.testing.assert_close(moved, apply(net, x).roll(shift, (-2, -1)), atol=1e-4, rtol=1e-4)


def test_the_mixing_commutes_with_every_translation():
    block = AFNOBlock(SHAPE.width(2), SHAPE)
    x = normal(2, SHAPE.width(2), 6, 6)
    torch.testing.assert_close(
        block._mix(x.roll((1, 2), (-2, -1))),
        block._mix(x).roll((1, 2), (-2, -1)),
        atol=1e-5,
        rtol=1e-4,
    )


def test_the_mixing_keeps_the_wavenumbers_up_to_modes_of_both_signs():
    block = AFNOBlock(SHAPE.width(2), replace(SHAPE, modes=2))
    spectrum = torch.fft.rfft2(block._mix(normal(1, SHAPE.width(2), 12, 12))).abs().amax((0, 1))
    ky = torch.fft.fftfreq(12, 1 / 12).abs()[:, None]
    kept = (ky <= 2) & (torch.arange(7) <= 2)
    assert (spectrum[kept] > 1e-3).all()
    assert (spectrum[~kept] < 1e-4).all()


@pytest.mark.parametrize("shape", [SHAPE, PLAIN], ids=["conditioned", "plain"])
def test_one_backward_pass_reaches_every_parameter(shape):
    net = network(shape)
    apply(net, normal(3, 3, GRID, GRID)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_every_normalization_and_every_mixed_kernel_depends_on_the_embedding():
    net = network()
    first, other = (net.condition(normal(1, SHAPE.embedding_dim, seed=s)) for s in (1, 2))
    for layer in net.modules():
        if isinstance(layer, Norm) or (isinstance(layer, Conv) and len(layer.weight) > 1):
            assert not torch.equal(first[layer], other[layer])


def test_rows_of_a_batch_do_not_see_each_other():
    net, x, embedding = network(), normal(3, 3, GRID, GRID), normal(3, SHAPE.embedding_dim)
    together = net(x, net.condition(embedding))
    for row in range(3):
        one = slice(row, row + 1)
        alone = net(x[one], net.condition(embedding[one]))
        torch.testing.assert_close(alone, together[one], atol=1e-5, rtol=1e-4)


def test_the_receptive_field_before_the_stride_is_what_the_shape_says():
    shape = replace(PLAIN, dilations=(1, 3))
    net = network(shape)
    x = normal(1, 3, 32, 32).requires_grad_()
    h = net.stem(x, net.stem.condition(None))
    for block in net.encoder[0]:  # without its normalization, which sees the whole domain
        h = h + block.conv(h, block.conv.condition(None))
    h[0, 0, 16, 16].backward()
    reached = x.grad.abs().sum((0, 1)).nonzero()
    assert (reached.amax(0) - reached.amin(0) + 1).tolist() == [shape.receptive_field] * 2


@given(size=st.floats(1e-3, 1e6))
def test_the_output_is_bounded_whatever_the_input(size):
    net = network(PLAIN)
    output = apply(net, size * normal(2, 3, GRID, GRID))
    # A normalized channel of n cells is at most sqrt(n - 1), and gelu is below its argument.
    bound = GRID * net.output.weight.abs().sum((1, 2, 3, 4))
    assert (output.abs().amax((0, 2, 3)) <= bound).all()


def test_mixed_kernels_are_one_convolution_with_the_mixture():
    conv = Conv(3, 4, 3, kernels=2, embedding_dim=5)
    x, embedding = normal(2, 3, 8, 8), normal(2, 5)
    found = conv(x, conv.condition(embedding))
    shares = conv.mixture(embedding)
    for row in range(2):
        kernel = shares[row, 0] * conv.weight[0] + shares[row, 1] * conv.weight[1]
        expected = torch.nn.functional.conv2d(wrap(x[row : row + 1], 1), kernel)
        torch.testing.assert_close(found[row : row + 1], expected, atol=1e-5, rtol=1e-4)


@given(margin=st.integers(1, 6))
def test_the_gradient_of_wrapping_is_that_of_circular_padding(margin):
    x, weight = normal(1, 2, 6, 6).requires_grad_(), normal(1, 2, 6 + 2 * margin, 6 + 2 * margin)
    (ours,) = torch.autograd.grad((wrap(x, margin) * weight).sum(), x)
    padded = torch.nn.functional.pad(x, (margin,) * 4, mode="circular")
    (theirs,) = torch.autograd.grad((padded * weight).sum(), x)
    torch.testing.assert_close(ours, theirs)


def test_interpolation_keeps_the_mean_and_knows_no_seam():
    x = normal(1, 1, 6, 6)
    torch.testing.assert_close(upsample(x).mean(), x.mean())
    torch.testing.assert_close(upsample(x.roll(1, -1)), upsample(x).roll(2, -1))


def test_dropout_keeps_the_mean_and_needs_a_generator():
    x = torch.ones(400, 50, 1, 1)
    dropped = drop_channels(x, 0.25, torch.Generator().manual_seed(0))
    assert set(dropped.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.75))}
    assert abs(float(dropped.mean()) - 1) < 0.02
    assert torch.equal(drop_channels(x, 0.25, None), x)


@pytest.mark.parametrize(("extract_from", "levels", "names"), PLACES)
def test_intermediate_features_have_the_sizes_of_their_levels(extract_from, levels, names):
    net = network(PLAIN)
    found = net.intermediate_features(
        normal(2, 3, GRID, GRID), net.condition(), extract_from, levels
    )
    assert set(found) == names
    for name, value in found.items():
        level = 2 if name == "bottleneck" else int(name[-1])
        assert value.shape == (2, PLAIN.width(level), GRID // 2**level, GRID // 2**level)


def test_a_level_that_does_not_exist_is_an_error():
    net = network(PLAIN)
    with pytest.raises(ValueError, match="0 … 1"):
        net.intermediate_features(normal(1, 3, GRID, GRID), net.condition(), "skips", (2,))


def test_a_grid_that_the_levels_do_not_divide_is_refused():
    net = network(PLAIN)
    with pytest.raises(Refusal, match="2 encoder levels need a multiple of 4, got 18"):
        net(normal(1, 3, 18, 18), net.condition())
