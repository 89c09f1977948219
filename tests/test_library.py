"""The public functions give the bits of the stages, whatever the caller's number of threads."""

import re
from dataclasses import replace

import pytest
import torch

import spinlock
import synthetic_features
import tokenizer_cases
from operator_cases import roll_out, table, theta
from spinlock import store
from spinlock.cleaning import cleanset, fitting, raw
from spinlock.features import extract as features
from spinlock.features import files
from spinlock.features import shards as feature_shards
from spinlock.features.config import Config as ExtractConfig
from spinlock.refusals import Refusal
from spinlock.rollout import shards, stream
from spinlock.rollout.config import Config
from spinlock.rollout.index import open_rollouts
from spinlock.sampling import table as tables
from spinlock.tokenizer import report

CONFIG = Config(steps=4, realizations=2, bound=1e3, store="none", precision="float32", shard_size=1)


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def wide():
    """Operators on which two threads have other last bits than one."""
    return table(theta(base_channels=8, kernel_size=7), theta(base_channels=8), grid_size=32)


def test_replayed_bits_do_not_depend_on_the_number_of_threads(two_threads):
    found = list(spinlock.rollouts(wide(), None, CONFIG))
    torch.set_num_threads(1)
    for row, rollout in enumerate(found):
        assert torch.equal(rollout.u, roll_out(wide(), row, 4, 2, 1e3).u)


@pytest.mark.usefixtures("two_threads")
def test_all_is_computed_on_one_thread_and_the_callers_number_is_left_alone(monkeypatch):
    seen = []

    def noted(*arguments):
        seen.append(torch.get_num_threads())
        yield from ()

    monkeypatch.setattr(stream, "rollouts", noted)
    monkeypatch.setattr(features, "extract", lambda *a: seen.append(torch.get_num_threads()))
    assert list(spinlock.rollouts(wide(), None, CONFIG)) == []
    spinlock.extract(torch.zeros(1), torch.zeros(1))
    assert seen == [1, 1]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_between_two_rollouts_the_caller_has_his_threads():
    assert [torch.get_num_threads() for _ in spinlock.rollouts(wide(), None, CONFIG)] == [2, 2]


def test_neither_folder_nor_config_is_an_error():
    with pytest.raises(ValueError, match="expected a folder of rollouts or a config"):
        next(spinlock.rollouts(wide(), None))


MADE = Config(steps=8, realizations=2, bound=20.0, store="all", precision="float32", shard_size=8)
GROUPS = ExtractConfig(
    further_draws=0,
    max_operators=None,
    summary_groups=("temporal", "sensitivity"),
    temporal_groups=("spatial", "spectral"),
)


def members():
    """Operators of several sizes; two of them exceed the bound."""
    thetas = [
        theta(num_layers=1 + row % 5, base_channels=2 + row % 7, kernel_size=(1, 3, 5, 7)[row % 4])
        for row in range(36)
    ]
    return table(*thetas, grid_size=16, split=("train", "train", "test") * 12)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The files of a small run in the places that the README names."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "data").mkdir()
    (folder / "models").mkdir()
    operators = members()
    paths = store.fill(shards.plan(operators, MADE), shards.compute, folder / "s", 1, "test")
    shards.assemble(operators, MADE, paths, folder / "data" / "rollouts")
    index = open_rollouts(folder / "data" / "rollouts")
    plan = feature_shards.plan(operators, index, GROUPS, 3)
    paths = store.fill(plan, feature_shards.compute, folder / "s", 1, "test")
    described = feature_shards.read(paths, operators)
    tables.write(folder / "data" / "operators.h5", operators, {})
    files.write(folder / "data" / "features.h5", operators, described, index, GROUPS)
    found = raw.read(folder / "data" / "features.h5")
    train = found.aggregated.take(found.metadata.rows("train"))
    cleaner = fitting.fit(train, found.names, synthetic_features.THRESHOLDS)
    cleaned = cleanset.clean(found, cleaner)
    model = tokenizer_cases.started(cleaner, cleaned)
    model.save(folder / "models" / "tokenizer.pt")
    report.write(folder / "data" / "tokens.h5", report.encode(model, cleaned), {})
    return folder


