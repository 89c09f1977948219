"""Training: where gradients go, what rows may decide, and a run that is killed and resumed."""

from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

import tokenizer_cases as cases
from spinlock.refusals import Refusal
from spinlock.tokenizer import initialization, objective, report, scores, training
from spinlock.tokenizer.config import LossConfig
from spinlock.tokenizer.model import Tokenizer

WEIGHTS = (
    "reconstruction",
    "vq",
    "codebook",
    "symbols",
    "orthogonality",
    "informativeness",
    "topographic",
    "families",
)


@pytest.fixture(scope="module")
def made():
    return cases.source()


def only(*names: str) -> LossConfig:
    switched = {f.name: getattr(cases.LOSSES, f.name) for f in fields(LossConfig)}
    return LossConfig(**(switched | {n: float(n in names) for n in WEIGHTS}))


def run(made, folder=None, stop=None, **changes):
    """Train; stop the generator after some epochs if asked to."""
    model = cases.build(*made, **changes)
    train = report.training_examples(model, made[1])
    validation = report.validation_examples(model, made[1])
    history = []
    for record in training.fit(model, train, validation, 7, folder):
        history.append(record)
        if len(history) == stop:
            break
    return model, history


def losses_of(model, batch, pairs, quantized=True):
    """Every loss, and the codes."""
    made = objective.forward(model, batch, quantized)
    return objective.terms(model, batch, pairs, made), made.codes


def gradients(made, losses: LossConfig, quantized: bool = True) -> set[str]:
    """Which modules the losses reach; every gradient is finite."""
    model = cases.started(*made, losses=losses)
    batch = report.training_examples(model, made[1])
    pairs = torch.randint(len(batch.cells), (2, 64), generator=torch.Generator().manual_seed(0))
    found = losses_of(model, batch, pairs, quantized)[0]
    objective.total(found, losses).backward()
    reached: dict[str, bool] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), name
            part = name.split(".")[0]
            reached[part] = reached.get(part, False) or bool((parameter.grad != 0).any())
    return {part for part, moved in reached.items() if moved}


@pytest.mark.parametrize(
    ("loss", "parts"),
    [
        ("reconstruction", {"encoder", "quantizer", "decoder"}),
        ("vq", {"encoder", "quantizer"}),
        ("codebook", {"quantizer"}),
        ("symbols", {"encoder", "quantizer"}),
        ("orthogonality", {"encoder"}),
        ("informativeness", {"encoder", "quantizer", "partial"}),
        ("topographic", {"encoder", "quantizer"}),
        ("families", {"families"}),
    ],
)
def test_each_loss_reaches_its_parts_and_no_other(made, loss, parts):
    assert gradients(made, only(loss)) == parts


def test_without_quantization_no_loss_reaches_the_codes(made):
    assert gradients(made, cases.LOSSES, quantized=False) == {
        "encoder",
        "decoder",
        "partial",
        "families",
    }


def test_every_parameter_is_reached(made):
    model = cases.started(*made)
    batch = report.training_examples(model, made[1])
    pairs = torch.randint(len(batch.cells), (2, 64), generator=torch.Generator().manual_seed(0))
    found = losses_of(model, batch, pairs)[0]
    objective.total(found, model.config.losses).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name


def test_a_loss_of_weight_zero_is_not_computed(made):
    model = cases.started(*made, losses=only("reconstruction"))
    batch = report.validation_examples(model, made[1])
    found = losses_of(model, batch, torch.tensor([[0], [1]]))[0]
    assert set(found) == {"reconstruction"}


