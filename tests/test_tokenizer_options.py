"""Every option of the section changes the tokenizer, and equal options make equal bytes."""

from dataclasses import fields, replace

import pytest
import torch

import tokenizer_cases as cases
from spinlock.tokenizer import report, training
from spinlock.tokenizer.config import Config, FamilyConfig, LossConfig, ReadoutConfig

BASE = {"warmup_epochs": 1, "epochs": 2}
OTHERS = {
    "seed": 1,
    "group_embedding_dim": 7,
    "group_hidden_dim": 9,
    "group_temporal_channels": 5,
    "group_temporal_blocks": 2,
    "field_channels": (5,),
    "field_dim": 4,
    "decoder_hidden_dim": 9,
    "temporal_bins": 2,
    "codebook_size": (7, 6),
    "latent_dim": (4, 2),
    "search_width": 1,
    "ema_decay": 0.8,
    "commitment": 0.5,
    "reset_below": 100.0,
    "jitter": 0.2,
    "single_view_weight": 0.5,
    "learning_rate": 2e-2,
    "encoder_learning_rate": 2e-3,
    "code_learning_rate": 2e-2,
    "weight_decay": 1e-1,
    "batch_size": 16,
    "warmup_epochs": 0,
}
OTHER_LOSSES = {field.name: 0.5 for field in fields(LossConfig)} | {"topographic_pairs": 32}
OTHER_FAMILIES = {
    "summary_hidden": (9,),
    "summary_dim": 7,
    "temporal_channels": 5,
    "temporal_blocks": 2,
    "temporal_dim": 7,
}
OTHER_READOUTS = {"copies": 3, "own": 2.0, "others": 20.0}
PARTS = {"losses", "families", "readout"}
# These have tests of their own, below; patience in test_tokenizer_training.py.
ELSEWHERE = {"num_levels", "levels", "quantizer", "epochs", "patience"} | PARTS
LEVELS = {"latent_dim": 4, "codebook_size": 8}  # one number each, as allocation needs them


@pytest.fixture(scope="module")
def made():
    return cases.source()


def train(made, **changes) -> dict[str, torch.Tensor]:
    """Weights of a short training."""
    model = cases.build(*made, **(BASE | changes))
    sets = report.training_examples(model, made[1]), report.validation_examples(model, made[1])
    for _ in training.fit(model, *sets, 7, None):
        pass
    return model.state_dict()


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def plain(made):
    return train(made)


def test_equal_options_make_equal_weights(made, plain):
    assert same(train(made), plain)


def test_no_option_is_forgotten_here():
    assert {f.name for f in fields(Config)} == OTHERS.keys() | ELSEWHERE
    assert {f.name for f in fields(LossConfig)} == OTHER_LOSSES.keys()
    assert {f.name for f in fields(FamilyConfig)} == OTHER_FAMILIES.keys()
    assert {f.name for f in fields(ReadoutConfig)} == OTHER_READOUTS.keys()


@pytest.mark.parametrize("name", OTHERS)
def test_every_option_changes_the_tokenizer(made, plain, name):
    assert not same(train(made, **{name: OTHERS[name]}), plain)


@pytest.mark.parametrize("name", OTHER_LOSSES)
def test_every_option_of_the_losses_changes_the_tokenizer(made, plain, name):
    losses = replace(cases.LOSSES, **{name: OTHER_LOSSES[name]})
    assert not same(train(made, losses=losses), plain)


@pytest.mark.parametrize("name", OTHER_FAMILIES)
def test_every_option_of_the_families_changes_the_tokenizer(made, plain, name):
    families = replace(cases.CONFIG.families, **{name: OTHER_FAMILIES[name]})
    assert not same(train(made, families=families), plain)


@pytest.mark.parametrize("name", OTHER_READOUTS)
def test_every_option_of_the_readout_changes_the_tokenizer(made, plain, name):
    readout = replace(cases.CONFIG.readout, **{name: OTHER_READOUTS[name]})
    assert not same(train(made, readout=readout), plain)


def test_the_number_of_levels_and_their_allocation_change_the_tokens(made):
    uniform = cases.build(*made, **LEVELS)
    fewer = cases.build(*made, **LEVELS, num_levels=1)
    allocated = cases.build(*made, **LEVELS, levels="allocated")
    assert fewer.bits == uniform.bits / 2
    assert allocated.bits == uniform.bits
    assert allocated.token_names != uniform.token_names


def test_a_later_epoch_can_be_the_best(made):
    slow = {"learning_rate": 3e-3, "losses": replace(cases.LOSSES, symbols=0.0)}
    assert not same(train(made, **slow), train(made, **slow, epochs=6))


def test_a_grid_needs_no_losses_of_codes_and_makes_another_tokenizer(made):
    learned = train(made, losses=cases.GRID["losses"])
    assert not same(train(made, **cases.GRID), learned)


def test_another_seed_draws_other_weights_jitter_and_allocation_from_the_same_root(made):
    config = replace(cases.CONFIG, seed=1)
    assert config.own_seed(7) == replace(cases.CONFIG, seed=1).own_seed(7)
    assert (
        len({replace(cases.CONFIG, seed=s).own_seed(root) for s in (0, 1, 2) for root in (7, 8)})
        == 6
    )


def test_without_widths_the_encoder_is_affine(made):
    none = {"group_hidden_dim": 0, "group_temporal_channels": 0, "group_temporal_blocks": 0}
    model = cases.build(*made, **none)
    inner = [name for name, _ in model.encoder.named_parameters()]
    assert {name.split(".")[0] for name in inner} == {"affine", "field"}
    cleaned = made[1].aggregated
    one, two, three = (model.inputs(cleaned.take(range(at, at + 9))) for at in (0, 20, 40))
    known = model.encoder.dimensions(one.fields)
    mixed = replace(one, cells=one.cells + 2 * (two.cells - three.cells))
    read = [model.encoder(replace(x, exists=one.exists), known) for x in (mixed, one, two, three)]
    torch.testing.assert_close(read[0], read[1] + 2 * (read[2] - read[3]))
    assert not same(train(made, **none), train(made, group_hidden_dim=0))


@pytest.mark.parametrize("widths", [(0, 1), (4, 0)])
def test_a_network_along_time_has_both_sizes_or_neither(widths):
    channels, blocks = widths
    with pytest.raises(ValueError, match="allowed both 0 or both at least 1, got"):
        replace(cases.CONFIG, group_temporal_channels=channels, group_temporal_blocks=blocks)


def test_sizes_by_level_as_in_the_earlier_work(made):
    sizes = {"group_embedding_dim": 32, "num_levels": 3}
    model = cases.started(*made, **sizes, latent_dim=(32, 16, 8), codebook_size=(128, 256, 512))
    assert model.sizes == ((128, 256, 512),) * 5
    assert [model.quantizer.codes(level).shape[1:] for level in range(3)] == [
        (128, 32),
        (256, 16),
        (512, 8),
    ]
    cleaned = made[1].aggregated.take(made[1].rows("train"))
    tokens = model.tokens(model.latents(cleaned))
    assert (tokens.amax(0) < torch.tensor([128, 256, 512] * 5)).all()
    assert model.decode(tokens).summary.isfinite().all()
