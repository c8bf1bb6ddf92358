"""The harness: its fixture `queries` around the test, its tracker around the application.

The fixture `client` does both for a user; here every handler has an application of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from harness.capture import RequestTracker
from harness.pytest_plugin.queries import Queries

__all__ = ["watched"]


@pytest.fixture
def watched(
    harness_tracker: RequestTracker,
    queries: Queries,  # noqa: ARG001 - counts the test's body
) -> Callable[[FastAPI], Any]:
    """The application with the tracker around it."""
    return harness_tracker.wrap
