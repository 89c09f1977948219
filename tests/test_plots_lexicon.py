"""Pictures of codes, of the tree of columns, and of rate and distortion; and the codes in them."""

import dataclasses

import matplotlib
import numpy as np
import pytest
import torch
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

import tokenizer_cases
from spinlock.categories.grouping import Grouping
from spinlock.evaluation import codebook
from spinlock.evaluation.codes import Target
from spinlock.evaluation.semantics import NAMES, metrics, semantics, tree
from spinlock.plots import dendrogram, files, rate, topological

CATEGORIES = ("a_one", "b_two", "c_three")
COLUMNS = tuple(f"c{index}" for index in range(12))
GIVEN = Grouping(
    categories={}, pools={"first": ("c2", "c0", "c1"), "others": COLUMNS[3:]}, trees={}
)


@pytest.fixture(scope="module")
def model():
    return tokenizer_cases.started(*tokenizer_cases.source(120))


@pytest.fixture(scope="module")
def tokens(model):
    cleaned = tokenizer_cases.source(120)[1]
    with torch.no_grad():
        return model.tokens(model.latents(cleaned.aggregated)).numpy()


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def topological_picture(uses=None):
    vectors = normal(30, 8)
    dead = np.zeros((3, 2))
    dead[2, 1] = np.nan
    return topological.TopologicalPicture(
        categories=CATEGORIES,
        vectors=vectors,
        category_of=np.repeat([0, 1, 2], 10),
        uses=np.arange(30) if uses is None else uses,
        cosines=codebook.cosines(vectors),
        dead=dead,
        dead_counts=np.zeros((3, 2), dtype=int),
        counts=(np.arange(10), np.array([9, 1, 0, 0])),
        seed=1,
    )


def factors(count=500, seed=3):
    """Three groups of columns: copies of one factor each, with a little noise of their own."""
    hidden = normal(count, 3, seed=seed)
    return np.repeat(hidden, 4, axis=1) + 0.1 * normal(count, 12, seed=seed + 1)


def target(values, category):
    return Target(
        values=values,
        exists=np.ones(values.shape, dtype=bool),
        weight=np.ones(values.shape[1]),
        category=category,
        column=np.arange(values.shape[1]),
    )


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_a_code_does_what_decoding_with_it_does(model, tokens):
    found = codebook.codes(model, tokens, 1)
    sizes = [levels[1] for levels in model.sizes]
    assert len(found.code) == sum(sizes)
    # the first category alone takes code k of level 1, and the step is less the book's mean
    first, second = (int(np.flatnonzero(found.category == 0)[k]) for k in (0, 3))
    grid = torch.zeros(sizes[0], len(model.sizes), 2, dtype=torch.long)
    grid[:, 0, 1] = torch.arange(sizes[0])
    book = model.quantizer.decode(grid)[:, 0]
    base = model.latent_mean.expand(2, -1, -1).clone()
    base[0, 0] += book[0] - book.mean(0)
    base[1, 0] += book[3] - book.mean(0)
    with torch.no_grad():
        cells = model.decoder(base) - model.decoder(model.latent_mean[None])
    expected = (cells * model.layout.weights().sqrt()).detach().numpy()
    np.testing.assert_allclose(found.vectors[[first, second]], expected, atol=1e-5)


def test_uses_count_the_operators_of_each_code(model, tokens):
    found = codebook.codes(model, tokens, 0)
    assert found.uses.sum() == len(tokens) * len(model.sizes)
    own = found.uses[found.category == 2]
    starts = np.cumsum([0, *(len(levels) for levels in model.sizes)])
    np.testing.assert_array_equal(own, np.bincount(tokens[:, starts[2]], minlength=len(own)))


def test_cosines_are_one_with_oneself_and_nothing_with_no_vector():
    vectors = normal(5, 3)
    vectors[4] = 0
    found = codebook.cosines(np.concatenate([vectors, -2 * vectors[:1]]))
    np.testing.assert_allclose(np.diag(found), [1, 1, 1, 1, 0, 1], atol=1e-12)
    assert found[0, 5] == pytest.approx(-1)


def test_codes_that_do_alike_lie_together_and_the_same_vectors_at_the_same_places():
    centers = 40 * normal(3, 6)
    vectors = np.repeat(centers, 20, axis=0) + normal(60, 6, seed=1)
    places = topological.embed(vectors, 1)
    np.testing.assert_array_equal(places, topological.embed(vectors, 1))
    group = np.repeat([0, 1, 2], 20)
    middle = np.stack([places[group == g].mean(0) for g in range(3)])
    nearest = np.linalg.norm(places[:, None] - middle, axis=2).argmin(1)
    np.testing.assert_array_equal(nearest, group)


@pytest.mark.parametrize("vectors", [np.zeros((6, 4)), normal(2, 4), normal(3, 1), normal(9, 1)])
def test_few_or_equal_codes_have_places_too(vectors):
    places = topological.embed(vectors, 1)
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()


