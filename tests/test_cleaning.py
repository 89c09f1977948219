"""Cleaning: what is dropped, imputed, clipped and standardized, and that only training counts."""

import importlib.util
import json
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import synthetic_features as synthetic
from spinlock import artifacts
from spinlock.cleaning import cleanset, raw, reliability, report
from spinlock.cleaning.cleaner import Cleaner, hard_clip, soft_clip
from spinlock.cleaning.cleanset import AGGREGATED
from spinlock.cleaning.fitting import Config, fit
from spinlock.cleaning.sets import FAMILIES, Cleaned, FeatureSet
from spinlock.refusals import Refusal
from spinlock.sampling import table

CONFIG = synthetic.THRESHOLDS
FEATURES = synthetic.features()
TRAIN = synthetic.train(FEATURES)
CLEANER = fit(TRAIN, FEATURES.names, CONFIG)
SPREAD = torch.tensor([not name.endswith(".mean") for name in CLEANER.kept["summary"]])
FURTHER = synthetic.further(FEATURES, 0.3)
REPLICATES = reliability.replicates(FEATURES, FURTHER)
NAN = float("nan")


def fitted(train: FeatureSet, config: Config = CONFIG) -> Cleaner:
    return fit(train, FEATURES.names, config)


def described(cleaner: Cleaner) -> list[dict[str, object]]:
    return report.rows(cleaner, reliability.measured(cleaner, REPLICATES))


def assert_same(first: Cleaned, second: Cleaned) -> None:
    for field in fields(Cleaned):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name)), field.name