def test_the_losses_of_the_codes_by_hand(made, monkeypatch):
    """Symbols: the first operators, each in its first view. Codebook: rows and columns weigh."""
    monkeypatch.setattr(objective, "PAIRED", 6)
    model = cases.started(*made, losses=replace(cases.LOSSES, symbols_temperature=0.4))
    batch = report.training_examples(model, made[1])
    assert batch.views > 1
    assert batch.num_operators > 6
    found, codes = losses_of(model, batch, torch.tensor([[0], [1]]))
    rows = slice(0, 6 * batch.views, batch.views)
    soft = model.quantizer.probabilities(codes, rows, 0.4).detach().numpy()
    cells, exists = batch.inputs.cells[rows].numpy(), batch.inputs.exists[rows].numpy() > 0
    apart, shared = [], []
    for i, j in combinations(range(6), 2):
        both = model.layout.weights().numpy() * exists[i] * exists[j]
        apart.append((both * (cells[i] - cells[j]) ** 2).sum() / both.sum())
        shared.append(soft[i] @ soft[j])
    expected = 1 - np.corrcoef(rankdata(apart), np.negative(shared))[0, 1]
    assert found["symbols"].item() == pytest.approx(expected, rel=1e-3)
    latents = model.encoder(batch.inputs)
    rest = (latents - model.quantizer.decode(codes.tokens)).square().sum(2).detach().numpy()
    assert len(np.unique(batch.groups)) > 1
    columns = np.array([len(names) for names in model.mapping.values()])
    expected = (rest * batch.groups.numpy()).mean(0) @ columns / columns.sum()
    assert found["codebook"].item() == pytest.approx(expected, rel=1e-4)


def test_the_codes_start_with_the_counts_of_a_step(made):
    """Of the rows that a step has, not of the most that it may have."""
    model = cases.build(*made)
    train = report.training_examples(model, made[1])
    assert train.num_operators % 3 == 0
    most = train.num_operators // 3 + 1  # three steps, of fewer operators than they may have
    model = cases.build(*made, warmup_epochs=0, ema_decay=1 - 1e-9, batch_size=most * train.views)
    epochs = training.fit(model, train, report.validation_examples(model, made[1]), 7, None)
    next(epochs)
    rows = train.groups[:, model.quantizer.groups(0)].sum(0) / 3
    torch.testing.assert_close(model.quantizer.counts(0).sum(1), rows, rtol=1e-4, atol=0)


def test_rows_count_by_their_weight_when_the_codes_start(made):
    model = cases.started(*made)
    train = report.training_examples(model, made[1])
    tokens = model.quantizer.choose(model.encoder(train.inputs).detach())
    assert len(np.unique(train.groups)) > 1
    for place, group in enumerate(model.quantizer.groups(0)):
        counts = model.quantizer.counts(0)[place]
        expected = tokens[:, group, 0].bincount(train.groups[:, group], minlength=len(counts))
        torch.testing.assert_close(counts, expected)


def test_a_step_has_room_for_all_views_of_an_operator(made):
    train = report.training_examples(cases.build(*made), made[1])
    allowed = f"train_vqvae.batch_size: must be at least {train.views}, .* got {train.views - 1}"
    with pytest.raises(Refusal, match=allowed):
        run(made, batch_size=train.views - 1)
    run(made, batch_size=train.views, stop=1)


@pytest.mark.parametrize(("parts", "steps"), [(3, 3), (2.5, 3), (1, 1)])
def test_the_steps_of_an_epoch_are_few_and_of_as_many_operators_give_or_take_one(
    made, monkeypatch, parts, steps
):
    taken = []
    jittered = report.Examples.jittered
    monkeypatch.setattr(
        report.Examples,
        "jittered",
        lambda self, operators, *rest: (
            taken.append(len(operators)) or jittered(self, operators, *rest)
        ),
    )
    train = report.training_examples(cases.build(*made), made[1])
    assert train.num_operators % 3 == 0
    most = int(train.num_operators / parts)
    run(made, warmup_epochs=1, epochs=1, batch_size=most * train.views + 1, stop=1)
    assert len(taken) == steps
    assert max(taken) - min(taken) <= 1
    assert sum(taken) == train.num_operators


