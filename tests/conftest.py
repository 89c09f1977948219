"""What all tests share: one thread, one device, examples that are the same on every run."""

import os
import signal
from collections.abc import Iterator
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


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """What a shell starts with `&` ignores Ctrl-C, and so would the children of a test."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return Path(__file__).parents[1]
