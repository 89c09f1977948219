"""Files are atomic, byte-identical and self-describing, and refused when they are foreign."""

import csv
import json

import h5py
import numpy as np
import pytest
import torch

from spinlock import artifacts
from spinlock.refusals import Refusal

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def write(path, values=VALUES, mask=None, kind="features"):
    with artifacts.writing(path, kind, {"steps": 3}) as sink:
        sink.put("group/values", values, "N T D", columns=list("abcd"), units=["1"], mask=mask)
        sink.put("metadata/split", ["train", "test"], "N")
    return path


def test_what_is_written_is_read(tmp_path):
    with artifacts.reading(write(tmp_path / "a.h5"), "features") as source:
        assert np.array_equal(source.get("group/values", "N T D"), VALUES)
        assert source.columns("group/values") == ("a", "b", "c", "d")
        assert source.units("group/values") == ("1",)
        assert list(source.get("metadata/split", "N")) == ["train", "test"]
        assert source.provenance == {"steps": 3}
        assert source.names() == ["group/values", "metadata/split"]
        assert "group/values" in source
        assert "group/other" not in source


@pytest.mark.parametrize("attribute", ["columns", "units"])
@pytest.mark.parametrize("said", [None, "[NaN, 1]", '"abcd"', "{", "[" * 100_000])
def test_columns_and_units_that_are_no_names_are_refused_by_dataset(tmp_path, said, attribute):
    path = tmp_path / "features.h5"
    write(path)
    with h5py.File(path, "r+") as file:
        del file["group/values"].attrs[attribute]
        if said:
            file["group/values"].attrs[attribute] = said
    expected = f"{path}: group/values: expected a list of names as attribute {attribute}"
    with artifacts.reading(path, "features") as source, pytest.raises(Refusal, match=expected):
        getattr(source, attribute)("group/values")


def test_names_of_a_dataset_that_is_not_there_are_refused(tmp_path):
    path = tmp_path / "features.h5"
    write(path)
    with artifacts.reading(path, "features") as source:
        with pytest.raises(Refusal, match=f"{path}: dataset 'group/other' is missing"):
            source.columns("group/other")
        with pytest.raises(Refusal, match=f"{path}: dataset 'group' is missing"):
            source.units("group")


@pytest.mark.parametrize("said", ["[1]", "null", "{", "[" * 100_000])
def test_a_provenance_that_is_no_object_is_refused(tmp_path, said):
    path = tmp_path / "features.h5"
    write(path)
    with h5py.File(path, "r+") as file:
        file.attrs["provenance"] = said
    with (
        artifacts.reading(path, "features") as source,
        pytest.raises(Refusal, match=f"{path}: expected a JSON object as attribute provenance"),
    ):
        _ = source.provenance


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one, two = write(tmp_path / "one.h5"), write(tmp_path / "two.h5")
    assert one.read_bytes() == two.read_bytes()


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = write(tmp_path / "a.h5")
    before = path.read_bytes()
    with pytest.raises(KeyError), artifacts.writing(path, "features", {}) as sink:
        sink.put("x", VALUES, "N T D")
        raise KeyError
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").touch()
    with artifacts.replacing(target) as beside:
        beside.mkdir()
        (beside / "new").touch()
    assert [p.name for p in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_nan_is_refused_with_its_place_unless_masked(tmp_path):
    values = VALUES.copy()
    values[1, 2, 0] = np.nan
    path = write(tmp_path / "a.h5", values)
    with (
        artifacts.reading(path, "features") as source,
        pytest.raises(Refusal, match=r"a.h5: group/values: nan at index \[1, 2, 0\]"),
    ):
        source.get("group/values", "N T D")
    with artifacts.reading(path, "features") as source:
        assert np.array_equal(source.get("group/values", "N T D", slice(0, 1)), values[:1])
        with pytest.raises(Refusal, match=r"\[1, 2, 0\]"):
            source.get("group/values", "N T D", slice(1, 2))
    path = write(tmp_path / "b.h5", values, mask=np.isfinite(values))
    with artifacts.reading(path, "features") as source:
        assert np.array_equal(source.get("group/values", "N T D"), values, equal_nan=True)
        assert not source.mask("group/values", "N T D")[1, 2, 0]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "truncated"),
        (lambda path: path.write_bytes(b"hello"), "not a readable HDF5 file"),
        (lambda path: path.unlink(), "not found"),
        (lambda path: write(path, kind="tokens"), "expected features of schema 1, found tokens"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, damage, said):
    path = write(tmp_path / "a.h5")
    damage(path)
    with pytest.raises(Refusal, match=said) as refusal, artifacts.reading(path, "features"):
        pass
    assert "a.h5" in str(refusal.value)


