"""What the server does beyond rows, through drivers that block."""

from __future__ import annotations

import io
import select
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from harness.database.rollback.advice import Topic
from tests.database.hazards.conftest import ONLY_CLONE, ONLY_ROLLBACK

Two = tuple[Connection, Connection]


@pytest.fixture
def two(sync_db: Engine) -> Iterator[Two]:
    with sync_db.connect() as one, sync_db.connect() as other:
        yield one, other


def scalar(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.scalar(text(statement))


def locks(two: Two) -> list[object]:
    lock = text("SELECT pg_try_advisory_xact_lock(42)")
    return [connection.scalar(lock) for connection in two]


@ONLY_ROLLBACK
def test_an_advisory_lock_does_not_keep_another_transaction_out(two: Two) -> None:
    assert locks(two) == [True, True]


@ONLY_CLONE
def test_an_advisory_lock_keeps_another_transaction_out(two: Two) -> None:
    assert locks(two) == [True, False]


def write_skew(two: Two) -> None:
    """Each counts, then writes what changes the other's count."""
    strict = [it.execution_options(isolation_level="SERIALIZABLE") for it in two]
    for connection in strict:
        connection.scalar(text("SELECT count(*) FROM tags"))
    for number, connection in enumerate(strict):
        connection.execute(text(f"INSERT INTO tags (name) VALUES ('skew {number}')"))
    for connection in strict:
        connection.commit()


@ONLY_ROLLBACK
def test_no_transaction_fails_to_serialise(two: Two, heard: list[object]) -> None:
    write_skew(two)

    assert set(heard) == {Topic.ISOLATION_LEVEL}


@ONLY_CLONE
def test_a_transaction_fails_to_serialise(two: Two) -> None:
    with pytest.raises(DBAPIError, match="could not serialize"):
        write_skew(two)


def skipped(two: Two) -> list[int]:
    take = text("SELECT id FROM tags WHERE name = 'job' FOR UPDATE SKIP LOCKED")
    two[0].execute(text("INSERT INTO tags (name) VALUES ('job')"))
    two[0].commit()
    return [len(connection.execute(take).all()) for connection in two]


@ONLY_ROLLBACK
def test_a_locked_row_is_not_skipped(two: Two, heard: list[object]) -> None:
    assert (skipped(two), heard) == ([1, 1], [Topic.ROW_LOCK])


@ONLY_CLONE
def test_a_locked_row_is_skipped(two: Two) -> None:
    assert skipped(two) == [1, 0]


def notified(db: Engine) -> list[str]:
    """The payloads that the driver heard of a committed NOTIFY."""
    with db.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("LISTEN events"))
        with db.begin() as other:
            other.execute(text("NOTIFY events, 'done'"))
        raw: Any = connection.connection.driver_connection
        if connection.dialect.driver == "psycopg2":
            select.select([raw], [], [], 10)
            raw.poll()
            return [notice.payload for notice in raw.notifies]
        return [notice.payload for notice in raw.notifies(timeout=10, stop_after=1)]


@ONLY_CLONE
def test_a_notification_is_delivered(sync_db: Engine) -> None:
    assert notified(sync_db) == ["done"]


@ONLY_ROLLBACK
def test_a_notification_is_advised_on(sync_db: Engine, heard: list[object]) -> None:
    with sync_db.begin() as connection:
        connection.execute(text("NOTIFY events, 'done'"))

    assert heard == [Topic.NOTIFICATION]


@pytest.mark.parametrize("times", [1, 2], ids=["first", "again"])
def test_tables_and_enums_are_made_anew_by_each_test(sync_db: Engine, times: int) -> None:
    with sync_db.begin() as connection:
        connection.execute(text("CREATE TYPE mood AS ENUM ('glad', 'sad')"))
        connection.execute(text("CREATE TABLE moods (mood mood)"))
        for _ in range(times):
            connection.execute(text("INSERT INTO moods VALUES ('glad')"))

    assert scalar(sync_db, "SELECT count(*) FROM moods WHERE mood = 'glad'") == times


def test_a_column_that_is_added_by_text_is_there_at_once(sync_db: Engine) -> None:
    with sync_db.begin() as connection:
        connection.execute(text("CREATE TABLE notes (id int)"))
        connection.execute(text("SELECT * FROM notes"))
        connection.execute(text("ALTER TABLE notes ADD COLUMN body text"))
        connection.execute(text("INSERT INTO notes VALUES (1, 'a')"))

    assert scalar(sync_db, "SELECT body FROM notes") == "a"


def copy(connection: Connection, name: str) -> None:
    connection.execute(text("SELECT 1"))  # begins
    raw: Any = connection.connection.driver_connection
    if connection.dialect.driver == "psycopg2":
        raw.cursor().copy_expert("COPY tags (name) FROM STDIN", io.StringIO(f"{name}\n"))
        return
    with raw.cursor().copy("COPY tags (name) FROM STDIN") as data:
        data.write_row((name,))


def test_copy_is_part_of_its_transaction(sync_db: Engine) -> None:
    with sync_db.begin() as connection:
        copy(connection, "kept")
    with sync_db.connect() as connection:
        copy(connection, "undone")

    found = scalar(sync_db, "SELECT string_agg(name, ' ') FROM tags WHERE name ~ '^(kept|undone)$'")
    assert found == "kept"


def test_rows_come_by_a_cursor_of_the_server(sync_db: Engine) -> None:
    with sync_db.connect() as connection:
        streaming = connection.execution_options(stream_results=True)
        rows = streaming.scalars(text("SELECT generate_series(1, 1000)"))

        assert sum(rows) == 500_500


def test_a_sequence_goes_on_after_a_rollback(sync_db: Engine) -> None:
    insert = text("INSERT INTO tags (name) VALUES ('numbered') RETURNING id")
    numbers = []

    for _ in range(2):
        with sync_db.connect() as connection:
            numbers.append(connection.scalar(insert))

    assert numbers[1] == numbers[0] + 1
