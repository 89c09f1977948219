"""The gallery of initial conditions: every variant, what was measured, the same bytes."""

from itertools import groupby

import matplotlib
import numpy as np
import pytest
from PIL import Image

from spinlock.initial_conditions import families
from spinlock.plots import gallery
from spinlock.refusals import Refusal


@pytest.fixture(scope="module")
def specimens():
    return gallery.specimens(32, 1)


@pytest.fixture(scope="module")
def figure(specimens):
    return gallery.picture(specimens)


def test_every_variant_is_there_once_and_those_of_a_kind_stand_together(specimens):
    assert sorted(item.variant for item in specimens) == sorted(families.VARIANTS)
    kinds = [kind for kind, _ in groupby(item.kind for item in specimens)]
    assert len(kinds) == len(set(kinds))
    assert {item.variant: item.kind for item in specimens}["dla_cluster"] == "growth"
    assert {item.variant: item.kind for item in specimens}["grf_2"] == "spectral"


def test_draws_are_independent_of_each_other_and_of_other_variants(specimens):
    fields = np.concatenate([item.fields.reshape(2, -1) for item in specimens])
    assert (fields.std(1) > 0.1).all()
    assert len(np.unique(fields, axis=0)) == len(fields)
    alike = np.array([item.fields for item in specimens if item.variant.startswith("grf")])
    correlation = np.abs(np.corrcoef(alike.reshape(len(alike) * 2, -1)) - np.eye(len(alike) * 2))
    assert correlation.max() < 0.6


def test_the_spectrum_is_power_per_mode_at_true_wavenumbers(specimens):
    known = {item.variant: item.spectra.mean(0) for item in specimens}
    inside = known["band_limited_mid"][4:7]  # |k| = 5, 6, 7, wholly inside 4 ≤ |k| < 8
    waves = np.hypot(*np.mgrid[-8:9, -8:9])
    share = 1 / ((waves >= 4) & (waves < 8)).sum()  # of variance 1, white
    np.testing.assert_allclose(inside, share, rtol=0.15)
    assert known["band_limited_mid"][[0, 1, 9, 14]].max() < 1e-9
    k = np.arange(3, 11)
    slope = np.polyfit(np.log(k), np.log(known["multiscale_grf"][k - 1]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.5)


def test_fields_and_mean_spectra_are_drawn_as_they_were_measured(specimens, figure):
    images = [image.get_array() for image in figure.findobj(matplotlib.image.AxesImage)]
    expected = [field for item in specimens for field in item.fields]
    for image, field in zip(images, expected, strict=True):
        np.testing.assert_array_equal(image, field)
    lines = [line.get_ydata() for line in figure.findobj(matplotlib.lines.Line2D)]
    drawn = {np.asarray(line, dtype=float).tobytes() for line in lines}
    for item in specimens:
        assert item.spectra.mean(0).tobytes() in drawn


def test_every_cell_is_a_square_of_whole_pixels(figure):
    for axes in (image.axes for image in figure.findobj(matplotlib.image.AxesImage)):
        box = axes.get_window_extent()
        assert (box.width % 32, box.height - box.width) == pytest.approx((0, 0), abs=1e-6)


def test_the_file_has_256_colors_and_the_same_bytes_each_time(tmp_path, specimens):
    few = specimens[:3]
    for name in ("a.png", "b.png"):
        gallery.save(gallery.picture(few), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"


def test_a_grid_too_coarse_for_a_variant_is_refused():
    with pytest.raises(Refusal, match=r"needs more than \d+ points, got 16"):
        gallery.specimens(16, 1)
