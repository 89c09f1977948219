"""Writes initial_conditions.md and .png, what each variant is and looks like: `make docs`."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from spinlock.initial_conditions import families
from spinlock.plots import gallery

TESTS = Path(__file__).parents[1] / "tests"
NO_LAWS = {"pytest.raises", "measure.metrics", "families.family"}  # tests of other things
INTRODUCTION = """\
# Initial conditions

Made from the code and its tests by `make docs`; edit the formulas there, not here.

{variants} variants of {families} families, any of which `sample.ic_mix` of `params.yaml` may name.
Fields are dimensionless, on the periodic unit square, of order one, and the same function on every
grid. Channels are independent draws, but for those of `mutual_information`, which share some.

![Two draws and the spectrum of every variant](initial_conditions.png)

*Two draws of one channel, each on its own symmetric scale (± below it), and the power of a mode at
each wavenumber |k| in cycles per domain: gray these two, blue the mean of {draws} draws, shaded the
band in which all power lies by definition. `spinlock gallery --out x.png --grid {grid} --seed
{seed}` draws it again.*

*What is tested* are the laws in `tests/test_initial_conditions*.py` that measure the family. Of
all of them it is tested that they are finite, of order one, not flat, new in every draw and in
every channel, and the same function on a finer grid.
"""
HEADER = "| Variants | Kind | What it is | What is tested |\n|---|---|---|---|"


def page() -> str:
    """The Markdown: a row for each family."""
    names = dict.fromkeys(row.family for row in families.VARIANTS.values())
    introduction = INTRODUCTION.format(
        variants=len(families.VARIANTS),
        families=len(names),
        draws=gallery.DRAWS,
        grid=gallery.GRID,
        seed=gallery.SEED,
    )
    rows = [_row(family) for family in names]
    return "\n".join([introduction, HEADER, *rows, ""])


def _row(family: str) -> str:
    variants = [name for name, row in families.VARIANTS.items() if row.family == family]
    cells = (
        ", ".join(f"`{name}`" for name in variants),
        gallery.kind(variants[0]),
        _formula(variants[0]),
        "; ".join(laws(family, variants)),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _formula(variant: str) -> str:
    """The first sentence of a generator's docstring, without the shape."""
    generate = families.lookup(variant).generate
    text = inspect.getdoc(getattr(generate, "func", generate)) or ""
    return re.sub(r",? \[C, H, W\]", "", text.partition("\n\n")[0])


def laws(family: str, variants: list[str]) -> Iterator[str]:
    """Names of the tests that draw a family, or call functions that only its formula calls."""
    kind = gallery.kind(variants[0])
    known = {family, *variants, *(f"{variant.rpartition('_')[0]}_" for variant in variants)}
    own = {f"{kind}.{name}" for name in _own(variants[0])}
    for path in (
        TESTS / "test_initial_conditions.py",
        TESTS / f"test_initial_conditions_{kind}.py",
    ):
        if path.is_file():
            tests = ast.parse(path.read_text(encoding="utf-8"))
            for name in filter(lambda name: name.startswith("test_"), _definitions(tests)):
                used = _used(tests, name)
                if used & (known | own) and not used & NO_LAWS:
                    yield name.removeprefix("test_").replace("_", " ")


def _own(variant: str) -> set[str]:
    """What stands in a module for the sake of one generator there."""
    generators = [row.generate for row in families.VARIANTS.values()]
    functions = {getattr(generate, "func", generate) for generate in generators}
    mine = families.lookup(variant).generate
    mine = getattr(mine, "func", mine)
    module = ast.parse(inspect.getsource(sys.modules[mine.__module__]))
    others = [f.__name__ for f in functions - {mine} if f.__module__ == mine.__module__]
    shared = set().union(*(_used(module, name) for name in others))
    return (_used(module, mine.__name__) & set(_definitions(module))) - shared


def _definitions(module: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}


def _used(module: ast.Module, name: str) -> set[str]:
    """Strings and names in a function and in those of its module that it uses, fixtures too."""
    definitions, seen, waiting = _definitions(module), set[str](), {name}
    found = {name}
    while waiting:
        seen |= waiting
        for here in waiting:
            found |= set(_words(definitions[here]))
        waiting = (found & set(definitions)) - seen
    return found


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        match part:
            case ast.Constant(value=str(text)) | ast.Name(id=text) | ast.arg(arg=text):
                yield text
            case ast.Attribute(value=ast.Name(id=module), attr=text):
                yield f"{module}.{text}"


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "initial_conditions.md").write_text(page(), encoding="utf-8")
    picture = gallery.picture(gallery.specimens(gallery.GRID, gallery.SEED))
    gallery.save(picture, here / "initial_conditions.png")