@pytest.fixture(autouse=True)
def _inside(request, monkeypatch):
    if "run" in request.fixturenames:
        monkeypatch.chdir(request.getfixturevalue("run"))


@pytest.fixture
def tokenizer(run):
    return spinlock.load_tokenizer("models/tokenizer.pt")


def rolled(row):
    """The rollout of a row, and its last step."""
    operators = spinlock.load_operators("data/operators.h5").take([row])
    (rollout,) = spinlock.rollouts(operators, "data/rollouts")
    return rollout, spinlock.last_step(operators, 0, "data/rollouts")


def test_features_have_the_tokens_of_the_stage_and_who_diverged_has_none(tokenizer):
    stored = torch.from_numpy(report.read("data/tokens.h5").tokens)
    tokens = tokenizer.encode(raw.read("data/features.h5"))
    assert torch.equal(tokens, stored.long())
    gone = (tokens == -1).all(1)
    assert gone.sum() == 2
    assert (tokens[~gone] >= 0).all()
    assert tokens.shape[1] == len(tokenizer.token_names)


@pytest.mark.parametrize("given", ["data/features.h5", torch.zeros(3, 5)])
def test_what_is_no_set_of_features_is_refused(tokenizer, given):
    named = f"features: expected what spinlock.cleaning.raw.read .* got {type(given).__name__}"
    with pytest.raises(Refusal, match=named):
        tokenizer.encode(given)


@pytest.mark.usefixtures("two_threads")
def test_a_rollout_encoded_directly_has_the_tokens_of_the_stage(tokenizer):
    stored = torch.from_numpy(report.read("data/tokens.h5").tokens).long()
    for row in (stored[:, 0] >= 0).nonzero()[:, 0].tolist():
        rollout, step = rolled(row)
        tokens = tokenizer.encode_rollout(rollout.u, rollout.u0, step)
        assert torch.equal(tokens, stored[row : row + 1]), row


def test_a_replayed_rollout_has_them_too_with_the_step_of_its_config(tokenizer):
    operators = spinlock.load_operators("data/operators.h5").take([3])
    (rollout,) = spinlock.rollouts(operators, None, MADE)
    step = spinlock.last_step(operators, 0, MADE)
    stored = torch.from_numpy(report.read("data/tokens.h5").tokens)[3:4]
    assert torch.equal(tokenizer.encode_rollout(rollout.u, rollout.u0, step), stored.long())


def test_without_the_step_sensitivity_is_missing_and_nothing_else(tokenizer):
    given = raw.read("data/features.h5")
    names = given.names["summary"]
    missing = torch.tensor([name.startswith("summary.sensitivity.") for name in names])
    summary = given.aggregated.summary.masked_fill(missing, torch.nan)
    expected = tokenizer.encode(replace(given.aggregated, summary=summary))
    for row in range(4):
        rollout, _ = rolled(row)
        assert torch.equal(
            tokenizer.encode_rollout(rollout.u, rollout.u0, None), expected[row : row + 1]
        )


@pytest.mark.parametrize("realization", [0, 1])
def test_one_realization_has_the_tokens_of_the_single_view(tokenizer, realization):
    given = raw.read("data/features.h5").single(realization)
    names = raw.read("data/features.h5").names["summary"]
    missing = torch.tensor([name.startswith("summary.sensitivity.") for name in names])
    alone = replace(given, summary=given.summary.masked_fill(missing, torch.nan))
    whole, without = tokenizer.encode(given), tokenizer.encode(alone)
    operators = spinlock.load_operators("data/operators.h5")
    assert not torch.equal(whole[:4], without[:4])
    for row in range(4):
        rollout, _ = rolled(row)
        one = rollout.u[realization : realization + 1]
        step = spinlock.last_step(operators, row, "data/rollouts", realization=realization)
        for expected, used in ((whole, step), (without, None)):
            found = tokenizer.encode_rollout(one, rollout.u0, used)
            assert torch.equal(found, expected[row : row + 1])


