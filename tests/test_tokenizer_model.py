"""What the tokenizer promises its users: isolation, rows alone, round trips, refusals."""

from dataclasses import replace

import pytest
import torch

import synthetic_features as synthetic
import tokenizer_cases as cases
from spinlock.refusals import Refusal
from spinlock.tokenizer import initialization
from spinlock.tokenizer import model as tokenizer
from spinlock.tokenizer.model import Tokenizer


@pytest.fixture(scope="module")
def made():
    return cases.source()


@pytest.fixture(scope="module")
def model(made):
    return cases.started(*made)


@pytest.fixture(scope="module")
def raw():
    return synthetic.features(60).aggregated.take(torch.tensor([0, 1, 3, 4, 5]))


@pytest.mark.parametrize("category", range(5))
def test_a_latent_depends_on_the_columns_of_its_category_alone(made, model, category):
    cleaned = made[1].aggregated.take(torch.arange(3, 9))
    owner = model.layout.categories[category]
    changed = replace(
        cleaned,
        initial=_moved(cleaned.initial, owner.initial),
        summary=_moved(cleaned.summary, owner.summary),
        temporal=_moved(cleaned.temporal, owner.temporal),
    )
    same = (model.latents(changed) == model.latents(cleaned)).all(-1).all(0)
    assert same.tolist() == [i != category for i in range(5)]


def test_the_field_reaches_the_initial_categories_and_no_other(made, model):
    cleaned = made[1].aggregated.take(torch.arange(3, 9))
    changed = replace(cleaned, fields=cleaned.fields * 2)
    same = (model.latents(changed) == model.latents(cleaned)).all(-1).all(0)
    assert same.tolist() == [False, False, True, True, True]


def test_decoding_keeps_initial_and_the_others_apart_in_both_directions(model):
    z = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    initial = sum(model.layout.sizes[:2])
    cells = model.decoder(z)
    of_initial, of_others = (
        torch.autograd.grad(part.sum(), z, retain_graph=True)[0].abs().sum((0, 2)) > 0
        for part in (cells[:, :initial], cells[:, initial:])
    )
    assert of_initial.tolist() == [True, True, False, False, False]
    assert of_others.tolist() == [False, False, True, True, True]


def test_partial_decoders_read_their_own_category_alone(model):
    z = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for category, part in enumerate(model.partial(z).split(model.layout.sizes, 1)):
        gradient = torch.autograd.grad(part.sum(), z, retain_graph=True)[0].abs().sum((0, 2))
        assert (gradient > 0).tolist() == [i == category for i in range(5)]


def test_rows_are_encoded_alone(model, raw):
    together = model.encode(raw)
    alone = torch.cat([model.encode(raw.take([row])) for row in range(len(raw))])
    assert torch.equal(together, alone)


def test_few_rows_take_the_path_of_many(model, raw, monkeypatch):
    """A matrix product of a few rows may round otherwise than one of many."""
    counts, latents = [], model.latents
    monkeypatch.setattr(model, "latents", lambda c: counts.append(len(c)) or latents(c))
    sets = [raw.take(torch.arange(count) % len(raw)) for count in (1, 31, 33)]
    assert [len(model.encode(found)) for found in sets] == [1, 31, 33]
    assert counts == [32, 32, 33]


def test_latents_are_those_of_rows_alone_in_any_order(made, model):
    cleaned = made[1].aggregated
    together = model.latents(cleaned)
    order = torch.randperm(len(cleaned), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.latents(cleaned.take(order)), together[order])
    alone = torch.cat([model.latents(cleaned.take([row])) for row in range(8)])
    torch.testing.assert_close(alone, together[:8])


def test_the_network_along_time_reads_the_temporal_cells_and_no_other(made, model):
    inputs = model.inputs(made[1].aggregated)
    encoder, layout = model.encoder, model.layout
    before = encoder.series(series_of(model, inputs.cells))
    seen: list[torch.Tensor] = []
    handle = encoder.series.register_forward_hook(lambda *call: seen.append(call[-1]))
    encoder(inputs)
    handle.remove()
    assert torch.equal(seen[0], before)
    first = sum(layout.sizes[: encoder.dynamic[0]]) + layout.static_sizes[encoder.dynamic[0]]
    moved = inputs.cells.clone()
    moved[:, first] += 1.0
    changed = (encoder.series(series_of(model, moved)) != before).any(-1).any(0)
    assert changed.tolist() == [True] + [False] * (len(encoder.dynamic) - 1)