def test_a_code_that_was_reset_has_no_momentum():
    codes = torch.nn.Parameter(torch.ones(2, 3, 4))
    optimizer = torch.optim.AdamW([codes], lr=0.1)
    codes.square().sum().backward()
    optimizer.step()
    moved = torch.zeros(2, 3, dtype=torch.bool)
    moved[1, 2] = True
    training._forget(optimizer, codes, moved)
    state = optimizer.state[codes]
    assert torch.equal(state["exp_avg"] == 0, moved[..., None].expand(2, 3, 4))
    assert (state["exp_avg_sq"] > 0).all()


def test_a_code_that_was_reset_late_takes_no_longer_steps_than_others():
    codes = torch.nn.Parameter(torch.zeros(1, 2, 1))
    optimizer = torch.optim.AdamW([codes], lr=1.0, weight_decay=0.0)
    moved = torch.tensor([[False, True]])
    for step in range(2040):
        if step == 2000:
            training._forget(optimizer, codes, moved)
            start = codes.detach().clone()
        codes.grad = torch.ones_like(codes)
        optimizer.step()
    other, late = (start - codes.detach())[0, :, 0].tolist()
    assert 0.5 * other < late < other


def test_codes_that_are_reset_at_every_step_never_have_any(made):
    model = cases.build(*made, warmup_epochs=0, reset_below=1e9)
    sets = report.training_examples(model, made[1]), report.validation_examples(model, made[1])
    once = training._Run(model, *sets, 7)
    once.start()
    once.epoch()
    for level in range(2):
        state = once.optimizer.state[model.quantizer.codes(level)]
        assert state["step"] > 1
        assert not state["exp_avg"].any()
        assert state["exp_avg_sq"].unique().numel() == 1


def test_codes_do_not_decay(made):
    """Of what reaches them next to nothing is left, so that decay alone could move them."""
    still = replace(only("reconstruction", "codebook"), codebook=1e-12)
    one, two = (
        run(made, losses=still, weight_decay=decay, encoder_learning_rate=1e-12, ema_decay=0.999)[0]
        for decay in (0.0, 10.0)
    )
    for level in range(2):
        torch.testing.assert_close(
            one.quantizer.codes(level), two.quantizer.codes(level), rtol=1e-3, atol=1e-3
        )


def test_the_target_is_the_input_and_has_no_gradient(made):
    model = cases.started(*made)
    batch = report.validation_examples(model, made[1])
    assert not batch.inputs.cells.requires_grad
    assert not batch.cells.requires_grad


def test_as_many_layers_of_the_field_cnn_as_halve_the_grid_are_allowed(made):
    size = made[1].aggregated.fields.shape[-1]
    deepest = int(np.log2(size))
    run(made, field_channels=(2,) * deepest, stop=1)
    with pytest.raises(Refusal, match=f"field_channels: at most {deepest} layers, .* got"):
        run(made, field_channels=(2,) * (deepest + 1))


def test_settings_that_do_not_fit_a_set_are_refused_before_any_work(made):
    deepest = int(np.log2(made[1].aggregated.fields.shape[-1]))
    report.check(replace(cases.CONFIG, field_channels=(2,) * deepest), made[1])
    views = 1 + made[1].realizations
    with pytest.raises(Refusal, match=f"batch_size: must be at least {views}, .* got {views - 1}"):
        report.check(replace(cases.CONFIG, batch_size=views - 1), made[1])
    aggregated = replace(cases.CONFIG, batch_size=1, single_view_weight=0.0)
    report.check(aggregated, made[1])


@pytest.mark.parametrize(
    ("computed", "named"),
    [("reconstruction", "reconstruction nan"), ("topographic_similarity", "topo_tokens nan")],
)
def test_a_score_that_is_not_finite_ends_in_a_line(made, monkeypatch, computed, named):
    monkeypatch.setattr(training.scores, computed, lambda *_: float("nan"))
    with pytest.raises(Refusal, match=f"train_vqvae: scores of validation .* finite: .*{named}"):
        run(made, warmup_epochs=0, stop=1)


