"""The decoder's linear correction: a ridge regression, of its block alone, that moves no token."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

import tokenizer_cases as cases
from spinlock.tokenizer import readout, report
from spinlock.tokenizer.examples import Examples
from spinlock.tokenizer.model import Tokenizer

ONCE = {"jitter": 0.0, "readout": replace(cases.CONFIG.readout, copies=1)}


@pytest.fixture(scope="module")
def made():
    return cases.source()


def started(made, **changes) -> tuple[Tokenizer, Examples]:
    """A tokenizer with codes, and its training rows."""
    model = cases.started(*made, **changes)
    return model, report.training_examples(model, made[1])


@torch.no_grad()
def read(model: Tokenizer, train: Examples) -> tuple[torch.Tensor, torch.Tensor]:
    """Quantized latents of the rows, and what the decoder leaves over of them."""
    latents = model.quantize(model.encoder(train.inputs)).latents
    return latents, (train.inputs.cells - model.decoder(latents)) * (train.inputs.exists > 0)


def cells_of(model: Tokenizer, group: int) -> slice:
    ends = np.cumsum([0, *model.layout.sizes])
    return slice(ends[group], ends[group + 1])


def test_it_is_the_ridge_regression_of_the_library(made):
    model, train = started(made, **ONCE)
    latents, rest = read(model, train)
    readout.fit(model, train, 7)
    _, left = read(model, train)
    config, share = model.config.readout, train.groups.amax(1).double().numpy()
    for block in model.decoder.blocks:
        x = latents[:, list(block)].double().numpy()
        variance = np.average((x - np.average(x, 0, share)) ** 2, 0, share).mean()
        for group in block:
            operators = np.where(np.array(block) == group, config.own, config.others)
            penalty = np.repeat(operators / train.num_operators * variance, x.shape[2])
            scaled = x.reshape(len(x), -1) / np.sqrt(penalty)
            cells = cells_of(model, group)
            oracle = Ridge(alpha=share.sum()).fit(scaled, rest[:, cells].double(), share)
            seen = (train.inputs.exists[:, cells] > 0).numpy()
            wanted = (rest[:, cells].numpy() - oracle.predict(scaled)) * seen
            np.testing.assert_allclose(left[:, cells], wanted, atol=1e-4)


def test_it_lowers_the_error_and_moves_nothing_but_the_readout(made):
    model, train = started(made, **ONCE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    (latents, rest), weights = read(model, train), train.cells
    readout.fit(model, train, 7)
    again, left = read(model, train)
    assert torch.equal(again, latents)
    assert (weights * left.square()).sum() < 0.99 * (weights * rest.square()).sum()
    after = model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    corrections = {f"decoder.correction_{block}" for block in range(2)}
    assert moved == {"decoder.own.bias", "decoder.fitted"} | corrections


def test_the_blocks_still_see_nothing_of_each_other(made):
    model, train = started(made)
    readout.fit(model, train, 7)
    latents = read(model, train)[0]
    for block in model.decoder.blocks:
        other = latents.clone()
        other[:, list(block)] += 1
        with torch.no_grad():
            changed = (model.decoder(other) != model.decoder(latents)).any(0)
        for group in range(len(model.categories)):
            assert changed[cells_of(model, group)].any() == (group in block)


def test_a_category_is_corrected_by_the_others_of_its_block(made):
    model, train = started(made)
    readout.fit(model, train, 7)
    block = model.decoder.blocks[1]
    width = model.config.group_embedding_dim
    weights = model.decoder.correction(1).unflatten(0, (len(block), width))
    own = cells_of(model, block[0])
    assert weights[1:, :, : own.stop - own.start].abs().max() > 1e-2


def test_operators_that_say_nothing_outvote_the_others(made):
    strict = replace(cases.CONFIG.readout, own=1e12, others=1e12)
    model, train = started(made, readout=strict)
    readout.fit(model, train, 7)
    assert model.decoder.correction(1).abs().max() < 1e-8


def test_without_copies_there_is_no_correction(made):
    model, train = started(made, readout=replace(cases.CONFIG.readout, copies=0))
    before = read(model, train)[1]
    readout.fit(model, train, 7)
    assert not model.decoder.fitted
    assert torch.equal(read(model, train)[1], before)


def test_copies_are_jittered_and_read_in_any_number_of_parts(made, monkeypatch):
    still = {"jitter": 0.0, "readout": replace(cases.CONFIG.readout, copies=3)}
    models = [started(made, **changes)[0] for changes in (ONCE, still, still, {})]
    train = started(made)[1]
    for number, model in enumerate(models):
        monkeypatch.setattr(readout, "AT_ONCE", 7 if number == 2 else 4096)
        readout.fit(model, train, 7)
    once, thrice, parts, jittered = (model.decoder.correction(1) for model in models)
    torch.testing.assert_close(thrice, once, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(parts, once, atol=1e-5, rtol=1e-4)
    assert (jittered - once).abs().max() > 1e-2


def test_a_second_fit_corrects_what_the_first_leaves_over(made):
    model, train = started(made, **ONCE)
    errors = []
    for _ in range(3):
        errors.append(float((train.cells * read(model, train)[1].square()).sum()))
        readout.fit(model, train, 7)
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("code", [0.0, 0.3, 30.0])
def test_latents_that_are_all_the_same_correct_by_a_constant(made, code):
    model, train = started(made, **ONCE)
    for level in range(2):
        model.quantizer.codes(level).data.fill_(code)
    with torch.no_grad():
        before = model.decoder(model.quantizer.decode(torch.zeros(2, 5, 2, dtype=torch.int64)))
    readout.fit(model, train, 7)
    for block in range(2):
        assert model.decoder.correction(block).abs().max() < 1e-3
    share = train.groups.amax(1, keepdim=True)
    whole = (train.inputs.exists > 0).all(0)
    assert whole.any()
    wanted = ((train.inputs.cells - before[0]) * share).mean(0)
    with torch.no_grad():
        found = model.decoder(model.quantizer.decode(torch.zeros(2, 5, 2, dtype=torch.int64)))
    moved = (found - before)[0]
    torch.testing.assert_close(moved[whole], wanted[whole], atol=1e-2 * max(1, code), rtol=1e-2)
