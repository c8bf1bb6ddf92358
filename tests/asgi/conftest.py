"""Small applications, imported afresh by each test and forgotten afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.loops import Residents

APPLICATIONS = Path(__file__).resolve().parents[1] / "applications"


@pytest.fixture
def applications() -> Iterator[Path]:
    """The folder of the applications; imports and the environment are as before after the test."""
    path, environment, modules = list(sys.path), dict(os.environ), set(sys.modules)
    yield APPLICATIONS
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environment)
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(APPLICATIONS):
            del sys.modules[name]


@pytest.fixture
def residents() -> Iterator[Residents]:
    """For applications that run on the loop of the tests."""
    residents = Residents()
    yield residents
    residents.close()
