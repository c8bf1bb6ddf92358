"""What `python -m target_app.db` can do: each command takes the settings and says what it did.

A module of its own so that the commands know no command line: `__main__` has the arguments and
the exit codes.
"""

import sys
import time
from contextlib import aclosing
from importlib.metadata import version

from sqlalchemy import Connection, text

from target_app.db.engines import open_database
from target_app.db.seed import seed
from target_app.db.seed_rows import SEEDED_PASSWORD
from target_app.db.startup import check_database, reaching, read_schema, refuse_missing_file
from target_app.db.tables import RefusedError, create_tables, filled_table
from target_app.settings import Settings, without_secrets

_VERSION_QUERIES = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}


async def verify(settings: Settings) -> None:
    """Say what answers at the database's URL, and check that the application can work with it.

    Raises:
        DatabaseNotReadyError: It cannot be reached, or its schema is not this code's.
    """
    refuse_missing_file(settings.url)
    async with open_database(settings) as database:
        with reaching(settings.url):
            async with database.engine.connect() as connection:
                _say(await connection.run_sync(_describe))
        await check_database(database.engine)


async def create(settings: Settings) -> None:
    """Create the tables in an empty database.

    Raises:
        RefusedError: In production, or the database is not empty.
        DatabaseNotReadyError: It cannot be reached.
    """
    _refuse_production(settings, "create")
    async with open_database(settings) as database:
        with reaching(settings.url):
            connection = await database.engine.connect()
        async with aclosing(connection), connection.begin():
            has_created = await connection.run_sync(create_tables)
    where = without_secrets(settings.url)
    _say(f"created the tables in {where}" if has_created else f"nothing to do: {where} has them")


async def fill(settings: Settings, *, rows: int) -> None:
    """Seed an empty database that is migrated.

    Raises:
        RefusedError: In production, or the database has rows.
        DatabaseNotReadyError: It cannot be reached, or its schema is not this code's.
    """
    _refuse_production(settings, "seed")
    async with open_database(settings) as database:
        await check_database(database.engine)
        async with database.sessions.begin() as session:
            if filled := await filled_table(session):
                raise RefusedError(f"the table {filled} has rows already; use an empty database")
            await seed(session, rows=rows, progress=_Progress().tell)
    _say(
        f"wrote {rows} or more rows into each table of {without_secrets(settings.url)}\n"
        f"user1@example.org to user{rows}@example.org have the password: {SEEDED_PASSWORD}"
    )


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def _refuse_production(settings: Settings, command: str) -> None:
    if settings.environment == "production":
        raise RefusedError(f"{command} is for development, and TARGET_APP_ENVIRONMENT=production")


def _describe(connection: Connection) -> str:
    dialect = connection.dialect
    server = connection.scalar(text(_VERSION_QUERIES[dialect.name]))
    lines = {
        "server": f"{dialect.name} {server}",
        "driver": f"{dialect.driver} {version(dialect.driver)}",
        "database": without_secrets(connection.engine.url),
        "revision": read_schema(connection),
    }
    return "\n".join(f"{name:<9} {value}" for name, value in lines.items())


class _Progress:
    """Says every few seconds how far it is, so nothing at all where it is quick."""

    def __init__(self, *, every_seconds: float = 2.0) -> None:
        self._every_seconds = every_seconds
        self._told_at = time.perf_counter()

    def tell(self, table: str, written: int) -> None:
        now = time.perf_counter()
        if now - self._told_at >= self._every_seconds:
            self._told_at = now
            sys.stderr.write(f"{table}: {written} rows\n")
