"""Listeners on classes: there inside the block, and gone after it, whoever has removed them."""

from __future__ import annotations

import pytest
from sqlalchemy import URL, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from harness.database.rollback import Sandbox
from harness.database.rollback.listening import Listener, Listeners
from harness.errors import SandboxConflictError
from harness.loops import Residents


def called(*_event: object) -> None: ...


LISTENERS = (Listener(Engine, "do_connect", called), Listener(Pool, "checkout", called))


def are_there() -> list[bool]:
    return [listener.is_there() for listener in LISTENERS]


def test_listeners_are_there_inside_the_block_only() -> None:
    with Listeners(LISTENERS).installed():
        inside = are_there()

    assert (inside, are_there()) == ([True, True], [False, False])


def test_they_are_given_back_where_the_block_raises() -> None:
    with pytest.raises(ZeroDivisionError), Listeners(LISTENERS).installed():
        _ = 1 / 0

    assert are_there() == [False, False]


def test_one_that_somebody_has_removed_is_no_error_at_the_end() -> None:
    with Listeners(LISTENERS).installed():
        event.remove(Engine, "do_connect", called)

    assert are_there() == [False, False]


def test_one_that_is_required_is_put_back_and_named() -> None:
    listeners = Listeners(LISTENERS)

    with listeners.installed():
        event.remove(Engine, "do_connect", called)
        with pytest.raises(SandboxConflictError, match=r"listeners \(Engine.do_connect\) during"):
            listeners.require()
        after = are_there()
        listeners.require()

    assert after == [True, True]


def test_none_is_required_outside_of_the_block() -> None:
    Listeners(LISTENERS).require()

    assert are_there() == [False, False]


def test_the_test_that_removes_them_from_a_sandbox_fails_and_the_next_is_isolated() -> None:
    sandbox = Sandbox(URL.create("postgresql+psycopg", database="nowhere"), Residents())

    def with_listener_removed() -> None:
        with sandbox.one_test():
            event.remove(Engine, "do_connect", sandbox.connect)

    with sandbox.installed():
        with pytest.raises(SandboxConflictError, match=r"Engine\.do_connect"):
            with_listener_removed()
        with sandbox.one_test():
            assert event.contains(Engine, "do_connect", sandbox.connect)
