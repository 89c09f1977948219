"""Which column belongs where: every cell once, bins as means, refusals that name the column."""

from dataclasses import replace

import pytest
import torch

import tokenizer_cases as cases
from spinlock.refusals import Refusal
from spinlock.tokenizer.encoders import prepare, stack_views
from spinlock.tokenizer.layout import assign


@pytest.fixture(scope="module")
def made():
    return cases.source()


@pytest.fixture(scope="module")
def layout(made):
    kept = made[0].kept
    return assign(cases.mapping(kept), kept, 4, 8)


def test_every_cell_stands_in_exactly_one_category(layout):
    assert sorted(layout.order().tolist()) == list(range(sum(layout.sizes)))


def test_every_column_weighs_one(layout):
    weights = torch.zeros(sum(map(len, layout.columns.values())))
    weights.index_add_(0, layout.column_of_cell(), layout.weights())
    torch.testing.assert_close(weights, torch.ones_like(weights))


def test_members_share_out_the_weights(layout):
    torch.testing.assert_close(layout.members().sum(1), layout.weights())
    assert ((layout.members() > 0).sum(1) == 1).all()


def test_members_of_a_category_sum_to_its_columns(layout):
    sizes = [len(c.initial) + len(c.summary) + len(c.temporal) for c in layout.categories]
    torch.testing.assert_close(layout.members().sum(0), torch.tensor(sizes, dtype=torch.float32))


def test_initial_categories_form_a_block_of_their_own(layout):
    assert layout.blocks() == ((0, 1), (2, 3, 4))


def test_cells_are_columns_and_means_of_windows(made, layout):
    cleaned = made[1].aggregated
    inputs = prepare(cleaned, layout)
    category = layout.categories[2]
    cells = inputs.cells.split(layout.sizes, 1)[2]
    first = len(category.summary)
    expected = (
        cleaned.summary[:, list(category.summary)] * cleaned.summary_mask[:, list(category.summary)]
    )
    torch.testing.assert_close(cells[:, :first], expected)
    valid = cleaned.temporal_mask.all(1).all(1)
    means = cleaned.temporal[:, :, category.temporal[0]].unflatten(1, (4, 2)).mean(-1)
    torch.testing.assert_close(cells[valid, first : first + 4], means[valid])


def test_missing_steps_do_not_count_in_a_window_and_missing_cells_are_zero(made, layout):
    cleaned = made[1].aggregated.take([0])
    column = layout.categories[4].temporal[0]
    cleaned.temporal_mask[0, 0, column] = False
    cleaned.temporal_mask[0, 2:4, column] = False
    cleaned.temporal[0, :4, column] = torch.tensor([99.0, 3.0, 99.0, 99.0])
    inputs = prepare(cleaned, layout)
    cells = inputs.cells.split(layout.sizes, 1)[4][0]
    exists = inputs.exists.split(layout.sizes, 1)[4][0]
    assert cells[:2].tolist() == [3.0, 0.0]
    assert exists[:2].tolist() == [0.5, 0.0]
    assert 99.0 not in inputs.cells


def test_a_gap_in_one_operator_changes_nothing_in_the_others(made, layout):
    """Series without any gap take a shorter way; the same to the bit."""
    whole = made[1].aggregated.take(made[1].rows("train"))
    whole.temporal_mask[:] = True
    gap = replace(whole, temporal_mask=whole.temporal_mask.clone())
    gap.temporal_mask[0, 0] = False
    shorter, general = prepare(whole, layout), prepare(gap, layout)
    assert torch.equal(shorter.cells[1:], general.cells[1:])
    assert torch.equal(shorter.exists[1:], general.exists[1:])
    assert not torch.equal(shorter.exists[0], general.exists[0])


def test_the_rows_of_an_operator_follow_each_other(made, layout):
    views = [prepare(made[1].aggregated, layout), prepare(made[1].single(0), layout)]
    stacked = stack_views(views)
    assert torch.equal(stacked.cells[0::2], views[0].cells)
    assert torch.equal(stacked.exists[1::2], views[1].exists)
    assert stacked.field_of.tolist()[:4] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["series"].append("temporal.nothing"), "'temporal.nothing' is not"),
        (lambda m: m["series"].append(m["mixed"][0]), "in mixed and in series"),
        (lambda m: m["mixed"].pop(0), "1 columns are in no category: summary.energy"),
        (lambda m: m.update(empty=[]), "empty: expected at least one column"),
    ],
)
def test_a_wrong_mapping_is_refused_by_name(made, change, message):
    kept = made[0].kept
    mapping = cases.mapping(kept)
    change(mapping)
    with pytest.raises(Refusal, match=message):
        assign(mapping, kept, 4, 8)


def test_windows_that_do_not_divide_the_series_are_refused(made):
    kept = made[0].kept
    with pytest.raises(Refusal, match="divisor of the 8 steps"):
        assign(cases.mapping(kept), kept, 3, 8)
