"""Says what to ask for instead, where test, application and fixture are not of the same kind.

A module of its own because fixtures of several modules ask it. Without it the first line of a `def`
test that asks for what must be awaited fails with "'coroutine' object has no attribute
'status_code'".
"""

from __future__ import annotations

import inspect

import pytest

from harness.errors import SecondDriverError, SyncInAsyncError

__all__ = ["refuse_in_def_test", "refuse_second_driver"]


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


def refuse_second_driver(name: str, *, instead: str) -> None:
    """Tell a rolled-back test of a sync application why it cannot have what must be awaited.

    Its functions and factories take a plain `Session` anyway, and a driver that blocks needs no
    event loop: the session of `def` tests serves coroutines as well.
    """
    error = SecondDriverError(
        f"the application's driver blocks, and {name!r} needs one that is awaited: a second "
        "connection, which would not see the application's rows",
        remedy=f"take {instead!r}: with such a driver it works in a coroutine, too\n"
        "if the application awaits psycopg, tell by session_dependency in [tool.harness]",
    )
    pytest.fail(str(error), pytrace=False)