@pytest.mark.parametrize("family", FAMILIES)
def test_kept_columns_have_zero_mean_and_unit_variance_on_the_training_rows(family):
    values = getattr(CLEANER.apply(TRAIN, smooth=False), family).double()
    cells = values.reshape(-1, values.shape[-1])
    torch.testing.assert_close(
        cells.mean(0), torch.zeros(cells.shape[1]).double(), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(cells.var(0, correction=0), torch.ones(cells.shape[1]).double())


def test_a_column_is_standardized_by_its_closed_form():
    x = TRAIN.initial[:, 3].double()
    sigma = 1.4826 * (x - x.quantile(0.5)).abs().quantile(0.5)
    clipped = x.clamp(x.quantile(0.5) - 5 * sigma, x.quantile(0.5) + 5 * sigma)
    expected = (clipped - clipped.mean()) / clipped.std(correction=0)
    found = CLEANER.apply(TRAIN, smooth=False).initial[:, 3].double()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@given(rows=st.lists(st.integers(0, len(TRAIN) - 1), min_size=1, max_size=12), smooth=st.booleans())
def test_a_row_is_cleaned_the_same_in_any_batch(rows, smooth):
    assert_same(CLEANER.apply(TRAIN.take(rows), smooth), CLEANER.apply(TRAIN, smooth).take(rows))


def test_everything_is_finite_and_masks_say_what_was_measured():
    found = CLEANER.apply(TRAIN, smooth=False)
    kept = CLEANER.summary.kept_index
    assert torch.equal(found.summary_mask, TRAIN.summary[:, kept].isfinite())
    assert not found.summary_mask.all()
    assert all(getattr(found, field.name).isfinite().all() for field in fields(Cleaned))


def test_a_missing_value_becomes_the_train_median_and_is_counted():
    index = CLEANER.summary.names.index("summary.energy.s1.std")
    row = int(TRAIN.summary[:, index].isfinite().nonzero()[0])
    holed = TRAIN.summary.clone()
    holed[row, index] = NAN
    at_median = holed.clone()
    at_median[row, index] = CLEANER.summary.median[index]
    hole, median = (
        CLEANER.apply(replace(TRAIN, summary=values), smooth=False) for values in (holed, at_median)
    )
    torch.testing.assert_close(hole.summary, median.summary)
    assert int((hole.summary_mask ^ median.summary_mask).sum()) == 1
    assert int(fitted(replace(TRAIN, summary=holed)).summary.missing[index]) == 1 + int(
        CLEANER.summary.missing[index]
    )


def test_a_single_realization_has_no_spread_columns():
    single = CLEANER.apply(FEATURES.single(1).take(FEATURES.metadata.rows("train")), smooth=False)
    assert not single.summary_mask[:, SPREAD].any()
    assert (single.summary[:, SPREAD] == 0).all()
    assert single.summary_mask[:, ~SPREAD].all()


def test_of_equal_realizations_both_views_show_the_same_values():
    agreed = replace(FEATURES, summary=FEATURES.aggregated.summary[:, None, :12].repeat(1, 3, 1))
    whole = CLEANER.apply(FEATURES.aggregated, smooth=False).summary
    single = CLEANER.apply(agreed.single(2), smooth=False).summary
    assert torch.equal(whole[:, ~SPREAD], single[:, ~SPREAD])


@pytest.mark.parametrize("family", ["initial", "summary", "temporal"])
def test_columns_that_say_nothing_are_dropped_with_their_reason(family):
    values = getattr(TRAIN, family)
    empty = torch.full_like(values[..., 0], NAN)
    changed = synthetic.with_column(TRAIN, family, 1, torch.full_like(values[..., 1], 2.0))
    sparse = torch.where(
        torch.arange(len(TRAIN)).view(-1, *[1] * (empty.ndim - 1)) % 4 == 0, empty, 1.0
    )
    changed = synthetic.with_column(changed, family, 0, sparse * values[..., 0])
    changed = synthetic.with_column(changed, family, 2, empty)
    found = fitted(changed).family(family)
    assert found.reasons[:3] == ("missing", "variance", "missing")
    assert not set(found.names[:3]) & set(found.kept)


def test_the_later_of_two_equal_columns_goes_and_names_the_earlier():
    changed = synthetic.with_column(TRAIN, "summary", 7, -3 * TRAIN.summary[:, 2] + 1)
    changed = synthetic.with_column(changed, "temporal", 4, 2 * TRAIN.temporal[..., 0])
    found = fitted(changed)
    assert found.summary.reasons[2] == ""
    assert found.summary.reasons[7] == "correlation"
    assert found.summary.partners[7] == found.summary.names[2]
    assert found.temporal.partners[4] == found.temporal.names[0]


def test_initial_columns_are_protected_and_a_summary_column_that_repeats_one_goes():
    changed = synthetic.with_column(TRAIN, "initial", 5, TRAIN.initial[:, 0])
    changed = synthetic.with_column(changed, "summary", 3, TRAIN.initial[:, 0])
    found = fitted(changed)
    assert len(found.initial.kept) == 14
    assert found.summary.partners[3] == found.initial.names[0]


def test_no_two_kept_columns_repeat_each_other():
    found = fitted(TRAIN, replace(CONFIG, max_correlation=0.9))
    values = found.apply(TRAIN, smooth=False).summary.double()
    correlation = torch.corrcoef(values.T) - torch.eye(values.shape[1])
    assert correlation.abs().max() <= 0.9
    assert len(found.summary.kept) < len(CLEANER.summary.kept)


def test_reliability_is_that_of_the_published_example():
    """Shrout and Fleiss (1979), table 2: six targets, four values each, ICC(1, 1) = 0.17."""
    targets = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    values, group = np.array(targets, dtype=np.float64).reshape(-1, 1), np.repeat(range(6), 4)
    found = reliability.intraclass_correlation(values, group)
    assert found == pytest.approx((11.2417 - 6.2639) / (11.2417 + 3 * 6.2639), abs=1e-4)
    shuffled = np.random.default_rng(0).permutation(24)
    again = reliability.intraclass_correlation(7 - 3 * values[shuffled], group[shuffled])
    np.testing.assert_allclose(again, found)


def test_reliability_of_three_groups_is_that_of_the_sums_by_hand():
    """Groups 1 2 3, 7, and 4 8: M_b = 173 / 12, M_w = 10 / 3, k = (6 - 14 / 6) / 2 = 11 / 6."""
    values, group = np.array([[1.0], [2.0], [3.0], [7.0], [4.0], [8.0]]), [0, 0, 0, 1, 2, 2]
    means = np.array([2.0, 7.0, 6.0])
    total = 25 / 6
    between = (np.array([3, 1, 2]) * (means - total) ** 2).sum() / 2
    inner = (2 + 0 + 8) / 3
    outer = (between - inner) / (11 / 6)
    found = reliability.intraclass_correlation(values, np.array(group))
    np.testing.assert_allclose(found, [outer / (outer + inner)])


def test_reliability_finds_the_share_of_variance_in_groups_of_unequal_size():
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(3000), rng.integers(1, 5, 3000))
    between = rng.standard_normal((3000, 6, 2))[group] * [1.0, 2.0]
    values = between + rng.standard_normal((len(group), 6, 2)) * [2.0, 1.0]
    values[rng.random(values.shape) < 0.2] = np.nan
    found = reliability.intraclass_correlation(values, group)
    np.testing.assert_allclose(found, [1 / 5, 4 / 5], atol=0.02)


