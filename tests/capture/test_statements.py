"""What the recorder keeps of the statements that SQLAlchemy runs."""

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import MissingGreenlet, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, defer, immediateload, joinedload, selectinload, subqueryload

from harness.capture import Cause, SourceMap, recording
from harness.pytest_plugin.queries import Queries
from target_app.models import Post, User


async def test_the_batches_of_a_bulk_insert_are_one_statement(
    db_session: AsyncSession, queries: Queries
) -> None:
    db_session.add_all(
        User(email=f"{n}@bulk.example", name="Bulk", password_hash="-") for n in range(1100)
    )
    await db_session.flush()

    trips = queries.recording.round_trips
    assert queries.count == 1
    assert [trip.row_count for trip in trips] == [1000, 100]
    assert len({trip.fingerprint for trip in trips}) == 1


async def test_a_bulk_insert_has_the_shape_of_any_other_size(
    db_session: AsyncSession, queries: Queries
) -> None:
    for size in (2, 3):
        db_session.add_all(
            User(email=f"{n}@{size}.example", name="Bulk", password_hash="-") for n in range(size)
        )
        await db_session.flush()

    assert len({trip.fingerprint for trip in queries.statements}) == 1


async def test_a_savepoint_is_no_statement(db_session: AsyncSession, queries: Queries) -> None:
    async with db_session.begin_nested():
        await db_session.execute(text("SELECT 1"))

    assert queries.count == 1
    assert queries.recording.transaction_controls >= 2


async def test_a_failing_statement_is_recorded_as_failed(
    db_session: AsyncSession, queries: Queries
) -> None:
    with pytest.raises(ProgrammingError):
        await db_session.execute(text("SELECT no_such_column"))

    (failed,) = queries.statements
    assert failed.has_failed
    assert failed.fingerprint.text == "SELECT no_such_column"


async def test_a_lazy_load_that_never_reached_the_database_is_nothing(
    db_session: AsyncSession, queries: Queries
) -> None:
    user = (await db_session.scalars(select(User).limit(1))).one()

    with pytest.raises(MissingGreenlet):
        _ = user.posts

    assert queries.count == 1


async def test_rows_are_those_that_postgresql_returned(
    db_session: AsyncSession, queries: Queries
) -> None:
    await db_session.scalars(select(User).order_by(User.id).limit(7))

    assert [trip.row_count for trip in queries.statements] == [7]


async def test_the_dialect_names_database_and_driver(
    db_session: AsyncSession, queries: Queries
) -> None:
    await db_session.execute(text("SELECT 1"))

    (trip,) = queries.statements
    assert trip.dialect == "postgresql+asyncpg"


