"""Pictures: the same bytes for the same values, every value that was given, nothing invented."""

import dataclasses

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinlock import randomness
from spinlock.evaluation import scorecard
from spinlock.initial_conditions import families, measure
from spinlock.plots import agent, data, engineering, files, headline, semantic, style

PNG = b"\x89PNG\r\n\x1a\n"
CATEGORIES = ("initial_0", "initial_1", "growth", "rolling", "spectrum_low", "anisotropy", "order")


def rng():
    return randomness.stream(0, "test")


def row(name, value=0.9, floor=0.0, ceiling=1.0):
    return headline.Headline(
        name=name, value=value, low=value - 0.02, high=value + 0.02, floor=floor, ceiling=ceiling
    )


def engineering_picture():
    groups, epochs = len(CATEGORIES), np.arange(1, 121)
    decay = 0.08 + 1.4 * np.exp(-epochs / 14) + 0.008 * rng().standard_normal(120)
    utilization = rng().uniform(0.2, 1.0, (groups, 3))
    utilization[1, 2] = np.nan
    return engineering.EngineeringPicture(
        boxes=(
            engineering.Box(name="features", size="14 initial\n81 summary\n38 temporal × 64"),
            engineering.Box(name="encoders", size="7 grouped\nhidden 128"),
            engineering.Box(name="latents", size="7 × 32"),
            engineering.Box(name="codebooks", size="7 × 3 levels\n24 codes each"),
            engineering.Box(name="tokens", size="21 per operator\n≤ 96 bits"),
            engineering.Box(name="decoder", size="hidden 256"),
            engineering.Box(name="columns", size="133 rebuilt"),
        ),
        curves={
            "loss": {"train": decay, "validation": decay * 1.1 + 0.03},
            "reconstruction": {"train": decay * 0.8, "validation": decay},
            "share of codes in use": {"all levels": 1 - 0.5 * np.exp(-epochs / 9)},
            "topographic similarity": {
                "before quantization": 1 - 0.6 * np.exp(-epochs / 20),
                "after quantization": 0.97 - 0.6 * np.exp(-epochs / 20),
            },
        },
        categories=CATEGORIES,
        levels=("coarse", "middle", "fine"),
        utilization=utilization,
        used=np.nan_to_num(24 * utilization).round().astype(int),
        reconstruction=rng().uniform(0.02, 0.3, groups),
        reconstruction_baseline=rng().uniform(0.1, 0.4, groups),
        baseline="PCA + k-means, equal bits",
        headlines=(
            row("quality, 1 − reconstruction", 0.934),
            row("reconstruction, mean squared error", 0.066, 1.003, 0.021),
            row("utilization of codes", 0.61),
            headline.Headline(
                name="bits per operator", value=71.2, low=None, high=None, floor=None, ceiling=96.3
            ),
            row("topographic similarity, after", 0.957, 0.02),
        ),
    )


def semantic_picture():
    groups, columns = len(CATEGORIES), 90
    category_of = rng().integers(0, groups, columns)
    association = rng().uniform(0, 0.35, (columns, groups))
    association[np.arange(columns), category_of] = rng().uniform(0.5, 1, columns)
    mixed = rng().uniform(0, 0.4, (groups, groups))
    return semantic.SemanticPicture(
        categories=CATEGORIES,
        columns=tuple(f"summary.temporal.f{i}" for i in range(columns)),
        category_of=category_of,
        association=association,
        association_label="mean |correlation| with the columns of the category",
        families=("initial", "summary", "temporal"),
        sizes=rng().integers(0, 20, (groups, 3)),
        correlation=(mixed + mixed.T) / 2,
        correlation_label="mean |correlation| between columns",
        bars=(
            semantic.Bars(
                title="topography",
                value=np.array([*np.linspace(0.1, 0.7, groups - 1), np.nan]),
                low=np.array([*np.linspace(0.0, 0.6, groups - 1), np.nan]),
                high=np.array([*np.linspace(0.2, 0.8, groups - 1), np.nan]),
            ),
        ),
    )


def error_curve(scale, steps=64):
    median = scale * (1 - np.exp(-np.arange(1, steps + 1) / 15)) + 0.02 * scale
    return agent.ErrorCurve(median=median, low=0.8 * median, high=1.3 * median)


