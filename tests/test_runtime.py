"""A stage ends with one line, whatever happens; fingerprints depend on content alone."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spinlock import runtime
from spinlock.refusals import Refusal

SCRIPT = """
from dataclasses import replace
from pathlib import Path
from spinlock import runtime
from spinlock.refusals import Refusal

def main(path: Path) -> str:
    if path.name == "refuse":
        raise Refusal("params.yaml: seed: missing")
    if path.name in ("stage.size: 0", "stage: none", "stages: one"):
        raise Refusal(path.name)
    if path.name == "interrupt":
        raise KeyboardInterrupt
    return f"made {path.name}"

runtime.run(main)
"""


@pytest.mark.parametrize(
    ("argument", "status", "out", "err"),
    [
        ("x.h5", 0, "made x.h5\n", ""),
        ("refuse", 2, "", "stage: params.yaml: seed: missing\n"),
        ("stage.size: 0", 2, "", "stage.size: 0\n"),
        ("stage: none", 2, "", "stage: none\n"),
        ("stages: one", 2, "", "stage: stages: one\n"),
        ("interrupt", 130, "", ""),
    ],
)
def test_a_stage_ends_with_one_line(tmp_path, root, argument, status, out, err):
    script = tmp_path / "stage.py"
    script.write_text(SCRIPT)
    run = subprocess.run(
        [sys.executable, script, argument],
        env={"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (status, out, err)


def test_one_thread():
    runtime.single_thread()
    assert torch.get_num_threads() == 1


def test_fingerprints_depend_on_content_alone(tmp_path):
    assert runtime.fingerprint({"a": 1, "b": 2}) == runtime.fingerprint({"b": 2, "a": 1})
    assert runtime.fingerprint({"a": 1}) != runtime.fingerprint({"a": 2})
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"x")
    two.write_bytes(b"x")
    assert runtime.file_fingerprint(one) == runtime.file_fingerprint(two)
    two.write_bytes(b"y")
    assert runtime.file_fingerprint(one) != runtime.file_fingerprint(two)


def test_the_code_fingerprint_follows_the_source(monkeypatch):
    before = runtime.code_fingerprint()
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda p: read(p) + b"#" if p.name == "runtime.py" else read(p)
    )
    assert runtime.code_fingerprint() != before


@pytest.mark.parametrize("library", runtime.LIBRARIES)
def test_the_code_fingerprint_follows_the_version_of_what_computes(monkeypatch, library):
    before = runtime.code_fingerprint()
    version = runtime.metadata.version
    monkeypatch.setattr(
        runtime.metadata, "version", lambda name: version(name) + "+1" * (name == library)
    )
    assert runtime.code_fingerprint() != before


def test_the_code_fingerprint_follows_the_kernels_that_multiply(monkeypatch):
    def computing(architecture):
        libraries = [{"user_api": "blas", "architecture": architecture}, {"user_api": "openmp"}]
        monkeypatch.setattr(runtime, "threadpool_info", lambda: libraries)
        return runtime.code_fingerprint()

    assert computing("Haswell") == computing("Haswell") != computing("SkylakeX")


def test_progress_passes_everything_on(capsys):
    assert list(runtime.progress(range(25), 25, "work")) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "work: 25/25"
    assert len(lines) == 10


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    settings = runtime.Config(
        executor="processes", workers=2, batch_size=8, device="cuda", store=".shards"
    )
    with pytest.raises(Refusal, match="runtime.device: cuda, but torch .* sees no CUDA device"):
        runtime.device(settings)
    assert runtime.device(replace(settings, device="cpu")) == torch.device("cpu")
