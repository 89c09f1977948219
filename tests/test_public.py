"""`import spinlock` offers the names that others rely on, and loads them only when used."""

import subprocess
import sys

import pytest

import spinlock


def test_the_public_names_exist():
    assert set(spinlock.__all__) == {
        "extract",
        "last_step",
        "load_noa",
        "load_operators",
        "load_tokenizer",
        "rollouts",
    }
    assert all(callable(getattr(spinlock, name)) for name in spinlock.__all__)
    assert dir(spinlock) == sorted(spinlock.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'load_everything'"):
        _ = spinlock.load_everything


def test_importing_the_package_imports_nothing_heavy(root):
    command = "import sys, spinlock; print('torch' in sys.modules or 'h5py' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