def test_reliability_has_its_limits():
    group = np.array([4, 7, 4, 7])
    columns = {
        "equal in a group": [1.0, 3.0, 1.0, 3.0],
        "nothing between": [1.0, 1.0, 3.0, 3.0],
        "constant": [0.1, 0.1, 0.1, 0.1],
        "constant of three": [0.1, 0.1, 0.1, NAN],
        "no group has two": [1.0, NAN, NAN, 5.0],
        "one group": [1.0, NAN, 2.0, NAN],
        "nothing": [NAN, NAN, NAN, NAN],
    }
    values = np.stack(list(columns.values()), axis=1)
    found = reliability.intraclass_correlation(values, group)
    np.testing.assert_allclose(found, [1.0, -1.0, NAN, NAN, NAN, NAN, NAN])


def test_a_column_that_does_not_stay_while_the_operator_stays_is_dropped():
    least = replace(CONFIG, min_reliability=0.5)
    kept = fit(TRAIN, FEATURES.names, least, REPLICATES)
    assert kept.kept == CLEANER.kept
    changed = {
        family: torch.from_numpy(np.random.default_rng(3).standard_normal(values.shape)).float()
        for family in FAMILIES
        for values in [getattr(REPLICATES.rows, family)[..., 1]]
    }
    rows = REPLICATES.rows
    for family, values in changed.items():
        rows = synthetic.with_column(rows, family, 1, values)
    draws = replace(REPLICATES, rows=rows)
    found = fit(TRAIN, FEATURES.names, least, draws)
    assert found.initial.reasons == CLEANER.initial.reasons  # about u0, not asked
    for family in ("summary", "temporal"):
        reasons = found.family(family).reasons
        assert (reasons[1], reasons.count("reliability")) == ("reliability", 1)
        assert set(reasons) == {"", "reliability"}
    assert report.metrics(found, FEATURES.metadata, TRAIN)["clean/columns_reliability"] == 2
    shown = {
        row["name"]: row["reliability"]
        for row in report.rows(found, reliability.measured(found, draws))
    }
    assert shown[FEATURES.names["summary"][1]] < 0.5 <= shown[FEATURES.names["summary"][0]]


def test_replicates_are_the_own_rows_and_then_the_further_ones():
    train = FURTHER.metadata.rows("train")
    own = FEATURES.metadata.rows("train")
    for family in FAMILIES:
        whole = [getattr(each.aggregated, family) for each in (FEATURES, FURTHER)]
        expected = torch.cat([whole[0][own], whole[1][train]])
        torch.testing.assert_close(getattr(REPLICATES.rows, family), expected, equal_nan=True)
    owners = [FEATURES.metadata.operator_id[own], FURTHER.metadata.operator_id[train]]
    np.testing.assert_array_equal(REPLICATES.operator, np.concatenate(owners))


