"""Finite scalar quantization: exact bits, round trips, and the same as the library of the field."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from vector_quantize_pytorch import FSQ

import tokenizer_cases as cases
from spinlock.tokenizer import initialization, report, scores, training
from spinlock.tokenizer.fsq import ScalarQuantizer, scalars

seeds = st.integers(0, 2**16)


def latents(seed: int, rows: int = 50, groups: int = 1, width: int = 4) -> torch.Tensor:
    return torch.randn(rows, groups, width, generator=torch.Generator().manual_seed(seed))


def drawn(levels, sizes, width: int = 4) -> ScalarQuantizer:
    made = ScalarQuantizer(levels, width, sizes)
    for seed, parameter in enumerate(made.parameters()):
        parameter.data = 2 * latents(seed, *parameter.shape)
    return made


def plain(sizes: tuple[int, ...]) -> ScalarQuantizer:
    """One group whose scalars are its latent."""
    made = ScalarQuantizer((len(sizes),), sum(len(scalars(size)) for size in sizes), sizes)
    for weight in (made.down, made.up):
        weight.data = torch.eye(weight.shape[1])[None]
    return made


@given(size=st.integers(1, 5000))
def test_the_steps_of_a_token_multiply_to_its_codes(size):
    steps = scalars(size)
    assert math.prod(steps) == size
    assert len(steps) == 1 or min(steps) >= 3


def test_a_token_has_many_even_scalars():
    assert scalars(24) == (6, 4)
    assert scalars(512) == (8, 4, 4, 4)
    assert scalars(23) == (23,)


@given(seed=seeds, size=st.sampled_from([5, 8, 9, 24, 240, 1000]))
def test_it_is_the_library_s(seed, size):
    ours, theirs = plain((size,)), FSQ(list(scalars(size)))
    z = 2 * latents(seed, width=len(scalars(size)))
    found = ours(z)
    torch.testing.assert_close(found.latents, theirs.quantize(z))
    assert torch.equal(found.tokens[..., 0], theirs.codes_to_indices(theirs.quantize(z)).long())


@given(seed=seeds)
def test_its_gradient_is_the_library_s(seed):
    ours, theirs, weights = plain((24,)), FSQ([6, 4]), latents(seed + 1, width=2)
    gradients = []
    for quantize in (lambda z: ours(z).latents, theirs.quantize):
        z = latents(seed, width=2).requires_grad_()
        (quantize(z) * weights).sum().backward()
        gradients.append(z.grad)
    torch.testing.assert_close(*gradients)


@given(seed=seeds)
def test_tokens_decode_to_the_quantized_latents(seed):
    made = drawn((3, 1, 2), (24, 8, 5))
    found = made(latents(seed, groups=3))
    torch.testing.assert_close(made.decode(found.tokens), found.latents)
    torch.testing.assert_close(
        made(latents(seed + 1, groups=3), found.tokens).latents, found.latents
    )
    assert (found.tokens[:, 1, 1:] == 0).all()
    assert (found.tokens[:, 2, 2:] == 0).all()
    assert torch.equal(made.grid(made.flat(found.tokens)), found.tokens)


def test_every_token_is_its_own_code():
    made, tokens = plain((24,)), torch.arange(24)[:, None, None]
    step = made.unit(tokens) * (made.steps // 2)
    z = torch.atanh((step + made.offset) / made.scale) - made.shift
    torch.testing.assert_close(made.bound(z), step)
    assert torch.equal(made(z).tokens, tokens)
    assert len(made.decode(tokens).unique(dim=0)) == 24


def test_groups_do_not_see_each_other():
    made, points = drawn((2, 1, 2), (6, 4)), latents(1, groups=3)
    changed = points.clone()
    changed[:, 1] += 1.0
    assert torch.equal(made(changed).tokens[:, [0, 2]], made(points).tokens[:, [0, 2]])


def test_bits_are_those_of_codebooks():
    assert ScalarQuantizer((1, 2), 4, (24, 8)).bits == pytest.approx(2 * math.log2(24) + 3)


def test_the_start_spreads_the_rows_over_the_steps_and_decodes_best():
    made, points = ScalarQuantizer((2, 1), 4, (24, 24)), 3 * latents(1, 500, 2) + 1
    initialization.start_scalars(made, points, torch.ones(500, 2))
    found = made(points)
    assert len(found.tokens[:, 0, 0].unique()) == 24
    error = (found.latents - points).square().sum()
    assert error < 0.7 * (points - points.mean(0)).square().sum()
    for parameter in (made.up, made.up_bias):
        parameter.data *= 1.01
        assert (made(points).latents - points).square().sum() > error
        parameter.data /= 1.01


def test_a_tokenizer_of_scalars_learns_with_the_same_interface(tmp_path):
    made = cases.source(120)
    model = cases.build(*made, **cases.GRID, epochs=8, batch_size=64)
    sets = report.training_examples(model, made[1]), report.validation_examples(model, made[1])
    history = list(training.fit(model, *sets, 7, None))
    quantized = [record["reconstruction"] for record in history[2:]]
    assert min(quantized) < quantized[0] < 1.0
    assert model.bits == cases.build(*made).bits
    features = made[1].aggregated.take(torch.arange(5))
    tokens = model.tokens(model.latents(features))
    assert model.decode(tokens).summary.isfinite().all()
    cells = model.decoder(model.quantize(model.latents(features)).latents).detach()
    torch.testing.assert_close(model.decode(tokens).summary, model.arrange(cells).summary)
    assert scores.utilization(scores.counts(tokens, model.sizes)) > 0
