"""What a real COMMIT does besides keeping rows, where a test has none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, event, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.errors import SandboxConflictError
from tests.database.hazards.conftest import ONLY_ROLLBACK

FAMILY = (
    "CREATE TABLE parents (id int PRIMARY KEY)",
    (
        'CREATE TABLE children (id int PRIMARY KEY, parent int CONSTRAINT "of Parent" '
        "REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
    ),
)
ORPHAN = "INSERT INTO children VALUES (1, 1)"
PARENT = "INSERT INTO parents VALUES (1)"


async def run(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def scalar(engine: AsyncEngine, statement: str) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(statement))


async def test_a_deferred_constraint_is_checked_at_commit(db: AsyncEngine) -> None:
    await run(db, *FAMILY)

    with pytest.raises(IntegrityError, match="of Parent") as caught:
        await run(db, ORPHAN)

    assert getattr(caught.value.orig, "sqlstate", None) == "23503"
    assert await scalar(db, "SELECT count(*) FROM children") == 0


async def test_a_deferred_constraint_is_deferred_again_after_a_commit(db: AsyncEngine) -> None:
    await run(db, *FAMILY)

    for number in range(2):
        await run(
            db,
            f"INSERT INTO children VALUES ({number}, {number})",
            f"INSERT INTO parents VALUES ({number})",
        )

    assert await scalar(db, "SELECT count(*) FROM children") == 2


async def test_a_constraint_that_is_made_after_a_commit_is_checked_and_deferred_too(
    db: AsyncEngine,
) -> None:
    await run(db, "INSERT INTO tags (name) VALUES ('before')")
    await run(db, *FAMILY)

    with pytest.raises(IntegrityError):
        await run(db, ORPHAN)
    await run(db, "INSERT INTO parents VALUES (2)")
    await run(db, ORPHAN, PARENT)

    assert await scalar(db, "SELECT count(*) FROM children") == 1


async def test_a_deferred_constraint_is_not_checked_at_savepoints(db: AsyncEngine) -> None:
    await run(db, *FAMILY)

    async with db.begin() as connection:
        async with connection.begin_nested():
            await connection.execute(text(ORPHAN))
        await connection.execute(text(PARENT))

    assert await scalar(db, "SELECT count(*) FROM children") == 1


async def test_after_a_refused_commit_the_test_goes_on(db: AsyncEngine) -> None:
    await run(db, *FAMILY)
    with pytest.raises(IntegrityError):
        await run(db, ORPHAN)

    await run(db, PARENT, ORPHAN)

    assert await scalar(db, "SELECT count(*) FROM children") == 1


async def test_in_autocommit_a_deferred_constraint_is_checked_by_each_statement(
    db: AsyncEngine,
) -> None:
    await run(db, *FAMILY)

    with pytest.raises(IntegrityError):
        await run(db.execution_options(isolation_level="AUTOCOMMIT"), ORPHAN)

    assert await scalar(db, "SELECT count(*) FROM children") == 0


async def test_a_constraint_that_the_application_defers_is_checked_at_commit_too(
    db: AsyncEngine,
) -> None:
    await run(db, FAMILY[0], FAMILY[1].replace("INITIALLY DEFERRED", ""))

    with pytest.raises(IntegrityError):
        await run(db, "SET CONSTRAINTS ALL DEFERRED", ORPHAN)
    with pytest.raises(IntegrityError):
        await run(db, ORPHAN, PARENT)


async def test_a_name_that_two_constraints_share_is_no_obstacle(db: AsyncEngine) -> None:
    await run(
        db,
        *FAMILY,
        'CREATE TABLE others (id int, parent int CONSTRAINT "of Parent" REFERENCES parents)',
    )

    await run(db, ORPHAN, PARENT)
    with pytest.raises(IntegrityError):
        await run(db, ORPHAN.replace("1", "2"))

    assert await scalar(db, "SELECT count(*) FROM children") == 1


async def test_a_deferred_constraint_trigger_is_fired_by_a_commit(db: AsyncEngine) -> None:
    await run(
        db,
        "CREATE TABLE entries (amount int)",
        "CREATE FUNCTION balanced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF (SELECT sum(amount) FROM entries) <> 0 THEN RAISE 'unbalanced'; END IF; "
        "RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER balance AFTER INSERT ON entries "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION balanced()",
    )

    await run(db, "INSERT INTO entries VALUES (1)", "INSERT INTO entries VALUES (-1)")
    with pytest.raises(DBAPIError, match="unbalanced"):
        await run(db, "INSERT INTO entries VALUES (5)")

    assert await scalar(db, "SELECT count(*) FROM entries") == 2


@ONLY_ROLLBACK
async def test_a_commit_is_not_blamed_for_what_the_transaction_around_it_violates(
    db: AsyncEngine,
) -> None:
    await run(db, *FAMILY)

    async with db.connect() as around:
        await around.execute(text(ORPHAN))
        with pytest.raises(SandboxConflictError, match="still open around it"):
            await run(db, "INSERT INTO parents VALUES (2)")
        await around.execute(text(PARENT))
        await around.commit()

    assert await scalar(db, "SELECT count(*) FROM children") == 1


async def test_a_commit_inside_another_transaction_answers_for_its_own_rows(
    db: AsyncEngine,
) -> None:
    await run(db, *FAMILY)

    async with db.connect() as around:
        await around.execute(text("INSERT INTO parents VALUES (2)"))
        with pytest.raises(IntegrityError):
            await run(db, ORPHAN)
        await around.commit()

    assert await scalar(db, "SELECT count(*) FROM parents") == 1


async def test_a_commit_while_a_later_transaction_has_failed_keeps_its_rows(
    db: AsyncEngine,
) -> None:
    await run(db, *FAMILY)

    async with db.connect() as first, db.connect() as later:
        await first.execute(text(PARENT))
        with pytest.raises(DBAPIError):
            await later.execute(text("SELECT 1 / 0"))
        await first.commit()

    assert await scalar(db, "SELECT count(*) FROM parents") == 1


@ONLY_ROLLBACK
async def test_a_violation_at_a_commit_inside_a_later_transaction_is_a_conflict(
    db: AsyncEngine,
) -> None:
    await run(db, *FAMILY)

    async with db.connect() as first, db.connect() as later:
        await first.execute(text(ORPHAN))
        await later.execute(text("SELECT 1"))
        with pytest.raises(SandboxConflictError, match="while a later transaction is open"):
            await first.commit()
        await later.execute(text(PARENT))
        await later.commit()

    assert await scalar(db, "SELECT count(*) FROM children") == 1


SET_TENANT: Sequence[object] = (
    text("SET LOCAL app.tenant = 'a'"),
    text("SELECT set_config('app.tenant', 'a', true)"),
    text("SELECT set_config(:name, :value, :is_local)").bindparams(
        name="app.tenant", value="a", is_local=True
    ),
    text("SELECT set_config(:name, :value, true)").bindparams(name="app.tenant", value="a"),
    select(func.set_config("app.tenant", "a", True)),  # noqa: FBT003 - SQL's own signature
)
TENANT = "SELECT coalesce(current_setting('app.tenant', true), '')"


@pytest.mark.parametrize("statement", SET_TENANT, ids=str)
@pytest.mark.parametrize("is_commit", [True, False], ids=["commit", "rollback"])
async def test_what_is_set_for_a_transaction_ends_with_it(
    db: AsyncEngine, statement: object, *, is_commit: bool
) -> None:
    async with db.connect() as connection:
        await connection.execute(statement)  # type: ignore[call-overload]
        within = await connection.scalar(text(TENANT))
        await (connection.commit() if is_commit else connection.rollback())

    assert (within, await scalar(db, TENANT)) == ("a", "")


async def test_what_is_set_for_the_session_outlives_the_transaction(db: AsyncEngine) -> None:
    async with db.connect() as connection:
        await connection.execute(text("SELECT set_config('app.tenant', 'a', false)"))
        await connection.commit()

        assert await connection.scalar(text(TENANT)) == "a"


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SET LOCAL search_path = pg_catalog", "search_path"),
        ("SET LOCAL statement_timeout = '5s'", "statement_timeout"),
        ("SET LOCAL TIME ZONE 'Asia/Tokyo'", "timezone"),
        ("SET LOCAL ROLE pg_monitor", "role"),
        ("SET TRANSACTION READ ONLY", "transaction_read_only"),
    ],
)
async def test_settings_of_the_server_are_restored_as_well(
    db: AsyncEngine, statement: str, shown: str
) -> None:
    before = await scalar(db, f"SELECT current_setting('{shown}')")

    async with db.begin() as connection:
        await connection.execute(text(statement))
        within = await connection.scalar(text(f"SELECT current_setting('{shown}')"))

    assert within != before
    assert await scalar(db, f"SELECT current_setting('{shown}')") == before


async def test_a_setting_that_a_savepoint_undid_and_that_was_set_again_ends_too(
    db: AsyncEngine,
) -> None:
    async with db.begin() as connection:
        nested = await connection.begin_nested()
        await connection.execute(text("SET LOCAL app.tenant = 'a'"))
        await nested.rollback()
        await connection.execute(text("SET LOCAL app.tenant = 'b'"))

    assert await scalar(db, TENANT) == ""


async def test_a_transaction_does_not_find_what_another_has_set_for_itself(
    db: AsyncEngine,
) -> None:
    async with db.connect() as one, db.connect() as other:
        await one.execute(text("SET LOCAL app.tenant = 'one'"))
        await other.execute(text("SELECT 1"))
        seen = [await it.scalar(text(TENANT)) for it in (other, one, other, one)]
        await other.execute(text("SET LOCAL app.tenant = 'other'"))
        seen += [await it.scalar(text(TENANT)) for it in (one, other)]
        await other.commit()
        seen.append(await one.scalar(text(TENANT)))
        await one.commit()

    assert seen == ["", "one", "", "one", "one", "other", "one"]
    assert await scalar(db, TENANT) == ""


async def test_a_setting_of_a_reader_ends_although_another_committed_inside_it(
    db: AsyncEngine,
) -> None:
    await run(db, "CREATE TABLE notes (id int)")
    async with db.connect() as reader:
        await reader.execute(text("SET LOCAL app.tenant = 'a'"))
        await run(db, "INSERT INTO notes VALUES (1)")

    assert await scalar(db, TENANT) == ""
    assert await scalar(db, "SELECT count(*) FROM notes") == 1


async def test_row_level_security_keeps_two_tenants_apart(db: AsyncEngine) -> None:
    await run(
        db,
        "CREATE TABLE invoices (tenant text)",
        "INSERT INTO invoices VALUES ('a'), ('b'), ('b')",
        "ALTER TABLE invoices ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON invoices USING (tenant = current_setting('app.tenant', true))",
        "GRANT SELECT ON invoices TO pg_monitor",
    )
    seen = []

    for tenant in ("a", "b", None):
        async with db.begin() as connection:
            await connection.execute(text("SET LOCAL ROLE pg_monitor"))
            if tenant is not None:
                await connection.execute(select(func.set_config("app.tenant", tenant, True)))  # noqa: FBT003 - SQL's own
            seen.append(await connection.scalar(text("SELECT count(*) FROM invoices")))

    assert seen == [1, 2, 0]


async def test_the_commit_event_of_an_engine_is_fired(db: AsyncEngine) -> None:
    committed = []

    @event.listens_for(db.sync_engine, "commit")
    def on_commit(connection: Connection) -> None:
        committed.append(connection)

    await run(db, "SELECT 1")

    assert len(committed) == 1
