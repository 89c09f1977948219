"""Pictures and films of rollouts: true colors, every frame, the same bytes, divergence shown."""

import sys
from dataclasses import replace
from itertools import pairwise

import av
import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from sklearn.decomposition import PCA

from operator_cases import table, theta
from spinlock.initial_conditions import measure
from spinlock.plots import style
from spinlock.refusals import Refusal
from spinlock.rendering import caption, colors, ensemble, files, film, palette, scene, steps, strip
from spinlock.rollout.engine import Rollout

LAST, SIZE = 6, 8
seeds = st.integers(0, 2**31)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def rolled(u, u0=None, diverged_at=None):
    """A rollout of operator 0 with given fields, [R, T, C, H, W]."""
    ends = [0] * len(u) if diverged_at is None else diverged_at
    u = torch.from_numpy(np.ascontiguousarray(u))
    for frames, end in zip(u, ends, strict=True):
        if end:
            frames[end - 1 :] = torch.nan
    first = noise(*u.shape[2:], seed=9) if u0 is None else u0
    return Rollout(operator=0, u0=torch.from_numpy(first), u=u, diverged_at=torch.tensor(ends))


def look(mode="heatmap", realization=0, channel=None):
    return scene.Look(mode=mode, realization=realization, channel=channel)


def made(rollout, mode="heatmap", **changes):
    return scene.scene(table(), rollout, look(mode, **changes))


@pytest.fixture(scope="module")
def diverging():
    return rolled(noise(3, LAST, 3, SIZE, SIZE), diverged_at=[3, 0, 5])


# --- colors


def test_red_green_and_blue_are_channels_and_gray_is_zero():
    u = np.zeros((3, 2, 2))
    u[0, 0, 0], u[1, 0, 1], u[2, 1, 0], u[:, 1, 1] = 2.0, 2.0, -2.0, 9.0
    expected = [[[1, 0.5, 0.5], [0.5, 1, 0.5]], [[0.5, 0.5, 0], [1, 1, 1]]]
    np.testing.assert_allclose(colors.rgb(u, 2.0), expected)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_rgb_is_for_three_channels_only(channels):
    with pytest.raises(Refusal, match=rf"--mode rgb: expected 3 channels, got {channels}"):
        made(rolled(noise(1, 2, channels, SIZE, SIZE)), "rgb")


@given(seed=seeds)
def test_a_scale_holds_nearly_all_values_and_no_value_is_none(seed):
    values = noise(2000, seed=seed)
    size = colors.reach(values)
    assert np.quantile(np.abs(values), 0.99) < size <= np.abs(values).max()
    assert colors.reach(np.append(values, np.float32("nan"))) == size
    assert colors.reach(-3 * values) == pytest.approx(3 * size)
    assert colors.reach(np.zeros(5)) == colors.reach(np.full(5, np.nan)) == 1.0


def test_an_explosion_does_not_hide_how_a_rollout_began():
    u = noise(2, LAST, 3, SIZE, SIZE)
    u[:, -2:] *= 1e5
    for mode in scene.MODES:
        drawn = made(rolled(u), mode)
        first = drawn.shown[0].images[0]
        high = drawn.shown[0].scale.high if mode == "heatmap" else 0.5
        middle = 0.0 if mode == "heatmap" else 0.5
        assert 0.05 < np.abs((first - middle) / high).max() <= 1
        power = drawn.power
        assert power.images[0].max() > power.scale.low + 0.5 * scene.DECADES
        assert drawn.variance.scale.high < 1e4


