"""A file is there whole or not at all, and one line says what hinders it."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from disk_cases import no_file_larger_than
from spinlock import artifacts, disk
from spinlock.refusals import Refusal

VALUES = np.random.default_rng(0).random((40, 30, 40))


def write_hdf5(path):
    with artifacts.writing(path, "features", {}) as sink:
        sink.put("one/values", VALUES, "N D E", columns=[f"c{i}" for i in range(40)])
        sink.put("two/values", VALUES, "N D E", mask=VALUES > 0.5)


def write_json(path):
    artifacts.write_json(path, VALUES.ravel().tolist())


def write_table(path):
    artifacts.write_table(path, [{"value": value} for value in VALUES.ravel()])


def write_checkpoint(path):
    artifacts.save_checkpoint(path, "test", {"values": torch.from_numpy(VALUES)})


WRITERS = [write_hdf5, write_json, write_table, write_checkpoint]


@pytest.mark.parametrize("write", WRITERS)
def test_a_full_disk_is_one_line_wherever_it_strikes(tmp_path, write):
    path = tmp_path / "out"
    write(path)
    whole = path.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 12, dtype=int).tolist():
        with (
            no_file_larger_than(size),
            pytest.raises(Refusal, match=r"/out: cannot be written: larger than a file may be"),
        ):
            write(path)
        assert list(tmp_path.iterdir()) == [path]
        assert path.read_bytes() == whole
    write(path)
    assert path.read_bytes() == whole


def test_the_process_ends_well_after_a_full_disk(tmp_path):
    """HDF5 crashes at the end of a process that could not close a file."""
    script = (
        "import sys; from test_disk import *; from pathlib import Path\n"
        "try:\n"
        "    with no_file_larger_than(100_000): write_hdf5(Path(sys.argv[1]))\n"
        "except Refusal as refusal: print(refusal)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_a_disk_that_fills_while_a_file_is_copied_is_one_line(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "shard").write_bytes(VALUES.tobytes())
    for size in (0, 1000, VALUES.nbytes - 1):
        with (
            no_file_larger_than(size),
            pytest.raises(Refusal, match="there/out: cannot be written: larger"),
            disk.replacing(tmp_path / "there" / "out") as beside,
        ):
            beside.mkdir()
            shutil.copyfile(tmp_path / "here" / "shard", beside / "shard")
        assert not list((tmp_path / "there").iterdir())


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_in_the_way_is_named(tmp_path, write):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(Refusal, match="folder/out: cannot be written: a file stands where"):
        write(tmp_path / "folder" / "out")


def test_a_folder_in_the_way_of_a_file_is_replaced_and_a_file_in_that_of_a_folder_named(tmp_path):
    (tmp_path / "out").mkdir()
    write_json(tmp_path / "out")
    with (
        pytest.raises(Refusal, match="out: cannot be written: a file stands where"),
        disk.replacing(tmp_path / "out") as beside,
    ):
        beside.mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "the disk reports an error"),
    ],
)
def test_what_a_disk_says_becomes_a_line(tmp_path, number, said):
    with (
        pytest.raises(Refusal, match=f"out: cannot be written: {said}"),
        disk.refusing(Path("out")),
    ):
        raise OSError(number, os.strerror(number))


def test_mistakes_of_ours_are_not_blamed_on_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError), disk.refusing(tmp_path / "out"):
        (tmp_path / "other").read_text()
    with pytest.raises(PermissionError), disk.refusing(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "denied", "/another/place")


def test_what_killed_processes_left_is_removed_and_what_others_write_is_not(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead, alive = (tmp_path / f".out.{pid}.part" for pid in (gone.pid, os.getppid()))
    dead.mkdir()
    (dead / "shard").touch()
    alive.touch()
    (tmp_path / f".other.{gone.pid}.part").touch()
    write_json(tmp_path / "out")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"out", alive.name, f".other.{gone.pid}.part"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_hdf5_has_done(tmp_path, number):
    def stop(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(number, stop)
    done = []
    try:
        with pytest.raises(SystemExit) as end, disk.uninterrupted():
            signal.raise_signal(number)
            done.append("the rest of the block")
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert done
    assert end.value.code == 128 + number