def test_a_step_of_other_realizations_is_refused_by_number(tokenizer):
    rollout, step = rolled(0)
    operators = spinlock.load_operators("data/operators.h5")
    alone = spinlock.last_step(operators, 0, "data/rollouts", realization=1)
    for u, used, said in ((rollout.u[:1], step, "2 of 2 realizations, got 1"),
                          (rollout.u, alone, "1 of 2 realizations, got 2")):  # fmt: skip
        with pytest.raises(Refusal, match=f"step: maps {said}"):
            tokenizer.encode_rollout(u, rollout.u0, used)
    for other in (-1, 2):
        with pytest.raises(Refusal, match=f"realization: expected one of 0 to 1, got {other}"):
            spinlock.last_step(operators, 0, "data/rollouts", realization=other)


def test_no_operators_have_no_tokens(tokenizer):
    none = raw.read("data/features.h5").aggregated.take([])
    assert tokenizer.encode(none).shape == (0, len(tokenizer.token_names))


def test_a_row_of_nothing_but_u0_has_none_in_any_view(tokenizer):
    given = raw.read("data/features.h5")
    gone = torch.from_numpy(~given.metadata.valid)
    for view in (given.aggregated, given.single(0), given.aggregated.take([0, 1])):
        tokens = tokenizer.encode(view)
        assert torch.equal((tokens == -1).all(1), gone[: len(view)])
        assert (tokens[~gone[: len(view)]] >= 0).all()
    some = given.aggregated.take([0, 1, 2])
    summary, temporal = some.summary.clone(), some.temporal.clone()
    summary[1], temporal[1:] = torch.inf, torch.nan
    tokens = tokenizer.encode(replace(some, summary=summary, temporal=temporal))
    assert (tokens == -1).all(1).tolist() == [False, True, False]


def test_an_initial_condition_that_is_not_finite_is_refused_by_row(tokenizer):
    given = raw.read("data/features.h5").aggregated
    fields = given.fields.clone()
    fields[5, 1, 2, 3] = torch.nan
    with pytest.raises(Refusal, match="fields: expected finite values, got others in row 5"):
        tokenizer.encode(replace(given, fields=fields))


def test_decoded_columns_have_names_units_and_the_tokenizers_values(tokenizer):
    tokens = tokenizer.encode(raw.read("data/features.h5"))[:4]
    found = tokenizer.decode(tokens)
    cleaner, decoded = tokenizer.model.cleaner, tokenizer.model.decode(tokens)
    assert list(found) == [name for kept in cleaner.kept.values() for name in kept]
    name = cleaner.summary.kept[-1]
    place = cleaner.summary.names.index(name)
    back = found[name] - cleaner.summary.median[place] - cleaner.summary.mean[place]
    standard = back / cleaner.summary.scale[place]
    torch.testing.assert_close(standard, decoded.summary[:, -1], atol=1e-5, rtol=1e-4)
    assert found[cleaner.temporal.kept[0]].shape == (4, tokenizer.model.config.temporal_bins)


