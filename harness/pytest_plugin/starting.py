"""What has to run before a test's own copy of the database is made: a lifespan that adds to it.

Whoever connects first makes the copy. One that awaits waits for the application on its own loop;
one that blocks, in a `def` test, has it started on the loop of the application of `def` tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from harness.asgi.running import RunningApp
from harness.config import Project
from harness.errors import SyncInAsyncError
from harness.loops import LoopThread

__all__ = ["Starting", "starting_of"]


@dataclass(frozen=True, slots=True)
class Starting:
    """How a test that uses the application starts it."""

    awaited: Callable[[], Awaitable[None]] | None = None
    """None where nothing has to be waited for."""
    apart: Callable[[], None] | None = None
    """The same from a thread that blocks; None where there is no loop for it."""


def starting_of(request: pytest.FixtureRequest) -> Starting:
    """What the running test has to wait for."""
    if "harness_running_app" not in request.fixturenames:
        return Starting()
    running: RunningApp = request.getfixturevalue("harness_running_app")
    project: Project = request.getfixturevalue("harness_project")
    if project.configuration.lifespan == "test":
        return Starting()  # what it writes is no part of the base line
    if "harness_loop_thread" not in request.fixturenames:
        return Starting(running.started)
    loop: LoopThread = request.getfixturevalue("harness_loop_thread")

    def start_apart() -> None:
        with suppress(SyncInAsyncError):  # on a loop: whoever works there has started it
            loop.run(running.begun())

    return Starting(running.started, start_apart)
