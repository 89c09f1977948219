"""The recipes of docs/extend.md: each applies, is what the page says, and passes its tests."""

import re
import subprocess
import sys

import pytest
from project import ROOT, clone

from documentation import read

pytestmark = pytest.mark.pipeline

RECIPES = sorted(path.stem for path in (ROOT / "docs" / "recipes").glob("*.diff"))
APPLY = ("git", "apply", "-C1")


def patch(recipe: str) -> str:
    return (ROOT / "docs" / "recipes" / f"{recipe}.diff").read_text(encoding="utf-8")


def touched(recipe: str) -> list[str]:
    return re.findall(r"^\+\+\+ b/(.*)$", patch(recipe), re.MULTILINE)


def section(recipe: str) -> str:
    """The part of the page that links to a patch."""
    (part,) = [p for p in read("docs/extend.md").split("\n## ") if f"(recipes/{recipe}.diff)" in p]
    return part


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_applies_to_the_code_of_today(recipe):
    check = [*APPLY, "--check", f"docs/recipes/{recipe}.diff"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_page_names_the_files_that_a_recipe_touches(recipe):
    named = re.findall(r"^\| `([\w./]+)` \|", section(recipe), re.MULTILINE)
    assert sorted(named) == sorted(touched(recipe))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_passes_its_tests_and_those_of_the_graph(recipe, tmp_path):
    project = clone(tmp_path / "project", {})
    project.run(*APPLY, str(ROOT / "docs" / "recipes" / f"{recipe}.diff"))
    tests = [path for path in touched(recipe) if path.startswith("tests/")]
    project.run(sys.executable, "-m", "pytest", "-q", *tests)
    project.run(sys.executable, "-m", "pytest", "-q", "tests/pipeline/test_dag.py", "-k", "closure")
