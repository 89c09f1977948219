"""docs/features.md says what the code says."""

import runpy

import pytest

from spinlock.features import names


@pytest.fixture(scope="module")
def table(root):
    return runpy.run_path(str(root / "docs" / "make_features.py"))["table"]()


def test_the_table_of_features_is_current(root, table):
    written = (root / "docs" / "features.md").read_text(encoding="utf-8")
    assert written == table, "docs/features.md is stale; say `make docs`"


def test_every_column_has_one_row_of_eight_cells(table):
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    found = [row.split("`")[1] for row in rows]
    assert found == [name for family in names.GROUPS for name in names.names(family)]
    assert {row.replace("\\|", "").count("|") for row in rows} == {9}