@given(seed=seeds, channels=st.integers(3, 6))
def test_components_are_orthonormal_ordered_and_those_of_sklearn(seed, channels):
    mixed = np.einsum("dc,scyx->sdyx", noise(channels, channels, seed=seed + 1),
                      noise(4, channels, SIZE, SIZE, seed=seed))  # fmt: skip
    found = colors.fit(mixed)
    states = np.moveaxis(mixed, 1, -1).reshape(-1, channels)
    oracle = PCA(3, svd_solver="full").fit(states.astype(np.float64))
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(3), atol=1e-9)
    assert (np.diff(found.share) <= 0).all()
    np.testing.assert_allclose(found.share, oracle.explained_variance_ratio_, rtol=1e-5)
    largest = np.abs(found.components).argmax(1)
    assert (found.components[range(3), largest] > 0).all()
    signs = np.sign((oracle.components_ * found.components).sum(1, keepdims=True))
    scores = np.moveaxis(colors.project(mixed, found), 1, -1).reshape(-1, 3)
    np.testing.assert_allclose(scores, oracle.transform(states) * signs[:, 0], atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_components_that_do_not_exist_are_zero(channels):
    u = noise(4, channels, SIZE, SIZE)
    found = colors.fit(u)
    assert found.share.sum() == pytest.approx(1)
    assert not found.components[channels:].any()
    assert not colors.project(u, found)[:, channels:].any()
    assert made(rolled(noise(2, LAST, channels, SIZE, SIZE)), "pca").shown[0].images.shape[-1] == 3


def test_components_ignore_what_has_diverged():
    u = noise(2, LAST, 3, SIZE, SIZE)
    broken = np.concatenate([u, np.full_like(u[:, :1], np.nan)], axis=1)
    np.testing.assert_allclose(colors.fit(broken).components, colors.fit(u).components)


def test_a_component_of_rounding_errors_is_not_blown_up():
    u = noise(4, 3, SIZE, SIZE)
    u[:, 2] = u[:, 0] + u[:, 1] + 1e-9 * noise(4, SIZE, SIZE, seed=3)
    projection = colors.fit(u)
    scores = colors.project(u, projection)[None]
    drawn = colors.symmetric(scores, colors.extents(scores))
    assert np.abs(drawn[:, :, 2] - 0.5).max() < 0.01
    assert np.abs(drawn[:, :, 1] - 0.5).max() > 0.4


# --- statistics


@pytest.mark.parametrize(("ky", "kx"), [(0, 3), (2, 0), (1, 2), (3, -1)])
def test_power_of_a_plane_wave_peaks_at_its_wave_vector(ky, kx):
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    u = np.cos(2 * np.pi * (ky * y + kx * x))[None, None]
    power = ensemble.power(u)[0]
    peaks = {
        (int(row) - SIZE // 2, int(column) - SIZE // 2) for row, column in np.argwhere(power > 0.1)
    }
    assert peaks == {(ky, kx), (-ky, -kx)}
    nearest = int(np.floor(np.hypot(ky, kx) + 0.5))
    assert ensemble.radial(u)[0].argmax() + 1 == nearest


@given(seed=seeds)
def test_power_of_all_modes_is_the_mean_square(seed):
    u = noise(2, 3, SIZE, SIZE, seed=seed).astype(np.float64)
    total = ensemble.power(u).sum((-2, -1))
    np.testing.assert_allclose(total, np.square(u).mean((-2, -1)).sum(1))


def test_the_radial_spectrum_is_that_of_initial_conditions():
    u = noise(2, 3, SIZE, SIZE)
    expected = measure.radial_spectrum(torch.from_numpy(u))[0].sum(1)
    np.testing.assert_allclose(ensemble.radial(u), expected)


@given(seed=seeds)
def test_mean_and_variance_over_realizations_are_those_of_numpy(seed):
    u = noise(4, 3, 2, SIZE, SIZE, seed=seed)
    np.testing.assert_allclose(ensemble.mean(u), u.mean(0), atol=1e-6)
    np.testing.assert_allclose(ensemble.variance(u), u.var(0, ddof=1).sum(1), rtol=1e-4)


def test_diverged_realizations_leave_mean_and_variance_to_the_others(diverging):
    u = ensemble.frames(diverging)
    assert ensemble.alive(u).tolist() == [3, 3, 3, 2, 2, 1, 1]
    np.testing.assert_allclose(ensemble.mean(u)[3], u[1:, 3].mean(0), atol=1e-6)
    np.testing.assert_allclose(ensemble.mean(u)[6], u[1, 6])
    finite = np.isfinite(ensemble.variance(u)).all((1, 2))
    assert finite.tolist() == [True] * 5 + [False] * 2


def test_step_zero_is_the_initial_condition_of_all():
    rollout = rolled(noise(2, LAST, 3, SIZE, SIZE))
    u = ensemble.frames(rollout)
    assert u.shape == (2, LAST + 1, 3, SIZE, SIZE)
    assert (u[:, 0] == rollout.u0.numpy()).all()
    assert not ensemble.variance(u)[0].any()


# --- steps


@given(last=st.integers(0, 300), data=st.data())
def test_as_many_steps_are_shown_as_asked_for_from_first_to_last(last, data):
    count = data.draw(st.integers(1, last + 1))
    for spaced in (steps.doubling(last, count), steps.even(last, count)):
        assert len(spaced) == count
        assert list(spaced) == sorted(set(spaced))
        assert spaced[0] == 0
        assert spaced[-1] == (last if count > 1 else 0)


def test_doubling_steps_show_the_beginning():
    assert steps.doubling(64, 8) == (0, 1, 2, 5, 10, 19, 35, 64)


@pytest.mark.parametrize("text", ["", "1,1", "3,2", "-1,4", "1.5", "0,65", "a"])
def test_lists_of_steps_that_cannot_be_are_refused(text):
    with pytest.raises(Refusal, match=r"--steps: expected ascending numbers in 0 … 64"):
        steps.listed(text, 64)
    assert steps.listed("0,1,64", 64) == (0, 1, 64)


@pytest.mark.parametrize("count", [0, -3, 8])
def test_more_frames_than_steps_are_refused(count):
    with pytest.raises(Refusal, match=rf"--frames: expected 1 … 7, got {count}"):
        steps.even(6, count)


# --- scenes


def test_a_heat_map_has_one_symmetric_scale_for_all_channels_steps_and_realizations():
    u = noise(2, LAST, 3, SIZE, SIZE) * np.array([1, 5, 1], dtype=np.float32)[:, None, None]
    drawn = made(rolled(u))
    scales = {(panel.scale.low, panel.scale.high) for panel in (*drawn.shown, *drawn.means)}
    ((low, high),) = scales
    assert -low == high == pytest.approx(colors.reach(ensemble.frames(rolled(u))))
    for channel, panel in enumerate(drawn.shown):
        np.testing.assert_array_equal(panel.images[1:], u[0, :, channel])


def test_one_channel_can_be_shown_alone():
    rollout = rolled(noise(2, LAST, 3, SIZE, SIZE))
    drawn = made(rollout, channel=2, realization=1)
    (panel,) = drawn.shown
    np.testing.assert_array_equal(panel.images[1:], rollout.u[1, :, 2])
    assert panel.name == "realization 1, channel 2"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (look(realization=2), r"--realization: expected 0 … 1, got 2"),
        (look(realization=-1), r"--realization: expected 0 … 1, got -1"),
        (look(channel=3), r"--channel: expected 0 … 2, got 3"),
        (look("pca", channel=0), r"--channel: only --mode heatmap shows one channel, got pca"),
    ],
)
def test_what_is_not_there_is_refused(asked, message):
    with pytest.raises(Refusal, match=message):
        scene.scene(table(), rolled(noise(2, LAST, 3, SIZE, SIZE)), asked)