def test_a_flipped_bit_is_refused_with_its_dataset(tmp_path):
    path = write(tmp_path / "a.h5")
    data = bytearray(path.read_bytes())
    data[data.index(VALUES.tobytes()) + 5] ^= 1
    path.write_bytes(data)
    with (
        artifacts.reading(path, "features") as source,
        pytest.raises(Refusal, match=r"a\.h5: group/values: unreadable, damaged"),
    ):
        source.get("group/values", "N T D")


def test_no_dataset_is_compressed(tmp_path):
    """Compressors may start from uninitialized memory (LZF does): other bytes for equal values."""
    with h5py.File(write(tmp_path / "a.h5"), "r") as file:
        assert file["group/values"].compression is None
        assert file["group/values"].fletcher32


def test_a_foreign_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with (
        pytest.raises(Refusal, match="foreign"),
        artifacts.reading(tmp_path / "a.h5", "features"),
    ):
        pass


def test_missing_datasets_and_wrong_axes_are_refused(tmp_path):
    path = write(tmp_path / "a.h5")
    with artifacts.reading(path, "features") as source:
        with pytest.raises(Refusal, match="'group/other' is missing"):
            source.get("group/other", "N")
        with pytest.raises(Refusal, match="expected axes 'N D', found 'N T D'"):
            source.get("group/values", "N D")


def test_datasets_of_one_file_must_agree_on_their_axes(tmp_path):
    with artifacts.writing(tmp_path / "a.h5", "features", {}) as sink:
        sink.put("one", np.zeros(3), "N")
        sink.put("two", np.zeros(4), "N")
    with artifacts.reading(tmp_path / "a.h5", "features") as source:
        source.get("one", "N")
        with pytest.raises(Refusal, match="axis N has 4 entries, other datasets have 3"):
            source.get("two", "N")


def test_metrics_are_flat_sorted_and_rounded(tmp_path):
    path = tmp_path / "m.json"
    artifacts.write_metrics(path, {"b/x": 1 / 3, "a/n": 12345678, "a/none": float("nan")})
    assert json.loads(path.read_text()) == {"a/n": 12345678, "a/none": None, "b/x": 0.333333}
    assert path.read_text().index("a/n") < path.read_text().index("b/x")


def test_a_table_keeps_its_columns(tmp_path):
    artifacts.write_table(tmp_path / "t.tsv", [{"step": 1, "y": 2 / 3}, {"step": 2, "y": None}])
    with (tmp_path / "t.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert rows == [{"step": "1", "y": "0.666667"}, {"step": "2", "y": ""}]


def test_a_checkpoint_is_the_same_bytes_and_runs_no_code(tmp_path):
    payload = {"weights": {"w": torch.arange(3.0)}, "names": ["a"]}
    for name in ("one.pt", "two.pt"):
        artifacts.save_checkpoint(tmp_path / name, "tokenizer", payload)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "two.pt").read_bytes()
    loaded = artifacts.load_checkpoint(tmp_path / "one.pt", "tokenizer")
    assert torch.equal(loaded["weights"]["w"], torch.arange(3.0))
    with pytest.raises(Refusal, match="expected agent"):
        artifacts.load_checkpoint(tmp_path / "one.pt", "agent")
    torch.save({"kind": "agent", "schema": 1, "x": tmp_path}, tmp_path / "evil.pt")
    with pytest.raises(Refusal, match="not a readable checkpoint"):
        artifacts.load_checkpoint(tmp_path / "evil.pt", "agent")
