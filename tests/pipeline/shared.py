"""One smoke run for all tests that only need one: made by the first of them, copied by each."""

import os
from pathlib import Path

import pytest
from filelock import FileLock
from project import Project, clone

PLACE = "smoke-run"
ONE_WORKER = {"runtime": {"workers": 1, "executor": "sequential"}}


def smoke_run(factory: pytest.TempPathFactory, folder: Path) -> Project:
    """A copy of the pipeline, run with one worker and committed; `folder` must not exist."""
    return Project(_made(factory)).copy(folder)


def _made(factory: pytest.TempPathFactory) -> Path:
    """Where the run stands; processes of one test session take turns to look whether it is made."""
    base = factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / PLACE
    with FileLock(f"{place}.lock"):
        if not (place / "complete").exists():
            project = clone(place / "project")
            project.overlay(ONE_WORKER)
            project.dvc("repro")
            project.commit("first run")
            (place / "complete").touch()
    return place / "project"