def test_the_words_say_which_operator_it_is_and_only_what_acts():
    operator = table(
        theta(update_policy="residual", dt=0.0125), split=("test",), ids=np.array([417])
    )
    assert caption.title(operator) == "Operator 417: residual, localized, test"
    words = caption.parameters(operator)
    assert "dt 0.0125 · " in words + " · "
    assert "num layers 3 · base channels 4 · kernel size 3" in words
    for idle in ("alpha", "schedule period", "encoder levels", "mode share"):
        assert idle not in words


def test_the_longest_title_leaves_room_for_the_clock():
    longest = table(
        theta(update_policy="autoregressive"),
        ids=np.array([99999]),
        ic_types=("relativistic_wave_packet",),
        split=("validation",),
    )
    rollout = rolled(noise(1, 10, 3, 32, 32), diverged_at=[2])
    for mode in scene.MODES:
        drawn = scene.scene(longest, rollout, look(mode))
        blank, said = (
            next(film.film(replace(drawn, title=title), [10])) for title in ("", drawn.title)
        )
        places = np.flatnonzero((blank != said).any((0, 2)))
        clock = np.flatnonzero((blank[14:40] < 128).any((0, 2)))
        assert places.max() + 20 < clock.min()


def test_held_out_groups_and_coefficients_are_told():
    operator = table(
        z=np.array([[0.6, -0.8]], dtype=np.float32),
        held_out=np.array([[False, True]]),
        held_out_groups=("ic_variant:sinusoids", "theta_corner"),
    )
    assert caption.parameters(operator).endswith("weights z (0.6, -0.8) · held out by theta corner")


