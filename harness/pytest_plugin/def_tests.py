"""Says what a `def` test should ask for, where it asks for what must be awaited.

A module of its own because fixtures of several modules ask it. Without it the first line of such a
test fails with "'coroutine' object has no attribute 'status_code'".
"""

from __future__ import annotations

import inspect

import pytest

from harness.errors import SyncInAsyncError

__all__ = ["refuse_in_def_test"]


def refuse_in_def_test(request: pytest.FixtureRequest, name: str, *, instead: str) -> None:
    """Tell a `def` test that asks for what must be awaited what it should ask for.

    Only the arguments of the test itself count: a fixture of its may be a coroutine. A `def` test
    that runs a loop of its own takes the ``harness_`` fixture.
    """
    test = getattr(request.node, "obj", None)
    if test is None or inspect.iscoroutinefunction(inspect.unwrap(test)):
        return
    if name in inspect.signature(test).parameters:
        error = SyncInAsyncError(
            f"{request.node.name} is a def test, and {name!r} must be awaited",
            remedy=f"make it 'async def', or take {instead!r}",
        )
        pytest.fail(str(error), pytrace=False)