def series_of(model: Tokenizer, cells: torch.Tensor) -> list[torch.Tensor]:
    """TEMPORAL cells of the categories that have any, by the layout."""
    parts = cells.split(model.layout.sizes, 1)
    return [parts[i][:, model.layout.static_sizes[i] :] for i in model.encoder.dynamic]


def test_the_temporal_embedding_reads_column_after_column(made, model):
    inputs = model.inputs(made[1].aggregated)
    series = model.arrange(inputs.cells).temporal.transpose(1, 2).flatten(1)
    expected = model.families.encoders["temporal"]([series])[:, 0]
    assert torch.equal(model.families(inputs)["temporal"], expected)


def test_masks_reach_the_latents_through_the_correction_alone(made):
    model = cases.build(*made)
    cleaned = made[1].aggregated
    unseen = replace(cleaned, summary_mask=torch.zeros_like(cleaned.summary_mask))
    zero = replace(cleaned, summary=torch.zeros_like(cleaned.summary))
    of_masks = (model.latents(replace(unseen, summary=zero.summary)) - model.latents(zero)).abs()
    assert of_masks.amax() > 1e-3
    inputs = model.inputs(cleaned)
    initialization.start_from_principal_axes(model, inputs.cells, inputs.exists)
    sizes = zip(model.encoder.extra, model.layout.static_sizes, strict=True)
    for weight, (extra, masks) in zip(model.encoder.affine.weights, sizes, strict=True):
        assert (weight[extra : extra + masks] == 0).all()
        assert (weight[extra + masks :] != 0).any()


@pytest.mark.parametrize("quantizer", [{"quantizer": "residual"}, cases.GRID])
def test_tokens_are_those_of_training_and_known_dimensions_of_the_field_change_nothing(
    made, raw, quantizer
):
    model = cases.started(*made, **quantizer)
    cleaned = model.cleaner.apply(raw, smooth=False)
    in_training = model.quantize(model.latents(cleaned)).tokens
    assert torch.equal(model.encode(raw), model.quantizer.flat(in_training))
    known = model.encoder.dimensions(raw.fields).detach()
    still = replace(cleaned, fields=torch.zeros_like(cleaned.fields))
    assert torch.equal(model.tokens(model.latents(still, known)), model.encode(raw))


def test_tokens_have_names_and_stay_in_their_codebooks(model, raw):
    tokens = model.encode(raw)
    assert tokens.dtype == torch.int64
    assert tokens.shape == (len(raw), len(model.token_names))
    assert model.token_names[:3] == ("initial_0/0", "initial_0/1", "initial_1/0")
    assert (tokens.unflatten(1, (-1, 2)).amax((0, 1)) < torch.tensor([8, 6])).all()
    assert model.bits == pytest.approx(5 * 5.585, rel=1e-4)


def test_decoded_tokens_are_the_decoded_quantized_latents(made, model, raw):
    decoded = model.decode(model.encode(raw))
    latents = model.latents(model.cleaner.apply(raw, smooth=False))
    expected = model.arrange(model.decoder(model.quantize(latents).latents))
    torch.testing.assert_close(decoded.initial, expected.initial)
    torch.testing.assert_close(decoded.temporal, expected.temporal)
    assert decoded.summary.shape == (len(raw), len(made[0].kept["summary"]))


def test_cells_arranged_by_family_are_the_cleaned_columns(made, model):
    cleaned = made[1].aggregated.take(torch.tensor([0, 1, 3]))
    found = model.arrange(model.inputs(cleaned).cells)
    torch.testing.assert_close(found.initial, cleaned.initial)
    torch.testing.assert_close(found.summary, cleaned.summary * cleaned.summary_mask)
    torch.testing.assert_close(found.temporal, cleaned.temporal.unflatten(1, (4, 2)).mean(2))