def test_one_outlier_does_not_decide_on_reliability():
    values = REPLICATES.rows.summary[:, 2].clone()
    values[5] = 1e6
    rows = synthetic.with_column(REPLICATES.rows, "summary", 2, values)
    found = reliability.measured(CLEANER, replace(REPLICATES, rows=rows))["summary"]
    raw_values = values[:, None].numpy()
    assert reliability.intraclass_correlation(raw_values, REPLICATES.operator) < 0.1
    assert found[2] > 0.5


def test_what_is_not_known_to_be_reliable_goes_and_an_earlier_reason_stays():
    """A column without one operator drawn twice; a constant one; a repeat of an unreliable one."""
    least, count = replace(CONFIG, min_reliability=0.5), len(TRAIN)
    noise = torch.from_numpy(np.random.default_rng(5).standard_normal(len(REPLICATES.rows))).float()
    rows = synthetic.with_column(REPLICATES.rows, "summary", 1, noise)
    rows = synthetic.with_column(rows, "summary", 3, torch.full_like(noise, 2.0))
    alone = REPLICATES.rows.summary[:, 5].clone()
    alone[count:] = NAN
    rows = synthetic.with_column(rows, "summary", 5, alone)
    stays = REPLICATES.rows.summary[:, 7].clone()
    stays[:count] = noise[:count]  # says what column 1 says, but of draws that agree
    stays[count:] = noise[[list(REPLICATES.operator).index(o) for o in REPLICATES.operator[count:]]]
    rows = synthetic.with_column(rows, "summary", 7, stays)
    found = fit(rows.take(slice(count)), FEATURES.names, least, replace(REPLICATES, rows=rows))
    assert found.summary.reasons[1] == "reliability"
    assert found.summary.reasons[3] == "variance"
    assert found.summary.reasons[5] == "reliability"
    assert found.summary.reasons[7] == ""


def test_reliability_without_draws_is_refused_and_empty_in_the_report():
    least = replace(CONFIG, min_reliability=0.5)
    alone = replace(REPLICATES, rows=TRAIN, operator=REPLICATES.operator[: len(TRAIN)])
    for nothing in (None, alone):
        with pytest.raises(Refusal, match=r"clean.min_reliability: allowed null .* got 0\.5"):
            fit(TRAIN, FEATURES.names, least, nothing)
    rows = report.rows(CLEANER, reliability.measured(CLEANER, alone))
    assert {row["reliability"] for row in rows} == {""}


def test_further_draws_that_are_none_of_the_training_operators_are_refused(tmp_path):
    who, path = FURTHER.metadata, tmp_path / "further.h5"

    def written(**changes: np.ndarray) -> Path:
        synthetic.write(path, replace(FURTHER, metadata=replace(who, **changes)), raw.FURTHER)
        return path

    assert raw.read_further(written(), FEATURES.metadata).names == FEATURES.names
    wrong = [("ic_types", -1, "vortices"), ("split", -1, "test")]
    for split in ("validation", "test", "held_out"):
        (other, *_) = np.flatnonzero(FEATURES.metadata.split == split)
        (same_kind, *_) = np.flatnonzero(who.ic_types == FEATURES.metadata.ic_types[other])
        wrong.append(("operator_id", same_kind, FEATURES.metadata.operator_id[other]))
    for name, row, value in wrong:
        values = getattr(who, name).astype(object if isinstance(value, str) else int)
        values[row] = value
        with pytest.raises(
            Refusal, match=r"further\.h5: operator \d+ from .* the features have no"
        ):
            raw.read_further(written(**{name: values}), FEATURES.metadata)


