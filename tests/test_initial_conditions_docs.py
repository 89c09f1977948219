"""docs/initial_conditions.md says what the code says, and what its tests measure."""

import runpy

import pytest
from PIL import Image

from spinlock.initial_conditions import families


@pytest.fixture(scope="module")
def maker(root):
    return runpy.run_path(str(root / "docs" / "make_initial_conditions.py"))


@pytest.fixture(scope="module")
def page(maker):
    return maker["page"]()


def test_the_table_of_initial_conditions_is_current(root, page):
    written = (root / "docs" / "initial_conditions.md").read_text(encoding="utf-8")
    assert written == page, "docs/initial_conditions.md is stale; say `make docs`"


def test_every_family_has_one_row_that_says_what_it_is_and_what_is_tested(page):
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    named = [name.strip(" `") for row in rows for name in row[0].split(",")]
    assert named == list(families.VARIANTS)
    assert all(cell.strip() for row in rows for cell in row)


@pytest.mark.parametrize(
    ("family", "variants", "law"),
    [
        ("dla_cluster", ["dla_cluster"], "clusters have the fractal dimension"),
        ("critical_fluctuation", ["critical_fluctuation"], "the magnetization has the critical"),
        ("gaussian_random_field", ["grf_0.5", "grf_1"], "random fields have the covariance"),
    ],
)
def test_laws_are_found_behind_helpers_fixtures_and_functions_of_the_formula(
    maker, family, variants, law
):
    assert any(name.startswith(law) for name in maker["laws"](family, variants))


def test_laws_are_not_those_of_a_neighbor(maker):
    assert not any("reaction" in name for name in maker["laws"]("dla_cluster", ["dla_cluster"]))
    found = list(maker["laws"]("reaction_front", ["reaction_front"]))
    assert found
    assert not any("cluster" in name for name in found)


def test_the_picture_is_small_enough_for_git(root):
    path = root / "docs" / "initial_conditions.png"
    assert path.stat().st_size < 600_000
    with Image.open(path) as image:
        assert min(image.size) > 1000
