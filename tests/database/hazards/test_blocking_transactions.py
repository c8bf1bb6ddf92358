"""Sessions and transactions through drivers that block, and sync endpoints that have them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from harness.asgi.blocking import SyncAppClient
from harness.capture import RequestTracker
from harness.errors import SandboxConflictError
from harness.loops import LoopThread
from tests.database.hazards.conftest import ONLY_CLONE, ONLY_ROLLBACK

Sessions = sessionmaker[Session]
ADD = text("INSERT INTO tags (name) VALUES (:name)")
NAMES = text("SELECT name FROM tags WHERE name LIKE 'hazard %' ORDER BY name")


@pytest.fixture
def sessions(sync_db: Engine) -> Sessions:
    return sessionmaker(sync_db)


def add(session: Session | Connection, name: str) -> None:
    session.execute(ADD, {"name": f"hazard {name}"})


def names(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return [name.removeprefix("hazard ") for name in session.scalars(NAMES)]


def test_what_the_application_commits_is_there_for_all(sessions: Sessions) -> None:
    with sessions.begin() as session:
        add(session, "a")

    assert names(sessions) == ["a"]


def test_a_rollback_after_an_error_is_followed_by_more_work(sessions: Sessions) -> None:
    with sessions() as session:
        add(session, "a")
        session.commit()
        with pytest.raises(IntegrityError):
            add(session, "a")
        session.rollback()
        add(session, "b")
        session.commit()

    assert names(sessions) == ["a", "b"]


@pytest.mark.parametrize("first", [0, 1], ids=["reader first", "writer first"])
def test_two_sessions_end_in_any_order(sessions: Sessions, first: int) -> None:
    reader, writer = sessions(), sessions()
    reader.execute(NAMES)
    add(writer, "a")
    endings = [reader.close, writer.commit]

    endings[first]()
    endings[1 - first]()

    writer.close()
    assert names(sessions) == ["a"]


def roll_back_around_a_commit(sessions: Sessions) -> None:
    with sessions() as around, sessions() as inner:
        add(around, "a")
        add(inner, "b")
        inner.commit()
        around.rollback()


@ONLY_ROLLBACK
def test_a_rollback_around_a_commit_is_refused(sessions: Sessions) -> None:
    with pytest.raises(SandboxConflictError):
        roll_back_around_a_commit(sessions)


@ONLY_CLONE
def test_a_rollback_around_a_commit_undoes_its_own_rows(sessions: Sessions) -> None:
    roll_back_around_a_commit(sessions)

    assert names(sessions) == ["b"]


def test_core_transactions_share_the_world(sync_db: Engine, sessions: Sessions) -> None:
    with sync_db.begin() as connection:
        add(connection, "a")

    assert names(sessions) == ["a"]


def test_nested_transactions_undo_their_own_part(sessions: Sessions) -> None:
    with sessions.begin() as session:
        add(session, "a")
        with pytest.raises(IntegrityError), session.begin_nested():
            add(session, "a")
        with session.begin_nested():
            add(session, "b")

    assert names(sessions) == ["a", "b"]


def seen_by_another(sessions: Sessions) -> list[str]:
    with sessions() as session:
        add(session, "a")
        return names(sessions)


@ONLY_ROLLBACK
def test_a_row_of_an_open_transaction_is_seen_by_others(sessions: Sessions) -> None:
    assert seen_by_another(sessions) == ["a"]


@ONLY_CLONE
def test_a_row_of_an_open_transaction_is_not_seen_by_others(sessions: Sessions) -> None:
    assert seen_by_another(sessions) == []


def test_in_autocommit_statements_stand_for_themselves(sync_db: Engine, sessions: Sessions) -> None:
    with sync_db.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        add(connection, "a")
        with pytest.raises(IntegrityError):
            add(connection, "a")
        connection.rollback()

    assert names(sessions) == ["a"]


def test_the_commit_event_of_an_engine_is_fired(sync_db: Engine, sessions: Sessions) -> None:
    commits: list[Connection] = []
    event.listen(sync_db, "commit", commits.append)

    with sessions.begin() as session:
        add(session, "a")

    assert len(commits) == 1


@pytest.fixture
def client(
    sessions: Sessions, harness_tracker: RequestTracker, harness_loop_thread: LoopThread
) -> Iterator[httpx.Client]:
    app = FastAPI()

    @app.post("/add/{name}")
    def add_tag(name: str) -> None:
        with sessions.begin() as session:
            add(session, name)

    @app.post("/later/{name}")
    def add_later(name: str, background: BackgroundTasks) -> None:
        background.add_task(add_tag, name)

    @app.get("/now")
    def now() -> datetime | None:
        with sessions() as session:
            found: datetime | None = session.scalar(text("SELECT now()"))
            return found

    with SyncAppClient(harness_tracker.wrap(app), harness_loop_thread) as made:
        yield made


def test_a_background_task_with_the_global_session_maker_shares_the_world(
    client: httpx.Client, sessions: Sessions
) -> None:
    client.post("/later/a")

    assert names(sessions) == ["a"]


def test_requests_run_while_a_session_of_the_test_is_open(
    client: httpx.Client, sessions: Sessions
) -> None:
    with sessions() as session:
        session.execute(NAMES)
        client.post("/add/a")
        seen = [*session.scalars(NAMES)]

    assert seen == ["hazard a"]


def test_threads_that_work_for_one_request_nest_whoever_sends_it(
    sessions: Sessions, harness_loop_thread: LoopThread
) -> None:
    app = FastAPI()

    def open_session() -> Iterator[None]:
        with sessions() as session:
            session.execute(NAMES)
            yield

    @app.post("/add", dependencies=[Depends(open_session), Depends(lambda: None)])
    def add_tag() -> None:
        with sessions.begin() as session:
            add(session, "a")

    with SyncAppClient(app, harness_loop_thread) as client:
        client.post("/add")

    assert names(sessions) == ["a"]


@pytest.mark.parametrize("turn", ["first", "again"])
def test_what_a_test_left_behind_is_not_found_by_the_next(
    client: httpx.Client, sessions: Sessions, turn: str
) -> None:
    client.post("/add/a")

    assert (turn, names(sessions)) == (turn, ["a"])


@ONLY_ROLLBACK
def test_now_is_one_time_for_a_whole_test(client: httpx.Client) -> None:
    assert client.get("/now").json() == client.get("/now").json()


@ONLY_CLONE
def test_now_is_the_time_of_each_transaction(client: httpx.Client) -> None:
    assert client.get("/now").json() < client.get("/now").json()