def test_further_draws_with_other_columns_are_refused():
    names = {**FEATURES.names, "temporal": FEATURES.names["temporal"][::-1]}
    with pytest.raises(Refusal, match="differ in their columns"):
        reliability.replicates(FEATURES, replace(FURTHER, names=names))


def test_an_outlier_is_clipped_and_counted_and_its_size_does_not_matter():
    found = []
    for size in (1e3, 1e9):
        changed = TRAIN.initial.clone()
        changed[4, 0] = size
        found.append(fitted(replace(TRAIN, initial=changed)))
    assert described(found[0]) == described(found[1])
    assert int(found[0].initial.clipped[0]) == 1 + int(CLEANER.initial.clipped[0])
    assert found[0].apply(TRAIN, smooth=False).initial.abs().max() < 12


def test_a_mostly_constant_column_is_clipped_by_its_standard_deviation():
    rare = torch.zeros(len(TRAIN))
    rare[:3] = torch.tensor([1.0, 2.0, 3.0])
    found = fitted(synthetic.with_column(TRAIN, "initial", 0, rare))
    torch.testing.assert_close(found.initial.limit[0], 5 * rare.std(correction=0))


def test_a_column_constant_but_for_rounding_is_clipped_by_its_standard_deviation():
    """The deviation of most cells from their median is then the last digit of float32."""
    rare = torch.where(torch.arange(len(TRAIN)) % 2 == 0, 1000.0, 1000.0 + 2.0**-14)
    rare[:3] += torch.tensor([1.0, 2.0, 3.0])
    found = fitted(synthetic.with_column(TRAIN, "initial", 0, rare))
    torch.testing.assert_close(found.initial.limit[0], 5 * rare.double().std(correction=0).float())
    assert found.initial.clipped[0] < 4


@given(x=st.floats(-1e6, 1e6), limit=st.floats(0.01, 100))
def test_the_soft_clip_is_the_hard_one_inside_and_never_flat_outside(x, limit):
    value = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    bound = torch.tensor([limit], dtype=torch.float64)
    soft, hard = soft_clip(value, bound), hard_clip(value.detach(), bound)
    (slope,) = torch.autograd.grad(soft.sum(), value)
    assert 0 < slope <= 1
    if abs(x) <= 0.8 * limit:
        assert torch.equal(soft.detach(), hard)
    if abs(x) <= limit:
        assert (soft - hard).abs() <= 0.0614 * limit
    beyond = max(abs(x) / limit - 0.8, 0) / 0.2
    torch.testing.assert_close(slope, torch.tensor([1 / (1 + beyond)]).double())


def test_the_gradient_reaches_measured_values_only_and_is_finite():
    values = TRAIN.summary.clone()
    values[0, 0] = 1e6
    values.requires_grad_()
    found = CLEANER.apply(replace(TRAIN, summary=values), smooth=True)
    (gradient,) = torch.autograd.grad(found.summary.sum(), values)
    assert gradient.isfinite().all()
    kept = CLEANER.summary.kept_index
    assert torch.equal(gradient[:, kept] != 0, found.summary_mask)


def test_a_state_and_a_file_give_back_the_same_cleaner(tmp_path):
    report.write(tmp_path / "cleaner.h5", CLEANER, {})
    torch.save(CLEANER.state(), tmp_path / "state.pt")
    loaded = Cleaner.from_state(torch.load(tmp_path / "state.pt", weights_only=True))
    for other in (report.read(tmp_path / "cleaner.h5"), loaded):
        assert other.kept == CLEANER.kept
        assert described(other) == described(CLEANER)
        assert_same(other.apply(TRAIN, smooth=True), CLEANER.apply(TRAIN, smooth=True))