def test_a_saved_tokenizer_is_the_same_and_its_file_has_the_same_bytes(model, raw, tmp_path):
    model.save(tmp_path / "one.pt")
    loaded = tokenizer.load(tmp_path / "one.pt")
    loaded.save(tmp_path / "two.pt")
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    assert torch.equal(loaded.encode(raw), model.encode(raw))
    assert loaded.config == model.config
    assert loaded.token_names == model.token_names


def test_the_gradient_of_code_distance_passes_to_raw_features(model, raw):
    features = replace(raw, summary=raw.summary.clone().requires_grad_())
    latents = model.latents(model.cleaner.apply(features, smooth=True))
    model.code_distance(latents).sum().backward()
    gradient = features.summary.grad
    assert gradient.isfinite().all()
    assert (gradient != 0).any(0).sum() == len(model.layout.columns["summary"])


def test_code_distance_is_zero_at_the_codes_and_least_for_the_nearest_of_one_level(made):
    model = cases.started(*made, num_levels=1, codebook_size=8, latent_dim=6)
    cleaned = made[1].aggregated.take(made[1].rows("train"))
    latents = model.latents(cleaned).detach()
    nearest = model.code_distance(latents)
    for code in range(8):
        others = torch.full((len(latents), 5, 1), code)
        assert (model.code_distance(latents, others) >= nearest - 1e-5).all()
    found = model.quantize(latents)
    torch.testing.assert_close(
        model.code_distance(found.latents, found.tokens), torch.zeros(len(latents), 5)
    )


def test_given_codes_stand_still_and_the_latents_move_towards_them(made, model):
    z = model.latents(made[1].aggregated.take(torch.arange(3, 9))).detach().requires_grad_()
    tokens = torch.zeros(6, 5, 2, dtype=torch.int64)
    model.code_distance(z, tokens).sum().backward()
    torch.testing.assert_close(z.grad, 2 * (z - model.quantizer.decode(tokens)).detach())


def test_embeddings_have_the_declared_sizes(made, model):
    found = model.embeddings(made[1].aggregated.take([0, 1]))
    assert {name: value.shape[1] for name, value in found.items()} == {
        "initial": 14 + 3,
        "summary": 6,
        "temporal": 6,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: replace(c, summary=c.summary[:, 1:], summary_mask=c.summary_mask[:, 1:]),
            "summ",
        ),
        (
            lambda c: replace(c, temporal=c.temporal[:, 1:], temporal_mask=c.temporal_mask[:, 1:]),
            "8",
        ),
        (lambda c: replace(c, fields=c.fields[:, :1]), "expected 2 channels, got 1"),
    ],
)
def test_other_columns_steps_or_channels_are_refused(made, model, change, message):
    with pytest.raises(Refusal, match=message):
        model.latents(change(made[1].aggregated))


@pytest.mark.parametrize("tokens", [torch.zeros(2, 9, dtype=torch.int64), torch.full((2, 10), 7)])
def test_tokens_that_do_not_exist_are_refused(model, tokens):
    with pytest.raises(Refusal, match="tokens: .*expected"):
        model.decode(tokens)


def test_features_with_other_columns_are_refused_by_name(model):
    names = {family: list(columns) for family, columns in synthetic.NAMES.items()}
    names["summary"][0] = "summary.other"
    with pytest.raises(Refusal, match="summary.other"):
        model.cleaner.check(names, "features.h5")


def _moved(values: torch.Tensor, columns: tuple[int, ...]) -> torch.Tensor:
    moved = values.clone()
    moved[..., list(columns)] += 0.5
    return moved


def test_a_source_of_other_columns_than_the_cleaners_is_refused():
    cleaner, cleaned = cases.source()
    first, second, *rest = cleaned.columns["summary"]
    for names in ((second, first, *rest), (first, "summary.other", *rest)):
        other = replace(cleaned, columns={**cleaned.columns, "summary": names})
        with pytest.raises(Refusal, match="columns of the cleaned features are not those"):
            cases.build(cleaner, other)
