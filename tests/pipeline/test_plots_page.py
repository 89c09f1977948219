"""The page of `dvc plots` draws every curve with the code that it holds, without the network."""

import re
import shutil
from collections.abc import Iterator

import pytest
from dvc_render import VegaRenderer
from project import ROOT, clone
from py_mini_racer import MiniRacer

import plots_page

pytestmark = pytest.mark.pipeline

PACKAGE = re.compile(r'<script data-package="([\w-]+)@([\d.]+)">\n(.*?)\n</script>', re.DOTALL)
FETCHED = re.compile(r'<(?:script|link|iframe)\b[^>]*\b(?:src|href)=|@import|url\(["\']?https?:')
BROWSER = """
var window = globalThis, self = globalThis;
globalThis.addEventListener = () => {};
globalThis.setInterval = () => 0;
globalThis.structuredClone = (value) => JSON.parse(JSON.stringify(value));
"""
DRAW = """
async function draw(spec) {
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), {renderer: 'none'});
  return await view.toSVG();
}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """What `dvc plots show` makes of the committed curves."""
    project = clone(tmp_path_factory.mktemp("page") / "project", {})
    shutil.copytree(ROOT / "plots", project.folder / "plots")
    project.dvc("plots", "show")
    return (project.folder / "dvc_plots" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def engine(page) -> Iterator[MiniRacer]:
    """A JavaScript engine, without a browser or a network, in which the page's code has run."""
    with MiniRacer() as context:
        context.eval(BROWSER)
        for _, _, code in PACKAGE.findall(page):
            context.eval(f"{code};0")
        context.eval(DRAW)
        yield context


def specs(page: str) -> list[str]:
    """The plots of a page, as JSON."""
    return re.findall(r"var spec = (\{.*\});$", page, re.MULTILINE)


def test_the_page_asks_nothing_of_the_network(page):
    own = PACKAGE.sub("", page)
    assert not FETCHED.findall(own)
    assert "cdn" not in own


def test_the_page_of_dvc_itself_would_ask_for_it():
    """So the test before this one can fail; when DVC brings the code along, ours can go."""
    assert FETCHED.findall(VegaRenderer.SCRIPTS)


def test_the_code_inside_is_of_the_major_versions_that_dvc_asks_for(page):
    inside = {name: version for name, version, _ in PACKAGE.findall(page)}
    wanted = dict(re.findall(r"npm/([\w-]+)@(\d+)", VegaRenderer.SCRIPTS))
    assert inside == plots_page.VERSIONS
    assert {name: version.split(".")[0] for name, version in inside.items()} == wanted


def marks(engine: MiniRacer, spec: str) -> list[str]:
    """The lines, bars and points that a plot draws, as SVG paths with a place."""
    svg = engine.eval(f"draw({spec})").get(timeout=20)
    return re.findall(r'<path[^>]*roledescription="(?:line mark|bar|point)"[^>]* d="M\d?', svg)


def test_every_curve_is_drawn(page, engine):
    drawn = specs(page)
    assert len(drawn) == page.count("vegaEmbed('#")
    assert len(drawn) > 20
    absent = [spec for spec in drawn if spec.strip() == "{}"]  # a folder of pictures, not in Git
    assert len(absent) <= 1
    for spec in drawn:
        assert spec in absent or marks(engine, spec), spec[-300:]


def test_a_plot_without_values_draws_no_mark(engine):
    """So the test before this one can fail."""
    empty = '{"data": {"values": []}, "mark": "point", "encoding": {"x": {"field": "step"}}}'
    assert not marks(engine, empty)


def test_its_functions_embed_the_plots(engine):
    assert engine.eval("typeof vegaEmbed") == "function"
