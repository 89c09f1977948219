"""docs/faults.md: each row is a test, and each test of a fault is a row."""

import ast
import re

from closure import ROOT

TABLE = (ROOT / "docs" / "faults.md").read_text()
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "::" in line]
TESTS = (
    "test_faults.py",
    "test_dvc_faults.py",
    "test_experiment_faults.py",
    "test_killed_stages.py",
)
OF_GROWTH = {"test_growth_computes_the_new_operators_alone"}  # no fault


def functions(name: str) -> dict[str, bool]:
    """Tests of a file, and whether all of each are slow."""
    (path,) = [*ROOT.glob(f"tests/{name}"), *ROOT.glob(f"tests/pipeline/{name}")]
    tree = ast.parse(path.read_text())
    marks = next((ast.unparse(n) for n in tree.body if "pytestmark" in ast.unparse(n)[:10]), "")
    return {
        node.name: "slow" in marks or any(
            word in ast.unparse(mark) for mark in node.decorator_list
            for word in ("mark.slow", "SLOW") if "parametrize" not in ast.unparse(mark)
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }  # fmt: skip


def test_every_row_names_a_test_that_there_is():
    assert len(ROWS) > 15
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert all(cells), row
        file, name = re.fullmatch(r"`([\w.]+)::(\w+)`", cells[-1]).groups()
        assert name in functions(file), row
        if functions(file)[name]:
            assert "†" in cells[0], f"{name} is slow, and its row does not say so"


def test_every_test_of_a_fault_is_a_row():
    for file in TESTS:
        for name in set(functions(file)) - OF_GROWTH:
            assert f"`{file}::{name}`" in TABLE, f"{file}::{name} is in no row"