def test_divergence_is_named(diverging):
    assert caption.fate(diverging) == "diverged: realization 0 at step 3, realization 2 at step 5"
    assert caption.fate(rolled(noise(1, 2, 3, 4, 4))) == "no realization diverged"


# --- pictures


def words(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


@pytest.mark.parametrize(("mode", "rows"), [("heatmap", 8), ("rgb", 4), ("pca", 4)])
def test_a_picture_has_a_row_a_panel_and_a_column_a_step(mode, rows):
    drawn = made(rolled(noise(2, LAST, 3, SIZE, SIZE)), mode)
    shown = (0, 2, 6)
    images = strip.strip(drawn, shown).findobj(matplotlib.image.AxesImage)
    panels = (*drawn.shown, *drawn.means, drawn.variance, drawn.power)
    assert len(panels) == rows
    expected = [panel.images[step] for panel in panels for step in shown]
    for image, values in zip(images, expected, strict=True):
        np.testing.assert_array_equal(
            np.asarray(image.get_array())[..., : values.shape[-1]], values
        )


def test_every_cell_is_a_square_of_whole_pixels():
    figure = strip.strip(made(rolled(noise(1, LAST, 3, SIZE, SIZE))), (0, 6))
    renderer = FigureCanvasAgg(figure).get_renderer()
    for image in figure.findobj(matplotlib.image.AxesImage):
        box = image.get_window_extent(renderer)
        assert box.width % SIZE == pytest.approx(0, abs=1e-6)
        assert box.height == pytest.approx(box.width)
        assert box.x0 == pytest.approx(round(box.x0), abs=1e-6)


@pytest.mark.parametrize("mode", scene.MODES)
def test_diverged_steps_are_shown_as_such_and_named_above(diverging, mode):
    figure = strip.strip(made(diverging, mode), (0, 2, 3, 6))
    said = words(figure)
    count = 3 if mode == "heatmap" else 1
    assert said.count("diverged") == 2 * (count + 1)  # the realization and its power
    assert said.count("none") == 1  # the variance over one realization that is left
    assert any("realization 0 at step 3" in text for text in said)


def test_a_rollout_that_diverges_at_once_is_drawn():
    rollout = rolled(noise(1, LAST, 3, SIZE, SIZE), diverged_at=[1])
    for mode in scene.MODES:
        drawn = made(rollout, mode)
        assert "none" in words(strip.strip(drawn, (6,)))
    assert len(list(film.film(drawn, (0, 6)))) == 2


def test_a_field_that_is_zero_is_drawn():
    zero = np.zeros((2, LAST, 3, SIZE, SIZE), dtype=np.float32)
    for mode in scene.MODES:
        drawn = made(rolled(zero, u0=zero[0, 0]), mode)
        assert "step 6" in words(strip.strip(drawn, (0, 6)))


# --- films


@pytest.mark.parametrize("mode", scene.MODES)
def test_a_frame_shows_the_fields_of_its_step_whatever_was_drawn_before(diverging, mode):
    drawn = made(diverging, mode, realization=1)
    forward = list(film.film(drawn, range(LAST + 1)))
    (alone,) = film.film(drawn, [4])
    np.testing.assert_array_equal(forward[4], alone)
    assert all((a != b).any() for a, b in pairwise(forward))


def test_a_frame_has_the_colors_of_the_field():
    u0 = np.zeros((3, SIZE, SIZE), dtype=np.float32)
    u0[0], u0[1], u0[2] = 2.0, -2.0, 0.0
    still = np.repeat(u0[None, None], LAST, axis=1)
    (frame,) = film.film(made(rolled(still, u0=u0), "rgb"), [0])
    red = (np.abs(frame.astype(int) - [255, 0, 128]) <= 1).all(-1)
    assert red.sum() == 2 * film.TILE**2  # the realization and the mean


def test_a_palette_holds_both_ends_of_every_scale_and_leaves_out_no_image_color(diverging):
    for mode in scene.MODES:
        drawn = made(diverging, mode)
        known = palette.palette(drawn, range(LAST + 1))
        assert known.dtype == np.uint8
        assert known.shape[0] <= 256
        for panel in (*drawn.shown, drawn.variance, drawn.power):
            if panel.scale is not None:
                ends = matplotlib.colormaps[panel.scale.colors]([0.0, 1.0])[:, :3] * 255
                assert all((np.abs(known - end).max(1) <= 1).any() for end in ends)


# --- files


@pytest.mark.parametrize("suffix", [".png", ".gif", ".mp4"])
def test_the_same_rollout_is_the_same_bytes(tmp_path, diverging, suffix):
    drawn = made(diverging, "rgb")
    for name in ("a", "b"):
        files.save(drawn, range(LAST + 1), tmp_path / f"{name}{suffix}", 10)
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


@pytest.mark.parametrize("shown", [(0, 1, 2, 3, 4, 5, 6), (1, 5), (4,)])
def test_a_film_has_as_many_frames_as_steps_even_if_nothing_moves(tmp_path, shown):
    still = np.repeat(noise(1, 1, 3, SIZE, SIZE), LAST, axis=1)
    drawn = made(rolled(still, u0=still[0, 0]))
    files.save(drawn, shown, tmp_path / "x.gif", 10)
    files.save(drawn, shown, tmp_path / "x.mp4", 10)
    with Image.open(tmp_path / "x.gif") as image:
        assert getattr(image, "n_frames", 1) == len(shown)
        if len(shown) > 1:
            assert image.info["duration"] == 100
    with av.open(tmp_path / "x.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == len(shown)
        assert container.streams.video[0].average_rate == 10


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_film_file_shows_the_frames(tmp_path, diverging, suffix):
    drawn = made(diverging, realization=1)
    files.save(drawn, (0, 6), tmp_path / f"x{suffix}", 10)
    expected = list(film.film(drawn, (0, 6)))[1].astype(int)
    if suffix == ".gif":
        with Image.open(tmp_path / "x.gif") as image:
            image.seek(1)
            found = np.asarray(image.convert("RGB"))
    else:
        with av.open(tmp_path / "x.mp4") as container:
            found = list(container.decode(video=0))[1].to_ndarray(format="rgb24")
    assert np.abs(expected - found).mean() < 4


def test_no_half_film_is_left_when_drawing_fails(tmp_path, diverging):
    broken = replace(made(diverging, "rgb"), spectrum=np.zeros((1, 3)))
    for suffix in (".png", ".gif", ".mp4"):
        with pytest.raises(IndexError):
            files.save(broken, (0, 6), tmp_path / f"x{suffix}", 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.svg", "x", "x.PNG.txt"])
def test_other_formats_are_refused_by_name(tmp_path, name):
    with pytest.raises(Refusal, match=r"x.*: expected a name that ends in \.png, \.gif, \.mp4"):
        files.check(tmp_path / name, 10)


def test_folders_and_impossible_rates_are_refused(tmp_path):
    (tmp_path / "x.png").mkdir()
    with pytest.raises(Refusal, match=r"x\.png: a folder"):
        files.check(tmp_path / "x.png", 10)
    with pytest.raises(Refusal, match=r"--rate: expected 1 … 50 frames a second, got 0"):
        files.check(tmp_path / "y.gif", 0)


def test_pictures_use_the_look_of_all_others():
    figure = strip.strip(made(rolled(noise(1, LAST, 3, SIZE, SIZE))), (0, 6))
    assert figure.dpi == style.DPI
    assert {text.get_fontfamily()[0] for text in figure.findobj(matplotlib.text.Text)} == {
        "DejaVu Sans"
    }


def test_without_its_library_a_film_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(Refusal, match=r"an \.mp4 needs PyAV; install it with pip install"):
        files.check(tmp_path / "x.mp4", 10)
    files.check(tmp_path / "x.gif", 10)
