"""Counts are exact where records are not: too many, an error of ours, an unknown SQLAlchemy."""

from __future__ import annotations

import tracemalloc

import pytest
from sqlalchemy import Engine, create_engine, event, literal, select, text
from sqlalchemy.orm import Mapper, Session

from harness.capture import Cause, RequestTracker, SourceMap, recording
from harness.capture.requests import Scope
from harness.capture.statements import MOST_KEPT
from harness.errors import BlindRecorderError
from target_app.models import User

MEGABYTE = 1024 * 1024


class Unhashable(str):
    """A value whose hash fails in a way that nobody expects."""

    __slots__ = ()

    def __hash__(self) -> int:
        raise ZeroDivisionError


def test_counts_are_exact_where_the_records_are_cut_short(blog: Engine, source: SourceMap) -> None:
    with recording(source, most_kept=2) as recorder, blog.connect() as connection:
        for _ in range(5):
            connection.execute(text("SELECT 1"))
        connection.begin_nested().rollback()

    taken = recorder.snapshot()
    assert (taken.statement_count, taken.round_trip_count, len(taken.round_trips)) == (5, 5, 2)
    assert taken.transaction_controls == 2
    assert taken.notices[0].startswith("5 round trips outside of requests were counted")


async def test_the_counts_of_a_request_are_exact_beyond_what_is_kept_of_it(
    blog: Engine, source: SourceMap
) -> None:
    async def app(*_its: object) -> None:
        with blog.connect() as connection:
            for _ in range(50):
                connection.execute(text("SELECT 1"))

    async def silence() -> Scope:
        return {}

    async def nobody(_: object) -> None:
        """Hears nothing."""

    tracker = RequestTracker()
    with recording(source, requests=tracker, most_kept=5) as recorder:
        for _ in range(2):
            await tracker.wrap(app)({"type": "http", "method": "GET", "path": "/"}, silence, nobody)

    taken = recorder.snapshot()
    parts = [taken.of_request(item.number) for item in taken.requests]
    assert [(part.statement_count, len(part.round_trips)) for part in parts] == [(50, 5), (50, 5)]
    assert taken.notices[0].startswith("50 round trips of one request were counted")


def test_the_batches_of_one_statement_are_counted_once_beyond_the_limit(
    blog: Engine, source: SourceMap
) -> None:
    def users() -> list[User]:
        return [User(email=f"{n}@x.example", name="x", password_hash="-") for n in range(3)]

    with recording(source, most_kept=0) as recorder, Session(blog) as session:
        session.add_all(users())
        session.flush()

    taken = recorder.snapshot()
    assert (taken.statement_count, taken.round_trip_count) == (1, 3)


def test_what_is_kept_of_a_request_takes_less_than_50_megabytes_however_long_it_is(
    source: SourceMap,
) -> None:
    statement, engine = select(literal(1)), create_engine("sqlite://")
    with recording(source) as recorder, engine.connect() as connection:
        sizes = []
        tracemalloc.start()
        for number in (MOST_KEPT, 1_000):
            for _ in range(number):
                connection.execute(statement)
            recorder.snapshot()
            sizes.append(tracemalloc.get_traced_memory())
        tracemalloc.stop()

    (described, peak), (after_more, _) = sizes
    assert recorder.snapshot().statement_count == MOST_KEPT + 1_000
    assert peak < 50 * MEGABYTE
    assert after_more - described < MEGABYTE / 10  # what is kept of 1,000 takes half a megabyte


def test_an_error_of_ours_does_not_reach_the_application(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        answer = connection.exec_driver_sql("SELECT ?", (Unhashable("hunter2"),)).scalar()
        connection.execute(text("SELECT 1"))

    taken = recorder.snapshot()
    assert answer == "hunter2"
    assert taken.statement_count == 2
    assert taken.round_trips == ()
    assert taken.failure.startswith("ZeroDivisionError in __hash__")
    assert "hunter2" not in taken.failure


def test_nobody_can_judge_by_a_recording_that_failed(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        connection.exec_driver_sql("SELECT ?", (Unhashable("x"),))

    with pytest.raises(BlindRecorderError, match="1 statements were counted"):
        recorder.snapshot().complete()


def test_an_unknown_sqlalchemy_costs_the_names_and_says_so(
    blog: Engine, source: SourceMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Mapper, "_get_clause")

    with recording(source) as recorder, Session(blog) as session:
        session.scalars(select(User)).all()

    taken = recorder.snapshot()
    (trip,) = taken.round_trips
    assert (trip.cause, trip.entity, taken.failure) == (Cause.CORE, None, "")
    assert "lacks Mapper._get_clause" in taken.notices[0]


def test_the_known_versions_of_sqlalchemy_have_all_names(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        session.scalars(select(User)).all()

    assert recorder.snapshot().notices == ()


def test_an_engine_made_per_request_is_known_by_its_pool_or_its_url(
    blog: Engine, source: SourceMap
) -> None:
    other = create_engine("sqlite://")
    view = blog.execution_options(isolation_level="AUTOCOMMIT")
    counts = []
    for only in (blog.pool, blog.url, other.url):
        with recording(source, only=only) as recorder:
            for engine in (view, other):
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
        counts.append({trip.database for trip in recorder.snapshot().round_trips})

    assert counts == [{blog.url.database}, {blog.url.database}, {""}]
    other.dispose()


def test_a_failure_in_somebody_elses_listener_is_no_second_statement(
    blog: Engine, source: SourceMap
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    with recording(source) as recorder, blog.connect() as connection:
        event.listen(blog, "after_cursor_execute", failing)
        with pytest.raises(ZeroDivisionError):
            connection.execute(text("SELECT 1"))

    assert recorder.snapshot().statement_count == 1