def test_foreign_columns_are_refused_by_name():
    renamed = ("initial.shape.renamed", *FEATURES.names["initial"][1:])
    with pytest.raises(Refusal, match=r"initial\.shape\.s0.*initial\.shape\.renamed"):
        CLEANER.check({**FEATURES.names, "initial": renamed}, "here")
    with pytest.raises(Refusal, match="reordered"):
        CLEANER.check({**FEATURES.names, "initial": FEATURES.names["initial"][::-1]}, "here")
    with pytest.raises(Refusal, match="expected 36 columns"):
        CLEANER.apply(replace(TRAIN, summary=TRAIN.summary[:, :7]), smooth=False)


def test_nothing_to_fit_on_and_nothing_left_are_refused():
    with pytest.raises(Refusal, match="no valid training operator"):
        fitted(TRAIN.take([]))
    with pytest.raises(Refusal, match="no initial column is left"):
        fitted(replace(TRAIN, initial=torch.ones_like(TRAIN.initial)))


def test_a_report_row_accounts_for_every_column():
    rows = described(CLEANER)
    assert [row["name"] for row in rows] == [
        n for family in FAMILIES for n in FEATURES.names[family]
    ]
    counts = report.metrics(CLEANER, FEATURES.metadata, TRAIN)
    assert counts["clean/columns_kept"] + counts["clean/columns_dropped"] == len(rows)
    assert counts["clean/operators_invalid"] == int((~FEATURES.metadata.valid).sum()) > 0
    assert counts["clean/summary/cells_imputed"] == sum(
        row["imputed"] for row in rows if row["kept"]
    )


