"""Pictures and page of the vocabulary: the same bytes, whatever there is to show."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from spinlock import randomness
from spinlock.evaluation.exemplars import Code, Dictionary, Entry, Exemplar, Feature, Shown
from spinlock.evaluation.meanings import Level
from spinlock.evaluation.tendencies import Tendency
from spinlock.plots import canvas, vocabulary, vocabulary_overview, vocabulary_page
from spinlock.plots.canvas import Canvas

COLUMNS = ("initial.a.x", "summary.drift.raw_l2.cv", "temporal.spatial.mean")
CELLS = np.array([0, 1, 2, 2])


def noise(*shape, seed=0):
    return randomness.stream(seed, "test").standard_normal(shape)


def code(number, count=4, exemplars=3, missing=False):
    mean = noise(3, seed=number)
    if missing:
        mean[1] = np.nan
    return Code(
        code=number,
        count=count,
        test=number % 2,
        mean=mean,
        deviation=np.abs(noise(3, seed=number + 1)),
        test_mean=noise(3, seed=number + 2) if number % 2 else np.full(3, np.nan),
        tendencies=(Tendency(name="dt", score=-5, share=False, own=0.002, all=0.009),),
        exemplars=tuple(Exemplar(row=row, distance=0.1 * row) for row in range(exemplars)),
    )


def level(told, codes=3):
    return Level(
        size=8,
        codes=np.arange(codes),
        counts=np.full(codes, 4),
        effect=noise(codes, 4),
        told=told,
    )


def entry(name="a_category", codes=3, levels=4, features=3):
    return Entry(
        name=name,
        columns=COLUMNS,
        cells=CELLS,
        features=tuple(
            Feature(name=COLUMNS[place], place=place, purpose="this & <that>", told=0.4 + place / 5)
            for place in range(features)
        ),
        codes=tuple(code(n, missing=n == 1, exemplars=min(n, 3)) for n in range(codes)),
        levels=tuple(level(0.5 + n / 10) for n in range(levels)),
    )


def dictionary(*entries, grid=32, steps=(0, 8, 32, 64)):
    shown = {
        row: Shown(
            operator=row + 100,
            policy="autoregressive",
            initial_condition="band_limited_mid",
            frames=noise(len(steps), grid, grid, seed=row),
            spread=np.nan if row == 1 else 0.07,
        )
        for row in range(3)
    }
    return Dictionary(entries=entries, shown=shown, steps=steps, train=40, test=6, pool=40)


def test_the_files_have_the_same_bytes_again_and_no_others_are_there(tmp_path):
    made = dictionary(entry("one"), entry("two", codes=1, levels=1))
    (tmp_path / "a" / "words").mkdir(parents=True)
    (tmp_path / "a" / "words" / "gone.png").write_text("of a category that is no more")
    for folder in ("a", "b"):
        vocabulary_page.save(made, tmp_path / folder / "words")
    found = {
        folder: {
            str(path.relative_to(tmp_path / folder)): path.read_bytes()
            for path in (tmp_path / folder).rglob("*.*")
        }
        for folder in ("a", "b")
    }
    assert found["a"] == found["b"]
    names = ["words.html", "words/one.png", "words/overview.png", "words/two.png"]
    assert sorted(found["a"]) == names


@pytest.mark.parametrize(
    "made",
    [
        entry(codes=60),
        entry(levels=1),
        entry(levels=9),
        entry(features=1),
        entry(features=0),
        replace(entry(), levels=(level(np.nan),)),
        replace(entry(), levels=(level(-0.4), level(0.1, codes=60))),
        replace(entry(), columns=("summary." + "long_" * 30 + ".x.mean", *COLUMNS[1:])),
    ],
    ids=["codes", "one level", "levels", "feature", "none", "no test", "told nothing", "long"],
)
def test_any_category_can_be_drawn(made):
    one = dictionary(made)
    assert np.asarray(vocabulary.category(made, one).image()).any()
    assert np.asarray(vocabulary_overview.overview(one).image()).any()
    assert "\n".join(vocabulary_page.page(one, "words"))


@pytest.mark.parametrize(("grid", "steps"), [(16, (0, 1)), (48, (0, 1, 4)), (128, (0, 8, 32, 64))])
def test_any_grid_and_number_of_steps_can_be_drawn(grid, steps):
    made = entry()
    page = vocabulary.category(made, dictionary(made, grid=grid, steps=steps))
    assert page.width == vocabulary.WIDTH


def test_the_most_common_codes_are_kept_in_their_order():
    made = replace(entry(), codes=tuple(code(n, count=c) for n, c in enumerate((5, 1, 9, 3))))
    assert [one.code for one in vocabulary.most_common(made, 2)] == [0, 2]
    assert [one.code for one in vocabulary.most_common(made, 9)] == [0, 1, 2, 3]


def test_extremes_are_common_codes_if_there_are_any():
    counts = (1, 9, 9, 9, 1)
    made = replace(entry(), codes=tuple(code(n, count=c) for n, c in enumerate(counts)))
    assert [one.code for one in vocabulary_overview.extremes(made, 200)] == [1, 3]
    assert [one.code for one in vocabulary_overview.extremes(made, 1000)] == [0, 4]
    alone = replace(made, codes=made.codes[:1])
    assert [one.code for one in vocabulary_overview.extremes(alone, 200)] == [0]


def test_a_frame_is_shown_around_its_mean_whatever_its_offset_and_scale():
    frame = noise(32, 32)
    found = vocabulary.scaled(frame)
    assert found.shape == (64, 64)
    np.testing.assert_allclose(found, vocabulary.scaled(5 * frame - 3), atol=1e-12)
    np.testing.assert_allclose(found[::2, ::2], (frame - frame.mean()) / frame.std() / 2.5)
    np.testing.assert_array_equal(found[::2, ::2], found[1::2, 1::2])
    assert not vocabulary.scaled(np.ones((8, 8))).any()


def test_effects_of_a_series_are_means_over_its_windows():
    made = entry()
    found = vocabulary.by_column(made.levels[0], made)
    effect = made.levels[0].effect
    np.testing.assert_allclose(found[:, :2], effect[:, :2])
    np.testing.assert_allclose(found[:, 2], effect[:, 2:].mean(1))


def test_numbers_have_their_sign():
    values = (0.04, -0.04, 1.25, -1.36, 10.0)
    assert [vocabulary.signed(v) for v in values] == ["0", "0", "+1.2", "−1.4", "+10.0"]


def test_what_is_strongest_is_named_and_what_is_missing_is_not():
    values = np.array([0.5, -2.0, np.nan])
    found = vocabulary_page.strongest(COLUMNS, values)
    assert found == "drift · raw l2 · cv −2.0; a · x +0.5"
    assert vocabulary_page.strongest(COLUMNS, np.zeros(3)) == "nothing"


class Page(HTMLParser):
    """Tags that are open, sources of images, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_closed_names_every_level_and_shows_every_picture():
    made = dictionary(entry("one"), entry("two", levels=2))
    page = Page("\n".join(vocabulary_page.page(made, "words")))
    assert page.open == []
    assert page.images == ["words/overview.png", "words/one.png", "words/two.png"]
    words = " ".join(page.words)
    for name in ("one/0", "one/3", "two/1", "this & <that>", "dt low: 0.002 (all 0.009)"):
        assert name in words


