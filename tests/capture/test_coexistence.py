"""SQLAlchemy works as before while we listen, whatever its other users do with it.

What SQLAlchemy's own suites showed when they ran inside a recording.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import DateTime, Dialect, Engine, column, event, literal, select, text
from sqlalchemy.exc import InvalidRequestError, NoReferencedTableError, NoResultFound
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.pool import NullPool, Pool, StaticPool

from harness.capture import RequestTracker, SourceMap, recording
from harness.capture.binds import BindKeys
from harness.capture.counting import CountingListener
from harness.capture.guard import Guard
from harness.capture.pool import PoolListener
from harness.capture.pool_state import Held, PoolState
from harness.capture.recording import Checkout
from harness.capture.requests import ActiveRequest, current_request
from harness.errors import BlindRecorderError
from target_app.models import Post


class Observed:
    """Keeps what a listener reports."""

    def __init__(self) -> None:
        self.checkouts: list[Checkout] = []

    def on_return(self, held: Held, hold_seconds: float) -> None:
        self.checkouts.append(held.checkout(hold_seconds))

    def on_pool_timeout(
        self, pool: PoolState, waited_seconds: float, request: ActiveRequest | None
    ) -> None:
        raise AssertionError(pool, waited_seconds, request)


class Counted:
    """Hears of statements, and keeps nothing."""

    def on_unattributed(self, *, is_first: bool) -> None:
        pass

    def on_late(self, request: ActiveRequest, seconds: float, *, is_first: bool) -> None:
        pass

    def on_shared(self, request: ActiveRequest) -> None:
        pass


class OfTheirOwnError(InvalidRequestError):
    """An exception of an application that calls its parent by name."""

    def __init__(self, what: str, why: str) -> None:
        InvalidRequestError.__init__(self, what)
        self.why = why


class TwiceToldError(DetachedInstanceError):
    """Its constructor passes through both that are listened to."""

    def __init__(self, what: str) -> None:
        DetachedInstanceError.__init__(self, what)


def test_a_subclass_calls_the_constructor_of_an_exception_by_name(source: SourceMap) -> None:
    with recording(source):
        error = OfTheirOwnError("what", why="why")

    assert (error.args, error.why) == (("what",), "why")


def test_sqlalchemys_own_exceptions_are_made_as_before(source: SourceMap) -> None:
    with recording(source):
        error = NoReferencedTableError("no such table", "users")

    assert error.table_name == "users"


def test_a_subclass_of_a_refusal_that_calls_its_parent_by_name_is_noted(
    source: SourceMap,
) -> None:
    with recording(source) as recorder:
        TwiceToldError("detached")

    taken = recorder.snapshot()
    assert taken.refusals
    assert {refusal.call_site.code for refusal in taken.refusals if refusal.call_site} <= {
        'TwiceToldError("detached")',
        "DetachedInstanceError.__init__(self, what)",
    }


async def test_an_exception_of_compiled_code_below_a_greenlet_is_made_as_before(
    source: SourceMap,
) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    with recording(source):
        async with engine.connect() as connection:
            result = await connection.stream(text("SELECT 1 WHERE false"))
            with pytest.raises(NoResultFound):
                await result.one()
    await engine.dispose()


def test_a_pool_is_asked_by_the_class(source: SourceMap) -> None:
    pool = NullPool(_in_memory)
    with recording(source) as recorder:
        Pool.connect(pool).close()

    assert len(recorder.snapshot().checkouts) == 1


def test_the_buffer_of_a_bytearray_is_a_value_like_any_other(
    blog: Engine, source: SourceMap
) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        connection.execute(text("SELECT :it"), {"it": memoryview(bytearray(b"photo"))})

    assert len(recorder.snapshot().complete().round_trips) == 1


@pytest.mark.parametrize(
    "ever",
    [datetime.min, datetime.max, datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))],  # noqa: DTZ901 - as they are compared with
)
def test_a_bound_that_stands_for_ever_has_a_key(ever: datetime) -> None:
    keys = BindKeys()
    now = datetime.now(UTC) if ever.tzinfo else datetime.now()  # noqa: DTZ005 - like the other

    ever_key, now_key = keys.of_range(ever), keys.of_range(now)

    assert ever_key is not None
    assert now_key is not None
    assert (ever_key < now_key) is (ever < now)


def test_a_number_that_cannot_be_compared_has_no_key_of_a_range() -> None:
    assert BindKeys().of_range(Decimal("sNaN")) is None


def test_a_query_behind_the_first_of_all_days_is_described(blog: Engine, source: SourceMap) -> None:
    since = select(Post).where(Post.created_at > datetime.min.replace(tzinfo=UTC))
    ever = select(literal(1)).where(column("x", DateTime) > datetime.min)  # noqa: DTZ901 - as is
    with recording(source) as recorder, Session(blog) as session:
        session.scalars(since).all()
        session.execute(ever.select_from(text("(SELECT 1 AS x)"))).all()

    assert len(recorder.snapshot().complete().round_trips) == 2


def _in_memory() -> Any:  # noqa: ANN401 - a DBAPI connection
    return sqlite3.connect(":memory:")


def _take_away_the_newest(heard: Engine | Dialect, name: str) -> None:
    newest = list(getattr(heard.dispatch, name))[-1]
    event.remove(Engine, name, newest)


@pytest.mark.parametrize("name", ["before_cursor_execute", "begin"])
def test_a_recording_whose_listener_was_taken_away_ends_well_and_says_that_it_was_deaf(
    blog: Engine, source: SourceMap, name: str
) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        _take_away_the_newest(blog, name)
        connection.execute(text("SELECT 1"))

    with pytest.raises(BlindRecorderError, match=f"Engine.{name}"):
        recorder.snapshot().complete()


def test_a_probe_whose_listener_was_taken_away_ends_well(blog: Engine) -> None:
    guard = Guard()
    with CountingListener(Counted(), PoolListener(Observed()), guard=guard).listening():
        _take_away_the_newest(blog.dialect, "do_execute")

    assert "Engine.do_execute" in guard.failure


def test_a_connection_that_a_pool_hands_out_twice_is_one_connection() -> None:
    pool = StaticPool(_in_memory)
    observer = Observed()
    listener = PoolListener(observer)
    request = RequestTracker().begin({"type": "http", "method": "GET", "path": "/"})
    token = current_request.set(request)  # only those of one request are added up
    with listener.listening():
        first, second = pool.connect(), pool.connect()
        second.close()
        first.close()
    current_request.reset(token)

    (state,) = (state for state in listener.pools if state.checkouts == 2)
    assert (state.checked_out, state.peak_checked_out) == (0, 1)
    assert [checkout.held_at_once for checkout in observer.checkouts] == [1]
