"""Threads of the test itself, each with sessions of its own: they take turns, as requests do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.orm import Session

ADD = text("INSERT INTO tags (name) VALUES (:name)")
NAMES = text("SELECT name FROM tags WHERE name LIKE 'hazard %' ORDER BY name")


@pytest.fixture(params=["psycopg", "psycopg2", "asyncpg, on a loop in a thread"])
def db(request: pytest.FixtureRequest, database_url: URL, mode: str) -> Iterator[Engine]:  # noqa: ARG001 - isolated by it
    if request.param.startswith("asyncpg"):
        yield request.getfixturevalue("harness_sync_engine")
        return
    made = create_engine(database_url.set(drivername=f"postgresql+{request.param}"))
    yield made
    made.dispose()


def add(session: Session, name: str) -> None:
    session.execute(ADD, {"name": f"hazard {name}"})


def names(db: Engine) -> list[str]:
    with Session(db) as session:
        return [name.removeprefix("hazard ") for name in session.scalars(NAMES)]


def test_threads_of_the_test_itself_end_as_they_like(db: Engine) -> None:
    def work(number: int) -> None:
        with Session(db) as session:
            add(session, f"{number:02}")
            session.rollback() if number % 3 == 0 else session.commit()

    with ThreadPoolExecutor(4) as pool:
        [*pool.map(work, range(20))]

    assert names(db) == [f"{number:02}" for number in range(20) if number % 3]


def test_a_thread_rolls_back_what_it_did_and_nothing_else(db: Engine) -> None:
    begun, over = Event(), Event()

    def roll_back() -> None:
        with Session(db) as session:
            add(session, "lost")
            begun.set()
            over.wait(0.2)  # where there are turns, the other's has not come

    def commit() -> None:
        begun.wait()
        with Session(db) as session, session.begin():
            add(session, "kept")
        over.set()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(roll_back), pool.submit(commit)]:
            done.result()

    assert names(db) == ["kept"]


def test_threads_work_while_a_session_of_the_test_is_open(db: Engine) -> None:
    def work(name: str) -> None:
        with Session(db) as session, session.begin():
            add(session, name)

    with Session(db) as around, ThreadPoolExecutor(2) as pool:
        around.connection()
        [*pool.map(work, "ab")]

    assert names(db) == ["a", "b"]


def test_a_session_that_a_thread_has_used_is_the_tests_again(db: Engine) -> None:
    with Session(db) as session, ThreadPoolExecutor(1) as pool:
        pool.submit(add, session, "a").result()
        with Session(db) as other, other.begin():
            add(other, "b")
        session.commit()

    assert names(db) == ["a", "b"]
