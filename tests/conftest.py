"""What all tests share: one thread, one device, examples that are the same on every run."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

from spinlock import runtime

hypothesis.settings.register_profile(
    "spinlock", deadline=None, derandomize=True, max_examples=20, database=None
)
hypothesis.settings.load_profile("spinlock")
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="cpu or cuda")


@pytest.fixture
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    runtime.single_thread()


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return Path(__file__).parents[1]