def test_a_killed_and_resumed_run_ends_with_the_same_bytes(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    whole, history = run(made)
    (tmp_path / "run").mkdir()
    run(made, tmp_path / "run", stop=5)
    assert (tmp_path / "run/run.pt").is_file()
    resumed, again = run(made, tmp_path / "run")
    assert capsys.readouterr().err == "train-vqvae: goes on after epoch 4\n"
    assert again == history
    whole.save(tmp_path / "whole.pt")
    resumed.save(tmp_path / "resumed.pt")
    assert (tmp_path / "whole.pt").read_bytes() == (tmp_path / "resumed.pt").read_bytes()


@pytest.mark.parametrize("width", [4, 8])
def test_before_any_training_the_latents_keep_what_pca_of_each_category_keeps(made, width):
    """Up to the corrections, which start at a hundredth."""
    model = cases.started(*made, group_embedding_dim=width)
    inputs, layout = report.training_examples(model, made[1]).inputs, model.layout
    root = layout.weights().sqrt()
    kept = []
    for part in (inputs.cells * root).split(layout.sizes, 1):
        axes = initialization.principal_axes(part.double(), width).float()
        kept.append(part @ axes @ axes.T)
    with torch.no_grad():
        found = model.decoder(model.encoder(inputs))
    found, pca = (
        scores.reconstruction(scores.column_errors(values, inputs.cells, inputs.exists, layout))
        for values in (found, torch.cat(kept, 1) / root)
    )
    assert found < pca + 0.01


@pytest.mark.parametrize("seed", [0, 1])
def test_training_lowers_the_error_of_operators_never_seen(seed):
    slow = {"learning_rate": 3e-3, "encoder_learning_rate": 1e-5, "code_learning_rate": 1e-3}
    _, history = run(cases.source(400, seed), batch_size=128, **slow)
    first, best = history[2]["reconstruction"], min(r["reconstruction"] for r in history[2:])
    assert best < first < 1.0


def test_validation_rows_decide_the_epoch_and_nothing_else(made):
    cleaner, cleaned = made
    summary = cleaned.aggregated.summary.clone()
    summary[torch.from_numpy(cleaned.rows("validation"))] *= -3.0
    other = replace(cleaned, aggregated=replace(cleaned.aggregated, summary=summary))
    states = []
    for source in (cleaned, other):
        model = cases.build(cleaner, source)
        sets = report.training_examples(model, source), report.validation_examples(model, source)
        epochs = training.fit(model, *sets, 7, None)
        scores = [next(epochs) for _ in range(4)]
        states.append((scores, {k: v.clone() for k, v in model.state_dict().items()}))
    (one, first), (two, second) = states
    assert one != two
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_distances_after_quantization_are_those_of_the_codes(made):
    """By hand: not those of the latents, which would be 1 whatever the codes."""
    model = cases.started(*made)
    validation = report.validation_examples(model, made[1])
    found = training.validation_scores(model, validation, quantized=True)
    with torch.no_grad():
        latents = model.encoder(validation.inputs)
        quantized = model.quantizer.decode(model.quantizer.choose(latents))
    before, after = (scores.distances(scores.joint(x, model.layout)) for x in (latents, quantized))
    assert found["topo_post"] == pytest.approx(scores.topographic_similarity(before, after))
    assert found["topo_post"] < 0.999


def test_test_and_held_out_rows_change_nothing(made):
    cleaner, cleaned = made
    summary, fields_ = cleaned.aggregated.summary.clone(), cleaned.aggregated.fields.clone()
    unseen = [row for name in ("test", "held_out") for row in cleaned.rows(name)]
    summary[unseen] = 9.0
    fields_[unseen] = 9.0
    changed = replace(cleaned.aggregated, summary=summary, fields=fields_)
    one, _ = run(made)
    two, _ = run((cleaner, replace(cleaned, aggregated=changed)))
    first, second = one.state_dict(), two.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_training_stops_after_the_patience(made):
    _, history = run(made, patience=2, epochs=60)
    quantized = [scores.cost(record, cases.LOSSES.symbols) for record in history[2:]]
    assert len(quantized) < 60
    assert quantized.index(min(quantized)) == len(quantized) - 3


def test_scores_of_tokens_begin_with_the_tokens(made):
    _, history = run(made)
    of_tokens = {"utilization", "perplexity", "topo_tokens"}
    for number, record in enumerate(history):
        missing = history[-1].keys() - record.keys()
        assert missing == (of_tokens if number < cases.CONFIG.warmup_epochs else set())


def test_the_best_epoch_is_the_one_that_is_kept(made):
    model, history = run(made, readout=replace(cases.CONFIG.readout, copies=0))
    validation = report.validation_examples(model, made[1])
    kept = training.validation_scores(model, validation, quantized=True)
    symbols = cases.LOSSES.symbols
    best = min(history[2:], key=lambda record: scores.cost(record, symbols))
    assert kept["reconstruction"] == best["reconstruction"]
    assert kept["topo_tokens"] == best["topo_tokens"]


def test_with_symbols_the_best_epoch_may_have_more_error_and_tokens_nearer_to_the_distances():
    small = {"reconstruction": 0.20, "topo_tokens": 0.4}
    near = {"reconstruction": 0.21, "topo_tokens": 0.6}
    assert scores.cost(small, 0.0) < scores.cost(near, 0.0)
    assert scores.cost(small, 0.1) > scores.cost(near, 0.1)
    assert scores.cost(small, 0.1) == pytest.approx(0.26)


def test_symbols_bring_the_tokens_nearer_to_the_distances(made):
    none, much = (replace(cases.LOSSES, symbols=weight) for weight in (0.0, 3.0))
    ends = {}
    for name, losses in (("none", none), ("much", much)):
        model, _ = run(made, losses=losses, epochs=20)
        validation = report.validation_examples(model, made[1])
        ends[name] = training.validation_scores(model, validation, quantized=True)
    assert ends["much"]["topo_tokens"] > ends["none"]["topo_tokens"] + 0.05


def test_distances_are_compared_among_the_first_operators_alone(made, monkeypatch):
    """The error counts them all."""
    monkeypatch.setattr(objective, "PAIRED", 6)
    model = cases.started(*made)
    validation = report.validation_examples(model, made[1])
    assert validation.num_operators > 6
    cells = validation.inputs.cells.clone()
    cells[6:] += 1
    others = replace(validation, inputs=replace(validation.inputs, cells=cells))
    before, after = (
        training.validation_scores(model, seen, quantized=True) for seen in (validation, others)
    )
    assert before["topo_pre"] == after["topo_pre"]
    assert before["topo_post"] == after["topo_post"]
    assert before["topo_tokens"] == after["topo_tokens"] != 0
    assert before["reconstruction"] != after["reconstruction"]


def test_training_latents_have_the_stored_statistics(made):
    model, _ = run(made)
    batch = report.training_examples(model, made[1])
    with torch.no_grad():
        z = model.standardize(model.encoder(batch.inputs))
    share = (batch.groups / batch.groups.sum(0))[..., None]
    torch.testing.assert_close((z * share).sum(0), torch.zeros(5, 6), atol=1e-4, rtol=0)
    torch.testing.assert_close((z.square() * share).sum(0), torch.ones(5, 6), atol=1e-3, rtol=0)


def test_a_loss_that_is_not_finite_stops_with_its_epoch(made):
    with pytest.raises(Refusal, match=r"epoch \d+: loss not finite: reconstruction"):
        run(made, learning_rate=1e30)


def test_columns_count_alike_however_many_rows_have_them(made):
    model = cases.build(*made)
    batch = report.training_examples(model, made[1])
    per_cell = batch.cells.mean(0) * sum(map(len, model.layout.columns.values()))
    torch.testing.assert_close(per_cell, model.layout.weights())


def test_further_draws_are_further_operators_to_learn_from(made):
    model, more = cases.build(*made), cases.further(made[0])
    whole = report.training_examples(model, made[1], more)
    parts = [report.training_examples(model, each) for each in (made[1], more)]
    assert whole.num_operators == sum(part.num_operators for part in parts)
    cells = torch.cat([part.inputs.cells for part in parts])
    assert torch.equal(whole.inputs.cells, cells)
    fields = torch.cat([part.inputs.fields for part in parts])
    assert torch.equal(whole.inputs.fields[whole.inputs.field_of[:: whole.views]], fields)
    assert report.validation_examples(model, made[1]).num_operators < parts[0].num_operators
    nobody = replace(made[1].metadata, valid=np.zeros_like(made[1].metadata.valid))
    with pytest.raises(Refusal, match="no valid training operator"):
        report.training_examples(model, replace(made[1], metadata=nobody), more)


def test_jitter_moves_cells_by_a_share_of_a_difference_of_the_same_view(made):
    model = cases.build(*made)
    train = report.training_examples(model, made[1])
    operators = torch.tensor([2, 5])
    plain = train.take(operators)
    moved = train.jittered(operators, np.random.default_rng(3), 0.5)
    drawn = np.random.default_rng(3).integers(train.num_operators, size=(2, 2))
    one, two = (train.take(torch.from_numpy(others)).inputs for others in drawn)
    expected = plain.inputs.cells + 0.5 * (one.cells - two.cells)
    everywhere = (plain.inputs.exists * one.exists * two.exists) > 0
    torch.testing.assert_close(moved.inputs.cells[everywhere], expected[everywhere])
    torch.testing.assert_close(moved.inputs.cells[~everywhere], plain.inputs.cells[~everywhere])
    assert torch.equal(moved.inputs.exists, plain.inputs.exists)


def test_without_jitter_nothing_moves(made):
    train = report.training_examples(cases.build(*made), made[1])
    operators = torch.tensor([2, 5])
    same = train.jittered(operators, np.random.default_rng(3), 0.0)
    assert torch.equal(same.inputs.cells, train.take(operators).inputs.cells)


def test_a_single_view_takes_no_part_in_a_category_of_spreads_alone(made):
    cleaner, cleaned = made
    mapping = cases.mapping(cleaner.kept)
    spreads = [name for name in mapping["numbers"] if not name.endswith(".mean")]
    mapping["numbers"] = [name for name in mapping["numbers"] if name.endswith(".mean")]
    model = Tokenizer(cleaner, mapping | {"spreads": spreads}, cases.CONFIG, (2,) * 6, 2, 8)
    weights = report.training_examples(model, cleaned).groups.unflatten(0, (-1, 4))
    assert (weights[:, :, :5] > 0).all()
    assert (weights[:, 0, 5] > 0).all()
    assert (weights[:, 1:, 5] == 0).all()


def test_a_code_size_per_level_must_fit_the_number_of_levels():
    with pytest.raises(ValueError, match="codebook_size: allowed one number or 2"):
        replace(cases.CONFIG, codebook_size=(8, 8, 8))
    with pytest.raises(ValueError, match="latent_dim: allowed at most group_embedding_dim"):
        replace(cases.CONFIG, latent_dim=7)


@pytest.mark.parametrize("name", ["vq", "codebook", "symbols"])
def test_a_grid_refuses_the_losses_of_codes(name):
    grid = replace(cases.CONFIG, **cases.GRID)
    refused = f"losses: .* allowed 0 if quantizer is fsq.* got {name} 0.5"
    with pytest.raises(ValueError, match=refused):
        replace(grid, losses=replace(grid.losses, **{name: 0.5}))


def test_tokens_of_all_operators_carry_names_and_validity(made, tmp_path):
    model, history = run(made)
    found = report.encode(model, made[1])
    assert ((found.tokens == report.NONE).all(1) == ~made[1].metadata.valid).all()
    report.write(tmp_path / "tokens.h5", found, {})
    again = report.read(tmp_path / "tokens.h5")
    assert (again.tokens == found.tokens).all()
    assert again.names == model.token_names
    validation = report.validation_examples(model, made[1])
    finished = training.validation_scores(model, validation, quantized=True)
    metrics = report.metrics(model, found, history, finished)
    assert metrics["vqvae/quality"] == 1 - finished["reconstruction"]
    assert 0 < metrics["vqvae/utilization"] <= 1