def test_a_query_of_the_application_is_a_query(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        session.scalars(select(User)).all()
        session.get(Post, 1)

    trips = recorder.snapshot().round_trips
    assert [(trip.cause, trip.entity) for trip in trips] == [
        (Cause.QUERY, "User"),
        (Cause.GET, "Post"),
    ]


def test_a_lazy_load_names_relationship_and_parent(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        for user in session.scalars(select(User)):
            _ = user.posts

    _, *loads = recorder.snapshot().round_trips
    assert {(load.cause, load.relationship, load.parent_entity) for load in loads} == {
        (Cause.LAZY, "User.posts", "User")
    }
    assert len({load.parent_key for load in loads}) == 3
    assert not any(load.is_scalar_relationship for load in loads)


def test_a_lazy_load_of_one_object_is_scalar(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        _ = session.get_one(Post, 1).author

    _, load = recorder.snapshot().round_trips
    assert (load.relationship, load.is_scalar_relationship) == ("Post.author", True)


def test_the_parent_of_a_nested_lazy_load_is_the_root_of_its_query(
    blog: Engine, source: SourceMap
) -> None:
    with recording(source) as recorder, Session(blog) as session:
        user = session.scalars(select(User).options(selectinload(User.posts))).first()
        assert user is not None
        _ = user.posts[0].tags

    load = recorder.snapshot().round_trips[-1]
    assert (load.relationship, load.parent_entity) == ("Post.tags", "User")


@pytest.mark.parametrize("loader", [selectinload, subqueryload, immediateload])
def test_an_eager_loader_is_no_lazy_load(blog: Engine, source: SourceMap, loader: object) -> None:
    assert callable(loader)
    with recording(source) as recorder, Session(blog) as session:
        session.scalars(select(User).options(loader(User.posts))).all()

    _, *loads = recorder.snapshot().round_trips
    assert loads
    assert {(load.cause, load.relationship) for load in loads} == {(Cause.LOADER, "User.posts")}


def test_a_joined_load_is_part_of_its_query(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        session.scalars(select(Post).options(joinedload(Post.author))).all()

    assert [trip.cause for trip in recorder.snapshot().round_trips] == [Cause.QUERY]


def test_refreshing_a_relationship_is_no_lazy_load(blog: Engine, source: SourceMap) -> None:
    with Session(blog) as session:
        user = session.get_one(User, 1)
        with recording(source) as recorder:
            session.refresh(user, ["posts"])

    assert Cause.LAZY not in {trip.cause for trip in recorder.snapshot().round_trips}


def test_an_expired_and_a_deferred_column_are_told_apart(blog: Engine, source: SourceMap) -> None:
    with Session(blog) as session:
        user = session.get_one(User, 1)
        post = session.get_one(Post, 1, options=[defer(Post.body)])
        session.expire(user)
        with recording(source) as recorder:
            _ = user.name, post.body

    trips = recorder.snapshot().round_trips
    assert [trip.cause for trip in trips] == [Cause.EXPIRED, Cause.DEFERRED]


def test_a_table_without_a_class_is_core(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        connection.execute(select(User.__table__.c.id))

    (trip,) = recorder.snapshot().round_trips
    assert (trip.cause, trip.entity) == (Cause.CORE, None)


@pytest.mark.parametrize("is_driver_sql", [False, True], ids=["text", "exec_driver_sql"])
def test_text_is_raw(blog: Engine, source: SourceMap, is_driver_sql: bool) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        if is_driver_sql:
            connection.exec_driver_sql("SELECT 1")
        else:
            connection.execute(text("SELECT 1"))

    (trip,) = recorder.snapshot().round_trips
    assert (trip.cause, trip.fingerprint.text) == (Cause.RAW, "SELECT ?")


def test_equal_values_have_an_equal_key_and_others_another(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, blog.connect() as connection:
        for value in (1, 2, 1):
            connection.execute(text("SELECT :value"), {"value": value})

    one, two, again = recorder.snapshot().round_trips
    assert one.parameters_key == again.parameters_key != two.parameters_key


def test_no_bind_value_and_no_literal_is_in_a_record(blog: Engine, source: SourceMap) -> None:
    with recording(source) as recorder, Session(blog) as session:
        session.add(User(email="hunter2@example.org", name="hunter2", password_hash="-"))
        session.flush()
        session.scalars(select(User).where(User.name == "hunter2")).all()
        session.execute(text("SELECT 'hunter2', :name"), {"name": "hunter2"})
        session.connection().exec_driver_sql("SELECT ?", ("hunter2",))

    taken = recorder.snapshot()
    assert len(taken.round_trips) == 4
    assert "hunter2" not in "".join(
        repr(trip).replace(repr(trip.call_site), "") for trip in taken.round_trips
    )


def test_what_runs_after_the_block_is_not_recorded(blog: Engine, source: SourceMap) -> None:
    with blog.connect() as connection:
        with recording(source) as recorder:
            connection.execute(text("SELECT 1"))
        connection.execute(text("SELECT 2"))

    assert len(recorder.snapshot().round_trips) == 1


def test_the_listeners_are_there_inside_the_block_only(source: SourceMap) -> None:
    before = _listeners()

    inside: list[int] = []
    with pytest.raises(KeyboardInterrupt), recording(source):  # noqa: PT012 - seen inside
        inside.extend(_listeners())
        raise KeyboardInterrupt

    assert _listeners() == before
    assert all(now > then for now, then in zip(inside, before, strict=True))


def _listeners() -> list[int]:
    """How many are registered for each event that recording listens to."""
    engine = create_engine("sqlite://")
    events = ("before_cursor_execute", "after_cursor_execute", "begin", "commit", "rollback")
    return [
        *(len(list(getattr(engine.dispatch, name))) for name in events),
        len(list(engine.dialect.dispatch.handle_error)),
        *(len(list(getattr(Session().dispatch, name))) for name in ("after_begin", "before_flush")),
    ]


def test_two_recordings_at_once_both_see_everything(blog: Engine, source: SourceMap) -> None:
    with recording(source) as outer, recording(source) as inner, blog.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.execute(text("SELECT 2"))

    for recorder in (outer, inner):
        trips = recorder.snapshot().round_trips
        assert [trip.batch for trip in trips] == [0, 0]
