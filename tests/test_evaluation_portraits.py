"""Portraits of the features: who stands out, by how much, and what goes together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spinlock import randomness
from spinlock.evaluation import portraits
from spinlock.plots import canvas, distributions, files
from spinlock.plots import features as pictures
from spinlock.plots import portraits as pages


def noise(*shape):
    return randomness.stream(3, "test").standard_normal(shape)


def test_robust_scores_are_those_of_scipy_and_ignore_an_outlier():
    reference = noise(200, 3)
    scale = stats.median_abs_deviation(reference, axis=0) * portraits.MAD_TO_DEVIATION
    expected = (reference - np.median(reference, axis=0)) / scale
    np.testing.assert_allclose(portraits.robust_scores(reference, reference), expected)
    spoiled = np.vstack([reference, np.full((1, 3), 1e9)])
    np.testing.assert_allclose(portraits.robust_scores(reference, spoiled), expected, atol=0.05)


def test_a_constant_or_missing_value_has_no_score():
    reference = np.column_stack([np.ones(9), np.arange(9.0)])
    scores = portraits.robust_scores(np.array([[2.0, np.nan], [1.0, 4.0]]), reference)
    assert np.isnan(scores).tolist() == [[True, True], [True, False]]
    assert scores[1, 1] == 0


def test_correlation_is_that_of_numpy_and_missing_values_stand_at_the_mean():
    values = noise(50, 4)
    np.testing.assert_allclose(portraits.correlation(values), np.corrcoef(values.T), atol=1e-12)
    values[3, 0] = np.nan
    filled = values.copy()
    filled[3, 0] = np.nanmean(values[:, 0])
    np.testing.assert_allclose(portraits.correlation(values), np.corrcoef(filled.T), atol=1e-12)


def test_a_constant_column_correlates_with_nothing():
    found = portraits.correlation(np.column_stack([np.ones(9), np.arange(9.0)]))
    assert np.isnan(found[0]).all()
    assert found[1, 1] == pytest.approx(1)


@given(steps=st.integers(1, 300))
def test_shown_steps_start_at_one_and_end_with_the_last(steps):
    shown = portraits.shown_steps(steps)
    assert (shown[0], shown[-1]) == (1, steps)
    assert list(shown) == sorted(set(shown))


def of_four_columns():
    values = noise(30, 4)
    values[2, 1] = np.nan
    columns = ("initial.a.x", "initial.b.y", "summary.drift.x", "temporal.spatial.x")
    portrait = portraits.Portrait(
        operator=7,
        policy="convex",
        initial_condition="grf_1",
        steps=(1, 4),
        frames=noise(2, 8, 8),
        columns=columns[:3],
        scores=np.array([100.0, -15.0, np.nan]),
    )
    return portraits.Gallery(
        columns=columns,
        values=values,
        correlation=portraits.correlation(values),
        portraits=(portrait,),
    )


def test_columns_are_told_apart_by_group():
    assert distributions.groups(of_four_columns().columns) == [
        ("initial", [0, 1]),
        ("summary.drift", [2]),
        ("temporal.spatial", [3]),
    ]


def test_bars_are_the_counts_between_the_outer_quantiles():
    gallery = of_four_columns()
    drawn = distributions.page(gallery).colors == canvas.BLUE
    top = distributions.TOP + distributions.HEADING
    for column in (0, 1):  # the second lacks a value
        known = gallery.values[:, column]
        known = known[np.isfinite(known)]
        limits = tuple(np.quantile(known, distributions.SHOWN))
        counts, _ = np.histogram(known, distributions.BINS, limits)
        left = distributions.MARGIN + column * distributions.PANEL
        width = distributions.BINS * distributions.BAR
        tall = drawn[top : top + distributions.ROW, left : left + width].sum(0)
        wanted = np.repeat(distributions.TALL * counts / counts.max(), distributions.BAR)
        np.testing.assert_allclose(tall, wanted, atol=0.51)


def test_a_column_without_a_value_or_without_spread_is_drawn():
    gallery = of_four_columns()
    gallery.values[:, 0], gallery.values[:, 1] = np.nan, 3.0
    drawn = distributions.page(gallery).colors == canvas.BLUE
    row = slice(distributions.TOP, distributions.TOP + distributions.HEADING + distributions.ROW)
    across = drawn[row].any(0)
    assert across.sum() == distributions.BAR  # one bar, of the second
    assert np.flatnonzero(across)[0] > distributions.MARGIN + distributions.PANEL


def test_a_portrait_shows_its_frames_and_bars_cut_at_the_limit():
    gallery = of_four_columns()
    (portrait,) = gallery.portraits
    page = pages.page(gallery.portraits)
    frame = portrait.frames[1] / np.abs(portrait.frames[1]).max()
    left, top = pages.MARGIN + pages.TILE + pages.GAP, pages.TOP + 58
    seen = page.colors[top : top + pages.TILE, left : left + pages.TILE]
    np.testing.assert_array_equal(seen, np.kron(canvas.shade(frame), np.ones((20, 20))))
    bars = page.colors == canvas.VERMILION
    rows = [bars[pages.TOP + 42 + pages.LINE * row] for row in range(3)]
    lengths = [int(row.sum()) for row in rows]
    assert lengths == [pages.BARS // 2, pages.BARS // 4, 1]  # 100 is cut at 30; 15; none
    zero = int(np.flatnonzero(rows[2])[0])
    assert np.flatnonzero(rows[0])[0] == zero
    assert np.flatnonzero(rows[1])[-1] == zero - 1


def test_pictures_are_the_same_bytes_again(tmp_path):
    gallery = of_four_columns()
    for folder in ("one", "two"):
        assert len(list(files.draw(pictures.pictures(gallery), tmp_path / folder))) == 3
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["features.png", "features_correlation.png", "features_portraits.png"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