def test_words_are_cut_and_wrapped_to_a_width():
    text = "all things that live between earth and sky"
    lines = canvas.wrap(text, 120)
    assert " ".join(lines) == text
    assert all(canvas.font(13, False).getlength(line) <= 120 for line in lines)
    assert canvas.wrap("incomprehensibilities", 20) == ["incomprehensibilities"]
    assert canvas.wrap("", 20) == []
    cut = canvas.fit(text, 120)
    assert cut.endswith("…")
    assert canvas.font(13, False).getlength(cut) <= 120
    assert canvas.fit(text, 1e4) == text


def test_words_are_seen_on_colors_and_colors_where_there_are_no_words():
    page = Canvas(80, 20)
    page.box(0, 0, 80, 20, canvas.GREEN)
    page.write((4, 2), "III", 16, bold=True)
    pixels = np.asarray(page.image())
    assert set(pixels[:, 60:].ravel()) == {canvas.GREEN}
    assert (pixels[:, :40] < canvas.GRAYS).any()


def test_shades_are_symmetric_and_end_at_one():
    palette = canvas.palette()
    assert len(palette) == canvas.GRAYS + canvas.SHADES + len(canvas.ACCENTS) <= 256
    values = np.array([-9, -1, -0.5, 0, 0.5, 1, 9])
    shades = canvas.shade(values).astype(int) - canvas.GRAYS
    np.testing.assert_array_equal(shades + shades[::-1], canvas.SHADES - 1)
    assert (shades.min(), shades.max()) == (0, canvas.SHADES - 1)
    red = palette[canvas.GRAYS + canvas.SHADES - 1].astype(int)
    assert red[0] > red[2]


def test_a_picture_is_a_png_of_few_colors(tmp_path):
    page = Canvas(40, 30)
    page.field(4, 4, np.linspace(-1, 1, 64).reshape(8, 8))
    page.save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (40, 30))