def agent_picture():
    scales = {
        "agent": 0.3,
        "persistence": 1.1,
        "policy alone": 0.8,
        "train mean": 1.15,
        "noise floor": 0.12,
    }
    strips = []
    for name, variant in [("10th", "grf_1"), ("50th", "localized"), ("90th", "band_limited_mid")]:
        truth = torch.stack(
            [families.draw(variant, 1, 32, randomness.stream(0, "f"))[0] for _ in range(4)]
        ).numpy()
        fault = families.draw("grf_1", 4, 32, randomness.stream(1, "f")).numpy()
        prediction = truth + fault * np.array([0.02, 0.1, 0.3, 0.5])[:, None, None]
        prediction[3] = np.nan if name == "90th" else prediction[3]
        strips.append(
            agent.Strip(
                title=f"{name} percentile: operator 417 (convex)",
                steps=(1, 8, 32, 64),
                truth=truth,
                prediction=prediction,
                vrmse=np.array([0.02, 0.11, 0.31, 0.52]),
            )
        )
    return agent.AgentPicture(
        groups={
            group: {name: error_curve(scale * factor) for name, scale in scales.items()}
            for group, factor in [("residual", 0.3), ("convex", 1.0)]
        },
        counts={"residual": 45, "convex": 19},
        strips=tuple(strips),
        headlines=tuple(
            row(f"VRMSE at step {t}", 0.05 + t / 128, 1.1, 0.1) for t in (1, 8, 32, 64)
        ),
    )


def coverage():
    unit = rng().uniform(size=(256, 5))
    names = ("num_layers", "base_channels", "noise_scale", "spatial_correlation", "alpha")
    split = np.array(["train"] * 12 + ["validation"] * 2 + ["test"] * 2)[np.arange(256) // 2 % 16]
    held_out = (unit[:, 2] > 0.7) & (unit[:, 3] > 0.7)
    return unit, names, tuple(np.where(held_out, "held_out", split))


def gallery():
    items = []
    for variant in families.VARIANTS:
        stack = torch.stack(
            [families.draw(variant, 1, 32, randomness.stream(i, "g"))[0] for i in range(5)]
        )
        power, _ = measure.radial_spectrum(stack)
        items.append(
            data.Gallery(
                variant=variant,
                field=stack[0].numpy(),
                spectrum=power.mean(0).numpy(),
                variance=float(measure.variance(stack).mean()),
                count=len(stack),
            )
        )
    return items


def bands():
    return {name: row.band for name, row in families.VARIANTS.items() if row.band is not None}


PICTURES = {
    "semantic": lambda: semantic.dashboard(semantic_picture()),
    "theta_coverage": lambda: data.theta_coverage(*coverage()),
}


def texts(figure):
    return [
        text.get_text()
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_visible() and text.get_text()
    ]


def fewest(picture):
    """The same picture where nothing could be measured: no interval, no floor, NaN everywhere."""
    nothing = headline.Headline(
        name="bits", value=None, low=None, high=None, floor=None, ceiling=None
    )
    return dataclasses.replace(picture, headlines=(nothing,))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_png_of_the_same_bytes_each_time(name, tmp_path):
    files.save(PICTURES[name](), tmp_path / "a.png")
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "lines.linewidth": 9}):
        files.save(PICTURES[name](), tmp_path / "b.png")
    first = (tmp_path / "a.png").read_bytes()
    assert first.startswith(PNG)
    assert first == (tmp_path / "b.png").read_bytes()
    assert b"matplotlib" not in first.lower()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_drawing_leaves_no_trace_in_the_global_settings():
    before = dict(matplotlib.rcParams)
    engineering.dashboard(engineering_picture())
    assert dict(matplotlib.rcParams) == before