@pytest.mark.parametrize("family", ["initial", "summary", "temporal"])
def test_to_restore_is_the_inverse_of_to_clean_inside_the_limits(tokenizer, family):
    given = raw.read("data/features.h5").aggregated.take([0, 1, 2, 3])
    cleaner = tokenizer.model.cleaner
    columns, cleaned = cleaner.family(family), cleaner.apply(given, smooth=False)
    values = getattr(given, family)[..., columns.kept_index]
    inside = (values - columns.median[columns.kept_index]).abs() < columns.limit[columns.kept_index]
    restored = cleaner.restore(getattr(cleaned, family), family)
    assert inside.any()
    torch.testing.assert_close(restored[inside], values[inside], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda u, u0: (u[:, :-1], u0), "u: expected [R, T = 8, C = 3, H, H], as in training, "),
        (lambda u, u0: (u[:, :, :2], u0[:2]), "got [2, 8, 2, 16, 16]"),
        (lambda u, u0: (u[..., :8], u0[..., :8]), "got [2, 8, 3, 16, 8]"),
        (lambda u, u0: (u[0], u0), "got [8, 3, 16, 16]"),
        (lambda u, u0: (u[:0], u0), "got [0, 8, 3, 16, 16]"),
        (lambda u, u0: (u, u0[:2]), "u0: expected [3, 16, 16], as u says, got [2, 16, 16]"),
        (lambda u, u0: (u.where(u != u[1, 4, 0, 0, 0], torch.nan), u0), "got others at step 5"),
        (lambda u, u0: (u, u0.where(u0 != u0[0, 0, 0], torch.inf)), "got others at u0"),
    ],
)
def test_a_rollout_of_another_shape_or_with_a_hole_is_refused_by_name(tokenizer, change, said):
    rollout, step = rolled(0)
    with pytest.raises(Refusal, match=re.escape(said)):
        tokenizer.encode_rollout(*change(rollout.u, rollout.u0), step)


def test_a_rollout_that_diverged_is_refused(tokenizer):
    tokens = tokenizer.encode(raw.read("data/features.h5"))
    rollout, step = rolled(int((tokens[:, 0] < 0).nonzero()[0]))
    with pytest.raises(Refusal, match="did it diverge"):
        tokenizer.encode_rollout(rollout.u, rollout.u0, step)


def test_other_columns_are_refused_by_name(tokenizer):
    given = raw.read("data/features.h5")
    summary = ("summary.temporal.other.mean", *given.names["summary"][1:])
    changed = replace(given, names=given.names | {"summary": summary})
    with pytest.raises(Refusal, match="missing .*energy_growth.* unexpected .*temporal.other"):
        tokenizer.encode(changed)
    fewer = replace(given.aggregated, summary=given.aggregated.summary[:, :-1])
    with pytest.raises(Refusal, match="summary features: expected 138 columns"):
        tokenizer.encode(fewer)


def test_a_tokenizer_of_columns_that_no_function_computes_is_refused_by_name(tokenizer):
    cleaner = tokenizer.model.cleaner
    names = tuple(name.replace(".temporal.", ".lost.") for name in cleaner.summary.names)
    tokenizer.model.cleaner = replace(cleaner, summary=replace(cleaner.summary, names=names))
    rollout, step = rolled(0)
    with pytest.raises(Refusal, match="this version of the features: summary .*lost.energy_growth"):
        tokenizer.encode_rollout(rollout.u, rollout.u0, step)


@pytest.mark.parametrize(
    "change", [lambda t: t[0], lambda t: t.float(), lambda t: t.tolist(), lambda t: t.numpy()]
)
def test_what_is_no_table_of_integers_is_refused(tokenizer, change):
    tokens = tokenizer.encode(raw.read("data/features.h5"))[:2]
    with pytest.raises(Refusal, match="tokens: expected a tensor of integers"):
        tokenizer.decode(change(tokens))


@pytest.mark.parametrize("off", [-1, 0])
def test_a_token_outside_its_codebook_is_refused_by_row_and_name(tokenizer, off):
    tokens = tokenizer.encode(raw.read("data/features.h5"))[:3]
    limit = [size for sizes in tokenizer.model.sizes for size in sizes][5]
    tokens[2, 5] = off or limit
    name = tokenizer.token_names[5]
    said = f"tokens: row 2: {name}: expected 0 to {limit - 1}, got {off or limit}$"
    with pytest.raises(Refusal, match=said):
        tokenizer.decode(tokens)
    with pytest.raises(Refusal, match=r"tokens: expected \[n, .*\], got \[3, 4\]"):
        tokenizer.decode(tokens[:, :4])


def test_what_it_says_of_itself(tokenizer):
    assert set(tokenizer.columns) == {"initial", "summary", "temporal"}
    assert {name.split("/")[0] for name in tokenizer.token_names} == set(tokenizer.categories)
