"""Why a statement ran: each cause by what makes SQLAlchemy run it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, delete, func, insert, inspect, select, text, update
from sqlalchemy.orm import Session, aliased

from harness.capture import Cause, RoundTrip, SourceMap, recording
from target_app.models import Post, Tag, User

Recorded = Callable[[Session], object]


@pytest.fixture
def causes(blog: Engine, source: SourceMap) -> Callable[[Recorded], list[Cause]]:
    """The causes of what some work runs in a session of its own."""

    def of(work: Recorded) -> list[Cause]:
        with recording(source) as recorder, Session(blog) as session:
            work(session)
        return [trip.cause for trip in recorder.snapshot().statements]

    return of


def _flushed(session: Session) -> None:
    session.add(Tag(name="flushed"))
    session.flush()


def _refreshed(session: Session) -> None:
    user = session.get_one(User, 1)
    session.refresh(user)


@pytest.mark.parametrize(
    ("work", "cause"),
    [
        (lambda s: s.scalars(select(User)).all(), Cause.QUERY),
        (lambda s: s.scalar(select(func.count()).select_from(User)), Cause.QUERY),
        (lambda s: s.query(User).all(), Cause.QUERY),
        (lambda s: s.scalars(select(aliased(User))).all(), Cause.QUERY),
        (lambda s: s.get(User, 1), Cause.GET),
        (_refreshed, Cause.REFRESH),
        (_flushed, Cause.FLUSH),
        (lambda s: s.execute(insert(Tag).values(name="bulk")), Cause.BULK),
        (lambda s: s.execute(update(User).values(name="bulk")), Cause.BULK),
        (lambda s: s.execute(delete(Post)), Cause.BULK),
        (lambda s: s.bulk_save_objects([Tag(name="bulk")]), Cause.BULK),
        (lambda s: s.execute(insert(Tag.__table__).values(name="core")), Cause.CORE),  # type: ignore[arg-type]
        (lambda s: s.execute(select(User.__table__.c.id)), Cause.CORE),
        (lambda s: s.execute(text("SELECT 1")), Cause.RAW),
        (lambda s: s.execute(text("INSERT INTO tags (name) VALUES ('raw')")), Cause.RAW),
        (lambda s: s.connection().exec_driver_sql("SELECT 1"), Cause.RAW),
        (lambda s: inspect(s.connection()).get_columns("users"), Cause.REFLECTION),
        (lambda s: s.execute(text("SELECT name FROM sqlite_master")), Cause.REFLECTION),
    ],
)
def test_each_cause_is_told_by_what_made_sqlalchemy_run_it(
    causes: Callable[[Recorded], list[Cause]], work: Recorded, cause: Cause
) -> None:
    assert causes(work)[-1] is cause


def test_the_writes_of_one_flush_have_its_number_and_those_of_the_next_another(
    blog: Engine, source: SourceMap
) -> None:
    with recording(source) as recorder, Session(blog) as session:
        for name in ("first", "second"):
            session.add(
                User(email=f"{name}@example.org", name=name, password_hash="-", posts=[_post(name)])
            )
            session.flush()

    flushes = [trip.flush for trip in recorder.snapshot().statements]
    assert flushes[0] == flushes[1] != flushes[2] == flushes[3]


def test_a_flush_that_failed_leaves_no_number_to_a_query(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        session.add(Post(title="without an author"))
        with pytest.raises(Exception, match="NOT NULL"):
            session.flush()
        session.rollback()
        session.scalars(select(User)).all()

    assert recorder.snapshot().round_trips[-1].flush is None


def _post(title: str) -> Post:
    return Post(title=title, body="B")


def _first_with(trips: tuple[RoundTrip, ...], cause: Cause) -> RoundTrip:
    return next(trip for trip in trips if trip.cause is cause)


def test_a_refreshed_relationship_is_a_loader_that_works_for_the_refresh(
    blog: Engine, source: SourceMap
) -> None:
    with recording(source) as recorder, Session(blog) as session:
        for user in session.scalars(select(User)).all():
            session.refresh(user, ["posts"])

    loads = [trip for trip in recorder.snapshot().round_trips if trip.cause is Cause.LOADER]
    assert {(load.relationship, load.loaded_for) for load in loads} == {
        ("User.posts", Cause.REFRESH)
    }
    assert len({load.parent_key for load in loads}) == 3


def test_reloads_of_columns_name_the_object_by_a_key(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        users = session.scalars(select(User)).all()
        session.commit()
        assert [user.name for user in users]

    expired = [trip for trip in recorder.snapshot().round_trips if trip.cause is Cause.EXPIRED]
    assert len({trip.parent_key for trip in expired}) == len(expired) == 3


def test_a_select_of_columns_returns_no_objects(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        session.execute(select(User.name)).all()
        session.execute(select(Post, User).join(Post.author)).all()

    columns, objects = recorder.snapshot().round_trips
    assert (columns.entity, columns.entities) == ("User", ())
    assert objects.entities == ("Post", "User")


def test_the_parents_of_a_lazy_load_are_traced_to_the_queries_of_its_session(
    blog: Engine, source: SourceMap
) -> None:
    with recording(source) as recorder, Session(blog) as session, Session(blog) as other:
        users = session.scalars(select(User)).all()
        other.scalars(select(User)).all()
        assert users[0].posts

    loaded, _, lazy = recorder.snapshot().round_trips
    assert lazy.parent_statements == (loaded.statement,)


def test_the_path_of_a_nested_lazy_load_begins_at_the_root(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        for user in session.scalars(select(User)):
            for post in user.posts:
                assert not post.comments

    lazy = _first_with(recorder.snapshot().round_trips[2:], Cause.LAZY)
    assert lazy.relationship_path == ("User.posts", "Post.comments")
    assert lazy.parent_entity == "User"


def test_sessions_and_connections_have_numbers_that_nobody_gets_again(
    blog: Engine, source: SourceMap
) -> None:
    with recording(source) as recorder:
        for _ in range(3):
            with Session(blog) as session:
                session.scalars(select(User)).all()
            blog.dispose()  # the next connection may get the address of this one

    trips = recorder.snapshot().round_trips
    assert len({trip.session for trip in trips}) == 3
    assert len({trip.connection for trip in trips}) == 3