def test_a_failed_drawing_leaves_no_file(tmp_path):
    figure = style.figure(2, 2, "broken")
    figure.savefig = lambda *args, **kwargs: (_ for _ in ()).throw(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        files.save(figure, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_engineering_shows_every_number_it_was_given():
    picture = engineering_picture()
    shown = texts(engineering.dashboard(picture))
    for row_ in picture.headlines:
        assert {row_.name, style.number(row_.value)} <= set(shown)
    assert {box.name for box in picture.boxes} | set(picture.levels) <= set(shown)
    cells = picture.used[np.isfinite(picture.utilization)]
    assert {str(count) for count in cells} <= set(shown)
    assert all(line in shown for lines in picture.curves.values() for line in lines)


def test_bars_are_as_long_as_the_errors():
    picture = engineering_picture()
    bars = engineering.dashboard(picture).findobj(matplotlib.patches.Rectangle)
    widths = {round(bar.get_width(), 9) for bar in bars}
    for errors in (picture.reconstruction, picture.reconstruction_baseline):
        assert {round(float(error), 9) for error in errors} <= widths


def test_semantic_groups_the_rows_by_category_and_blanks_the_diagonal():
    picture = semantic_picture()
    first, second = (
        image.get_array()
        for image in semantic.dashboard(picture).findobj(matplotlib.image.AxesImage)
    )
    order = np.argsort(picture.category_of, kind="stable")
    np.testing.assert_array_equal(first, picture.association[order])
    assert second.mask.sum() == len(picture.categories)
    assert second.mask.diagonal().all()


def test_semantic_names_every_category_once_beside_its_columns():
    picture = semantic_picture()
    counts = np.bincount(picture.category_of, minlength=len(CATEGORIES))
    shown = texts(semantic.dashboard(picture))
    for name, count in zip(CATEGORIES, counts, strict=True):
        assert shown.count(f"{name} ({count})") == 1


def test_the_scorecards_rows_of_one_half_are_shown_once():
    rows = [
        scorecard.reference("noa/a", "x", {"noa/a": 0.5}),
        *(
            dataclasses.replace(
                scorecard.reference(name, "x", {name: 0.5, f"{name}_low": 0.4}), source="seed"
            )
            for name in ("noa/vrmse_1", "tokenizer/quality", "noa/vrmse_1")
        ),
    ]
    shown = headline.of(rows, "noa")
    assert [(row_.name, row_.value, row_.low) for row_ in shown] == [("vrmse 1", 0.5, 0.4)]


def test_agent_draws_every_curve_and_the_error_as_a_difference():
    picture = agent_picture()
    figure = agent.dashboard(picture)
    drawn = [line.get_ydata() for line in figure.findobj(matplotlib.lines.Line2D)]
    for curves in picture.groups.values():
        for curve in curves.values():
            assert any(np.array_equal(curve.median, line) for line in drawn)
    images = [image.get_array() for image in figure.findobj(matplotlib.image.AxesImage)]
    strip = picture.strips[0]
    for frame in strip.prediction - strip.truth:
        assert any(np.array_equal(frame, image) for image in images)


def test_pictures_survive_values_that_do_not_exist(tmp_path):
    machine, walker = fewest(engineering_picture()), fewest(agent_picture())
    empty = np.full((len(CATEGORIES), 3), np.nan)
    machine = dataclasses.replace(machine, utilization=empty, reconstruction=empty[:, 0])
    missing = agent.ErrorCurve(median=empty[:, 0], low=empty[:, 0], high=empty[:, 0])
    flat = dataclasses.replace(walker.strips[0], truth=np.zeros((4, 32, 32)))
    walker = dataclasses.replace(
        walker, groups={"convex": {"agent": missing}}, strips=(flat,), counts={"convex": 0}
    )
    files.save(engineering.dashboard(machine), tmp_path / "a.png")
    files.save(agent.dashboard(walker), tmp_path / "b.png")


def test_coverage_counts_the_splits_and_draws_every_pair_once():
    unit, names, split = coverage()
    figure = data.theta_coverage(unit, names, split)
    counts = {f"{name.replace('_', ' ')}: {split.count(name)}" for name in data.SPLITS}
    assert counts <= set(texts(figure))
    points = sum(
        len(line.get_xdata())
        for line in figure.findobj(matplotlib.lines.Line2D)
        if line.get_marker() == "."
    )
    assert points == 256 * 5 * 4 // 2


def test_the_gallery_shows_each_field_and_the_spectrum_it_was_given():
    items = gallery()
    figure = data.initial_conditions(items, bands())
    images = [image.get_array() for image in figure.findobj(matplotlib.image.AxesImage)]
    bars = figure.findobj(matplotlib.patches.Rectangle)
    heights = {round(bar.get_height(), 9) for bar in bars}
    for item, image in zip(items, images, strict=True):
        np.testing.assert_array_equal(image, item.field)
        assert {round(float(power), 9) for power in item.spectrum} <= heights


@given(wanted=st.lists(st.floats(0, 1), min_size=1, max_size=8), gap=st.floats(0.01, 0.2))
def test_names_keep_their_order_and_their_distance(wanted, gap):
    wanted = np.array(wanted)
    places = style.spread(wanted, gap)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= gap - 1e-9).all()
    assert places.mean() == pytest.approx(wanted.mean())


def test_names_that_do_not_collide_stay_where_their_lines_end():
    wanted = np.array([0.9, 0.1, 0.5])
    np.testing.assert_allclose(style.spread(wanted, 0.1), wanted)


@pytest.mark.parametrize(("x", "edge"), [(None, 1.0), (5.0, 0.5)])
def test_names_stand_beside_the_ends_of_their_lines(x, edge):
    """Apart by the gap, inside the axes, and none for a line without an end."""
    axes = style.figure(4, 4, "").subplots()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    ends = [(5.0, "a", "k"), (5.1, "b", "k"), (float("nan"), "c", "k"), (12.0, "d", "k")]
    style.name_lines(axes, ends, 0.1, x)
    places = {text.get_text(): text.xy for text in axes.texts}
    assert {name: round(float(across), 3) for name, (across, _) in places.items()} == {
        name: edge + 0.015 for name in "abd"
    }
    heights = [places[name][1] for name in "abd"]
    assert np.diff(heights).min() == pytest.approx(0.1)
    assert heights[-1] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.123"), (0.0, "0"), (None, "–"), (float("nan"), "–"), (2e-7, "2.0e-07")],
)
def test_numbers_have_three_digits_or_a_dash(value, text):
    assert style.number(value) == text
