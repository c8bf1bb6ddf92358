"""The end of a transaction through drivers that block: the same decisions, on their own paths."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from harness.errors import RefusedStatementError, SandboxConflictError
from tests.database.hazards.conftest import ONLY_CLONE, ONLY_ROLLBACK

FAMILY = (
    "CREATE TABLE parents (id int PRIMARY KEY)",
    (
        "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents "
        "DEFERRABLE INITIALLY DEFERRED)"
    ),
)
ORPHAN = "INSERT INTO children VALUES (1, 1)"
PARENT = "INSERT INTO parents VALUES (1)"
TENANT = "SELECT coalesce(current_setting('app.tenant', true), '')"


@pytest.fixture
def db(sync_db: Engine) -> Engine:
    return sync_db


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def scalar(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.scalar(text(statement))


def test_a_deferred_constraint_is_checked_at_commit_and_deferred_again(db: Engine) -> None:
    run(db, *FAMILY)

    with pytest.raises(IntegrityError):
        run(db, ORPHAN)
    run(db, ORPHAN, PARENT)

    assert scalar(db, "SELECT count(*) FROM children") == 1


def test_in_autocommit_a_deferred_constraint_is_checked_by_each_statement(db: Engine) -> None:
    run(db, *FAMILY)

    with pytest.raises(IntegrityError):
        run(db.execution_options(isolation_level="AUTOCOMMIT"), ORPHAN)

    assert scalar(db, "SELECT count(*) FROM children") == 0


@ONLY_ROLLBACK
def test_a_commit_is_not_blamed_for_what_the_transaction_around_it_violates(db: Engine) -> None:
    run(db, *FAMILY)

    with db.connect() as around:
        around.execute(text(ORPHAN))
        with pytest.raises(SandboxConflictError, match="still open around it"):
            run(db, "INSERT INTO parents VALUES (2)")
        around.execute(text(PARENT))
        around.commit()

    assert scalar(db, "SELECT count(*) FROM children") == 1


@pytest.mark.parametrize("is_commit", [True, False], ids=["commit", "rollback"])
def test_what_is_set_for_a_transaction_ends_with_it(db: Engine, *, is_commit: bool) -> None:
    with db.connect() as connection:
        connection.execute(select(func.set_config("app.tenant", "a", True)))  # noqa: FBT003 - SQL's own signature
        within = connection.scalar(text(TENANT))
        connection.commit() if is_commit else connection.rollback()

    assert (within, scalar(db, TENANT)) == ("a", "")


def test_a_transaction_does_not_find_what_another_has_set_for_itself(db: Engine) -> None:
    with db.connect() as one, db.connect() as other:
        one.execute(text("SET LOCAL app.tenant = 'one'"))
        other.execute(text("SELECT 1"))
        seen = [it.scalar(text(TENANT)) for it in (other, one, other)]

    assert seen == ["", "one", ""]


def test_a_statement_that_takes_too_long_loses_its_own_transaction_only(db: Engine) -> None:
    run(db, "CREATE TABLE notes (body text)", "INSERT INTO notes VALUES ('kept')")

    with pytest.raises(OperationalError, match="statement timeout"):
        run(
            db,
            "INSERT INTO notes VALUES ('lost')",
            "SET LOCAL statement_timeout = '20ms'",
            "SELECT pg_sleep(30)",
        )
    run(db, "INSERT INTO notes VALUES ('kept')")

    assert scalar(db, "SELECT string_agg(body, ' ') FROM notes") == "kept kept"
    assert scalar(db, "SHOW statement_timeout") == "0"


@ONLY_ROLLBACK
def test_what_needs_to_be_outside_of_transactions_is_refused_with_the_way_out(db: Engine) -> None:
    with pytest.raises(RefusedStatementError, match=r"^VACUUM cannot run") as caught:
        run(db.execution_options(isolation_level="AUTOCOMMIT"), "VACUUM")

    assert '@pytest.mark.database("clone")' in caught.value.remedy
    assert scalar(db, "SELECT 1") == 1


@ONLY_CLONE
def test_what_needs_to_be_outside_of_transactions_runs(db: Engine) -> None:
    autocommit = db.execution_options(isolation_level="AUTOCOMMIT")

    with autocommit.connect() as connection:
        connection.execute(text("VACUUM tags"))
        connection.execute(text("CREATE INDEX CONCURRENTLY soon ON tags (name)"))

    assert scalar(db, "SELECT to_regclass('soon') IS NOT NULL") is True


def test_within_a_transaction_the_server_refuses_it_as_ever(db: Engine) -> None:
    with pytest.raises(DBAPIError, match="VACUUM cannot run inside a transaction block"):
        run(db, "VACUUM")


def test_an_isolation_level_may_be_set_in_a_statement(db: Engine) -> None:
    run(db, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY", "SELECT 1")

    assert scalar(db, "SELECT 1") == 1


async def test_a_sync_endpoint_in_the_thread_pool_shares_the_world(db: Engine) -> None:
    app = FastAPI()

    @app.post("/tags")
    def add() -> None:
        run(db, "INSERT INTO tags (name) VALUES ('from a thread')")

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/tags")

    assert answer.status_code == 200
    assert scalar(db, "SELECT count(*) FROM tags WHERE name = 'from a thread'") == 1