def test_the_picture_marks_the_dead_codes(tmp_path):
    picture = topological_picture()
    figure = topological.dashboard(picture)
    assert any("× the 1 dead" in text for text in texts(figure))
    files.save(figure, tmp_path / "a.png")
    every = topological_picture(uses=np.zeros(30, dtype=int))
    files.save(topological.dashboard(every), tmp_path / "b.png")
    assert any("× the 30 dead" in text for text in texts(topological.dashboard(every)))


def test_the_matrix_shows_every_cosine_within_its_category():
    picture = topological_picture()
    images = topological.dashboard(picture).findobj(matplotlib.image.AxesImage)
    shown = images[0].get_array()
    for category in range(3):
        own = slice(10 * category, 10 * category + 10)
        np.testing.assert_allclose(
            np.sort(shown[own, own].ravel()), np.sort(picture.cosines[own, own].ravel())
        )


def test_categories_that_are_the_factors_part_the_columns_and_mixed_ones_do_not():
    own = np.repeat([0, 1, 2], 4)
    good = metrics(semantics(target(factors(), own), 3))
    bad = metrics(semantics(target(factors(), np.tile([0, 1, 2], 4)), 3))
    assert good["categories_silhouette"] > 0.9
    assert good["categories_davies_bouldin"] < 0.05
    assert good["categories_correlation"] < 0.1
    assert good["categories_correlation_within"] > 0.9
    assert good["categories_redundancy"] < 0.1
    assert bad["categories_silhouette"] < 0
    assert bad["categories_davies_bouldin"] > 1
    alone = metrics(semantics(target(factors(), np.zeros(12, dtype=int)), 1))
    assert alone == dict.fromkeys(NAMES)


def test_the_tree_orders_the_columns_by_factor_and_every_category_is_named(tmp_path):
    order = np.random.default_rng(0).permutation(12)
    own = np.repeat([0, 1, 2], 4)[order]
    found = semantics(target(factors()[:, order], own), 3)
    picture = dendrogram.TreePicture(
        categories=CATEGORIES,
        category_of=own,
        similar=found.similar,
        tree=tree(found, COLUMNS, GIVEN),
        count=found.count,
    )
    figure = dendrogram.picture(picture)
    image = figure.findobj(matplotlib.image.AxesImage)[0].get_array()
    blocks = np.kron(np.eye(3), np.ones((4, 4))).astype(bool)
    assert image[blocks].min() > 0.9
    assert image[~blocks].max() < 0.2
    shown = texts(figure)
    assert all(f"{name} (4)" in shown for name in CATEGORIES)
    many = dataclasses.replace(picture, categories=tuple("abcdefghijklmno"), category_of=7 * own)
    strip = dendrogram.picture(many).axes[1]
    assert len({patch.get_facecolor() for patch in strip.patches}) == 3
    single = dataclasses.replace(
        picture, category_of=own[:1], similar=np.ones((1, 1)), tree=np.zeros((0, 4))
    )
    files.save(dendrogram.picture(single), tmp_path / "a.png")


def test_the_trees_of_the_pools_meet_at_the_top():
    found = semantics(target(factors(), np.repeat([0, 1, 2], 4)), 3)
    grouping = dataclasses.replace(
        GIVEN,
        trees={
            "first": ((0, 2, 0.1), (1, 3, 0.4)),  # c2 with c1, then c0
            "others": ((0, 1, 0.1), *((index, 7 + index, 0.1 * index) for index in range(2, 9))),
        },
    )
    rows = tree(found, COLUMNS, grouping)
    assert hierarchy.is_valid_linkage(rows)
    meeting = squareform(hierarchy.cophenet(rows))
    assert meeting[2, 1] == pytest.approx(0.1)
    assert meeting[0, 1] == meeting[0, 2] == pytest.approx(0.4)
    assert (meeting[:3, 3:] == 1).all()
    assert meeting[3, 11] == pytest.approx(0.8)
    own = tree(found, COLUMNS, GIVEN)
    expected = hierarchy.linkage(squareform(1 - found.similar**2, checks=False), "average")
    np.testing.assert_array_equal(own, expected)


def test_a_curve_goes_through_every_point_and_leaves_out_what_is_not_known(tmp_path):
    rows = [
        {"code": code, "bits": bits, "reconstruction": scale / bits, "low": 0.1, "high": 0.2}
        for code, scale in (("tokenizer", 20.0), ("product", 30.0))
        for bits in (100.0, 200.0)
    ]
    rows.append({"code": "other", "bits": 50.0, "reconstruction": "", "low": "", "high": ""})
    figure = rate.curve(rows, "test")
    lines = [line.get_xydata() for line in figure.findobj(matplotlib.lines.Line2D)]
    assert any(np.array_equal(line, [[100, 0.2], [200, 0.1]]) for line in lines)
    assert "other" not in texts(figure)
    (axes,) = figure.axes
    named = {text.get_text(): text.xy for text in axes.texts}
    for code, end in (("tokenizer", (200, 0.1)), ("product", (200, 0.15))):
        place = axes.transAxes.inverted().transform(axes.transData.transform(end))
        np.testing.assert_allclose(named[code], place, atol=0.03)
    files.save(figure, tmp_path / "a.png")
