"""What later stages read of categories.json: as it was written, or refused by file and key."""

import json

import pytest

from spinlock.categories import grouping
from spinlock.categories.grouping import Grouping
from spinlock.refusals import Refusal

WRITTEN = {
    "categories": {"x": ["a"], "y": ["b", "d"], "z": ["c", "e"]},
    "pools": {"initial": ["a"], "others": ["b", "c", "d", "e"]},
    "trees": {"initial": [], "others": [[0, 2, 0.1], [1, 3, 0.2], [4, 5, 0.9]]},
    "held": {"x": None},
}


def put(path, **changes):
    path.write_text(json.dumps(WRITTEN | changes))
    return path


def with_tree(*merges):
    return WRITTEN["trees"] | {"others": [list(merge) for merge in merges]}


def test_a_grouping_is_read_as_it_was_written(tmp_path):
    found = grouping.read(put(tmp_path / "a.json"))
    assert found == Grouping(
        categories={"x": ("a",), "y": ("b", "d"), "z": ("c", "e")},
        pools={"initial": ("a",), "others": ("b", "c", "d", "e")},
        trees={"initial": (), "others": ((0, 2, 0.1), (1, 3, 0.2), (4, 5, 0.9))},
    )
    assert grouping.read(put(tmp_path / "a.json", trees={})).trees == {}


@pytest.mark.parametrize("key", ["categories", "pools", "trees"])
@pytest.mark.parametrize("value", [3, [], {"others": 3}, {"others": [3]}])
def test_another_form_is_refused_by_key(tmp_path, key, value):
    path = put(tmp_path / "a.json", **{key: value})
    with pytest.raises(Refusal, match=f"{path}: {key}"):
        grouping.read(path)


@pytest.mark.parametrize("key", ["categories", "pools", "trees"])
def test_what_is_not_there_is_refused_by_key(tmp_path, key):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({name: own for name, own in WRITTEN.items() if name != key}))
    with pytest.raises(Refusal, match=f"{path}: {key}: missing"):
        grouping.read(path)


@pytest.mark.parametrize(
    "pools",
    [
        {"initial": ["a"], "others": ["b", "c", "d"]},
        {"initial": ["a"], "others": ["b", "c", "d", "e", "f"]},
        {"initial": ["a", "b"], "others": ["b", "c", "d", "e"]},
    ],
)
def test_pools_of_other_columns_are_refused(tmp_path, pools):
    path = put(tmp_path / "a.json", pools=pools, trees={})
    with pytest.raises(Refusal, match=f"{path}: pools: expected every column of the categories"):
        grouping.read(path)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("../x", {"../x": ["a"], "y": ["b", "c", "d", "e"]}),
        ("overview", {"overview": ["a"], "y": ["b", "c", "d", "e"]}),
        ("x", {"x": [], "y": ["a"], "z": ["b", "c", "d", "e"]}),
        ("x", {"x": ["a", "b"], "y": ["c", "d", "e"]}),
    ],
)
def test_a_category_of_no_name_no_column_or_two_pools_is_refused(tmp_path, name, groups):
    path = put(tmp_path / "a.json", categories=groups)
    with pytest.raises(Refusal, match=f"{path}: categories: {name!r}: expected a name"):
        grouping.read(path)


@pytest.mark.parametrize(
    ("categories", "pools"),
    [
        ({}, {}),
        ({"x": ["a"], "y": ["a"]}, {"initial": ["a", "a"]}),
        ({"x": ["a", "a"]}, {"initial": ["a", "a"]}),
    ],
)
def test_no_column_or_one_twice_is_refused(tmp_path, categories, pools):
    path = put(tmp_path / "a.json", categories=categories, pools=pools, trees={})
    with pytest.raises(Refusal, match=f"{path}: pools: expected every column"):
        grouping.read(path)


@pytest.mark.parametrize(
    "trees",
    [
        with_tree((0, 2, 0.1), (1, 3, 0.2)),
        with_tree((0, 2, 0.1), (1, 3, 0.2), (4, 5, 0.9), (0, 6, 1.0)),
        with_tree((0, 2, 0.1), (0, 3, 0.2), (4, 5, 0.9)),
        with_tree((0, 2, 0.1), (1, 6, 0.2), (4, 5, 0.9)),
        with_tree((0, 2, 0.1), (1, -1, 0.2), (4, 5, 0.9)),
        {"initial": [[0, 1, 0.1]]},
        {"theirs": []},
    ],
)
def test_a_tree_that_is_none_of_its_pool_is_refused(tmp_path, trees):
    path, name = put(tmp_path / "a.json", trees=trees), list(trees)[-1]
    with pytest.raises(Refusal, match=rf"{path}: trees: {name}: expected a tree of its \d columns"):
        grouping.read(path)