@pytest.mark.parametrize("saturated", [0, 1])
def test_a_column_is_saturated_if_more_than_a_tenth_of_its_cells_are_beyond_the_limit(saturated):
    rng = np.random.default_rng(0)
    for family, shape in (("summary", (len(TRAIN),)), ("temporal", TRAIN.temporal.shape[:2])):
        values = rng.standard_normal(shape)
        beyond = rng.permutation(values.size)[: values.size // 10 + saturated]
        values.flat[beyond] = 100
        changed = synthetic.with_column(TRAIN, family, 0, torch.from_numpy(values).float())
        counts = report.metrics(fitted(changed), FEATURES.metadata, changed)
        assert counts[f"clean/{family}/columns_saturated"] == saturated
        assert counts["clean/columns_saturated"] == saturated
        assert counts["clean/operators_fitted"] == len(TRAIN)
        values.flat[rng.permutation(values.size)[: values.size // 2]] = np.nan  # too many: dropped
        changed = synthetic.with_column(TRAIN, family, 0, torch.from_numpy(values).float())
        counts = report.metrics(fitted(changed), FEATURES.metadata, changed)
        assert counts["clean/columns_missing"] == 1
        assert counts["clean/columns_saturated"] == 0


def test_views_are_drawn_row_by_row():
    found = cleanset.clean(FEATURES, CLEANER)
    mixed = found.drawn([5, 5, 3], [AGGREGATED, 1, 2])
    assert_same(mixed.take([0]), found.aggregated.take([5]))
    assert_same(mixed.take([1]), found.single(1).take([5]))
    assert_same(mixed.take([2]), CLEANER.apply(FEATURES.single(2).take([3]), smooth=False))


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_that_are_not_named_one_by_one_are_refused(tmp_path, family):
    found, path = cleanset.clean(FEATURES, CLEANER), tmp_path / "clean.h5"
    group = "initial" if family == "initial" else f"{family}/aggregated"
    first, second, *rest = found.columns[family]
    for names in ([first], [first, first, *rest], ["other.a.b", second, *rest]):
        cleanset.write(path, found, {})
        with h5py.File(path, "r+") as file:
            file[f"{group}/features"].attrs["columns"] = json.dumps(names)
        count = len(found.columns[family])
        said = f"{path}: {group}/features: expected {count} different names of {family} columns"
        with pytest.raises(Refusal, match=said):
            cleanset.read(path)


def stage(root: Path):
    spec = importlib.util.spec_from_file_location("stage_clean", root / "stages" / "clean.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def run_stage(root: Path, folder: Path, found: raw.Features) -> dict[str, bytes]:
    """Run the stage in its own folder and return what it wrote."""
    folder.mkdir()
    (folder / "params.yaml").write_text(
        "clean: {max_missing: 0.2, min_variance: 1e-8, clip_sigmas: 5.0, max_correlation: 0.99, "
        "min_reliability: 0.2}\n"
    )
    synthetic.write(folder / "features.h5", found)
    synthetic.write(folder / "further.h5", FURTHER, raw.FURTHER)
    names = ("clean.h5", "cleaner.h5", "clean.json", "columns.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert stage(root)(Path("features.h5"), Path("further.h5"), *map(Path, names)).startswith(
            "clean: "
        )
    return {name: (folder / name).read_bytes() for name in names}


def test_rows_outside_training_change_no_byte_of_what_is_fitted(root, tmp_path):
    first = run_stage(root, tmp_path / "first", FEATURES)
    others = torch.from_numpy((FEATURES.metadata.split != "train") | ~FEATURES.metadata.valid)
    whole = FEATURES.aggregated
    shaken = replace(
        FEATURES,
        aggregated=replace(
            whole,
            initial=torch.where(others[:, None], whole.initial * 5 + 1, whole.initial),
            summary=torch.where(others[:, None], whole.summary * -2, whole.summary),
            temporal=torch.where(others[:, None, None], NAN, whole.temporal),
        ),
    )
    second = run_stage(root, tmp_path / "second", shaken)
    assert {name for name in first if first[name] != second[name]} == {"clean.h5"}
    assert first == run_stage(root, tmp_path / "third", FEATURES)


def test_the_stage_keeps_every_row_and_masks_invalid_operators(root, tmp_path):
    run_stage(root, tmp_path / "run", FEATURES)
    found = cleanset.read(tmp_path / "run" / "clean.h5")
    cleaner = report.read(tmp_path / "run" / "cleaner.h5")
    assert found.columns == cleaner.kept
    assert len(found.aggregated) == len(FEATURES.aggregated)
    valid = torch.from_numpy(found.metadata.valid)
    for view in (found.aggregated, found.single(0)):
        for family in FAMILIES:
            mask = getattr(view, f"{family}_mask")
            assert not mask[~valid].any()
            assert mask[valid].any()
    rows = found.rows("train")
    expected = cleaner.apply(FEATURES.aggregated.take(rows), smooth=False)
    assert_same(found.aggregated.take(rows), expected)
    assert_same(
        found.single(2).take(rows), cleaner.apply(FEATURES.single(2).take(rows), smooth=False)
    )
    assert (found.metadata.split[rows] == "train").all()
    assert set(found.rows("theta_corner")) == set(found.rows("held_out"))
    with pytest.raises(ValueError, match="no split"):
        found.rows("trian")


def test_a_split_that_there_is_not_is_refused_with_its_place(tmp_path):
    path, split = tmp_path / "metadata.h5", FEATURES.metadata.split.astype("U12")
    split[7] = "nonsense"
    with artifacts.writing(path, "features", {}) as sink:
        synthetic.metadata.write(sink, replace(FEATURES.metadata, split=split))
    with (
        artifacts.reading(path, "features") as source,
        pytest.raises(Refusal, match=f"{path}: metadata/split: 'nonsense' at index 7; allowed: "),
    ):
        synthetic.metadata.read(source)


def test_cleaning_knows_the_splits_of_the_table():
    assert synthetic.metadata.SPLITS == table.SPLITS


def test_an_undeclared_nan_in_the_features_is_refused(tmp_path):
    with artifacts.writing(tmp_path / "features.h5", "features", {}) as sink:
        synthetic.metadata.write(sink, FEATURES.metadata)
        values = np.full((60, 14), np.nan, np.float32)
        sink.put("features/initial/aggregated/features", values, "N D")
    with pytest.raises(Refusal, match="nan at index"):
        raw.read(tmp_path / "features.h5")
