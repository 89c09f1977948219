"""README and docs/: no figure that no file has, no dead link, and nothing left unrun unsaid."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from documentation import ALL, PAGES, ROOT, Figure, blocks, figures, produced, prose, read

VERSIONS = {"3.11": "pyproject.toml", "2.0": "LICENSE"}  # of Python, of the license: not measured
NOT_RUN = {  # first words of what the tests do not run; the page says why
    "README.md": ["make repro", "dvc remote modify --local shared url s3://your-bucket/spinlock"],
    "docs/walkthrough.md": ["python -m spinlock.experiments queue codes"],
}
SCORES_ALONE = (
    *("_train_mean", "_shuffled", "_frame_mean", "_possible", "_label", "_minus_persistence"),
    *("quality_unquantized", "topo_pre_untrained"),
)


def test_the_readme_can_be_read_in_one_sitting():
    assert len(read("README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_is_in_the_file_that_it_names(page):
    """Acceptance 5 of issue 8. Pages that `make docs` makes are compared with the code instead."""
    wrong = [f for f in figures(read(page)) if f.text not in VERSIONS and not produced(f)]
    assert not wrong, "say where it is from: 0.5 <!-- metrics/evaluate.json: noa/vrmse_8 -->"


def test_the_versions_are_those_of_the_files():
    for version, file in VERSIONS.items():
        assert version in read(file)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "an error of 0.25, a share of 12 % and 40% after five minutes",
            ["0.25", "12", "40", "five"],
        ),
        ("takes 3 s and 2.5 GB, 1e-5 and 7 operators", ["3", "2.5"]),
        ("a tag `v0.1`, [half](at/0.5), version 1.2.3, T = 64, R = 3, v1.0", []),
        ("```sh\nsleep 0.5\n```\n", []),
    ],
)
def test_figures_are_told_from_counts_code_and_versions(text, found):
    assert [figure.text for figure in figures(text)] == found


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0.2 <!-- params.yaml: clean.max_missing -->", True),
        ("20 % <!-- params.yaml: clean.max_missing -->", True),
        ("0.21 <!-- params.yaml: clean.max_missing -->", False),
        ("0.2", False),
        ("| 0.2 | 5.0 <!-- params.yaml: clean.clip_sigmas --> |", False),
        ("95 % <!-- src/spinlock/evaluation/intervals.py: CONFIDENCE = 0.95 -->", True),
        ("0.2\n<!-- params.yaml: clean.max_missing -->", False),
    ],
)
def test_a_figure_stands_if_the_cited_place_has_it(text, good):
    assert all(produced(figure) for figure in figures(text)) is good


def test_a_cited_key_or_sentence_must_exist():
    for key in ("params.yaml: clean.nothing", "LOG.md: no such words", "metrics/clean.json: x"):
        file, _, place = key.partition(": ")
        with pytest.raises(KeyError):
            produced(Figure(text="0.5", citations=((file, place),)))


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_is_listed_and_says_why(page):
    marked = [block for block in blocks(read(page)) if block.why_not_run]
    assert [block.text.split("  ")[0].splitlines()[0] for block in marked] == NOT_RUN.get(page, [])
    assert all(block.language in ("sh", "python") for block in marked)


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_names_its_language(page):
    """So that no command escapes: what is run is `sh` and `python`."""
    known = {"sh", "python", "diff", "text", "mermaid", "yaml", "json"}
    assert {block.language for block in blocks(read(page))} <= known
    assert read(page).count("```") == 2 * len(blocks(read(page)))


@pytest.mark.parametrize("page", ALL)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            path = (ROOT / page).parent / file if file else ROOT / page
            assert path.exists(), target
            assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """What GitHub names the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_the_make_targets_it_names_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", read(page), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_the_files_it_names_exist_or_are_written_by_stages(page):
    declared = read("dvc.yaml")
    recipes = "".join(path.read_text() for path in ROOT.glob("docs/recipes/*.diff"))
    made = re.findall(r"^--- /dev/null\n\+\+\+ b/(.*)$", recipes, re.MULTILINE)
    for path in re.findall(r"`((?:src|stages|tests|docs|profiles|\.ci)/[\w./]+\.\w+)`", read(page)):
        assert (ROOT / path).is_file() or path in made, path
    for path in re.findall(r"`((?:data|models|metrics|plots)/[\w/]+\.\w+)`", read(page)):
        assert path in declared or path.startswith("data/rollouts/"), path


def test_the_readme_explains_metrics_that_are_written():
    written = read("metrics/evaluate.json")
    for name in re.findall(r"^\| `((?:tokenizer|noa)/\w+)`", read("README.md"), re.MULTILINE):
        assert f'"{name}"' in written
        assert f"`{name}`" in prose_with_code("docs/science.md")


def prose_with_code(page: str) -> str:
    return read(page) if (ROOT / page).is_file() else ""


def test_pages_are_found_and_prose_is_not_empty():
    assert {"README.md", "docs/walkthrough.md", "docs/files.md"} <= set(PAGES)
    assert all(len(prose(read(page))) > 1000 for page in PAGES)


def test_every_score_that_science_names_is_written():
    """In metrics/, or in scores.csv alone if it ends as the page says; … is whatever follows."""
    metrics = set().union(*(json.loads(path.read_text()) for path in ROOT.glob("metrics/*.json")))
    scores = {line.split(",")[0] for line in read("plots/evaluate/scores.csv").splitlines()}
    head = r"(?:sample|generate|extract|clean|categories|vqvae|val|held_out|tokenizer|noa|all)/"
    named = set(re.findall(rf"`({head}[\w/]+…?)`", read("docs/science.md")))
    assert len(named) > 40
    assert all(f"`{end}`" in read("docs/science.md") for end in SCORES_ALONE)
    for key in named:
        start, alone = key.removesuffix("…"), key.endswith(SCORES_ALONE)
        written = scores - metrics if alone else metrics
        assert any(k == key or (key != start and k.startswith(start)) for k in written), key


def test_the_pictures_of_the_readme_are_those_of_the_committed_run():
    """After a run whose lock file is committed: copy them from plots/evaluate/ to docs/."""
    stages = yaml.safe_load(read("dvc.lock"))["stages"]
    made = {Path(out["path"]).name: out["md5"] for out in stages["evaluate"]["outs"]}
    shown = re.findall(r"\(docs/(\w+\.png)\)", read("README.md"))
    assert len(shown) == 2
    for name in shown:
        found = hashlib.md5((ROOT / "docs" / name).read_bytes(), usedforsecurity=False)
        assert found.hexdigest() == made[name], name
