"""The check before the first request: is the database there, and is its schema the code's?

A module of its own because it is the only part of the running application that knows Alembic.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from target_app.settings import without_secrets

ALEMBIC_INI = Path(__file__).parents[1] / "alembic.ini"


class DatabaseNotReadyError(RuntimeError):
    """The application cannot work with this database; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The revisions where a database stands, and those that the code expects."""

    found: frozenset[str]
    expected: frozenset[str]

    @property
    def is_current(self) -> bool:
        """Whether the database has exactly the tables that the code was written for."""
        return self.found == self.expected

    def __str__(self) -> str:
        expected = "as the code expects" if self.is_current else f"not {_names(self.expected)}"
        return f"{_names(self.found)}, {expected}"


async def check_database(engine: AsyncEngine) -> None:
    """Return when the database answers and stands at the newest migration.

    Raises:
        DatabaseNotReadyError: It cannot be reached, or its schema is not this code's.
    """
    refuse_missing_file(engine.url)
    with reaching(engine.url):
        async with engine.connect() as connection:
            schema = await connection.run_sync(read_schema)
    if not schema.is_current:
        message = (
            f"the database {without_secrets(engine.url)} is not migrated: it is at "
            f"{_names(schema.found)}, the code expects {_names(schema.expected)}; "
            "run: alembic -c target_app/alembic.ini upgrade head"
        )
        raise DatabaseNotReadyError(message)


def read_schema(connection: Connection) -> Schema:
    """Compare the database's table `alembic_version` with the migrations of the code."""
    found = MigrationContext.configure(connection).get_current_heads()
    expected = ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_heads()
    return Schema(frozenset(found), frozenset(expected))


@contextmanager
def reaching(url: URL) -> Iterator[None]:
    """Say in words why a connection failed.

    Raises:
        DatabaseNotReadyError: Instead of what SQLAlchemy, the driver or the network raised.
    """
    _refuse_missing_folder(url)
    try:
        yield
    # TypeError: asyncpg takes the URL's query as keyword arguments, and this is not one of them.
    except (SQLAlchemyError, OSError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        message = (
            f"cannot reach the database {without_secrets(url)} ({reason}); "
            "start it, or correct TARGET_APP_DATABASE_URL"
        )
        raise DatabaseNotReadyError(message) from error


def refuse_missing_file(url: URL) -> None:
    """Keep SQLite from making an empty file out of a misspelt name.

    Raises:
        DatabaseNotReadyError: The URL names a file of SQLite that does not exist.
    """
    file = _file(url)
    if file is not None and not file.exists():
        message = (
            f"there is no file {file}; make it with: python -m target_app.db create, "
            "or correct TARGET_APP_DATABASE_URL"
        )
        raise DatabaseNotReadyError(message)


def _refuse_missing_folder(url: URL) -> None:
    # SQLite would say so too, but aiosqlite tells it to an event loop that may have ended by then,
    # and the stack trace of its thread is printed.
    file = _file(url)
    if file is not None and not file.parent.is_dir():
        message = f"there is no folder {file.parent}; make it, or correct TARGET_APP_DATABASE_URL"
        raise DatabaseNotReadyError(message)


def _file(url: URL) -> Path | None:
    """Return the file of SQLite that the URL names; None for a server and for SQLite's own URIs."""
    name = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and not name.startswith("file:")
    return Path(name) if is_file else None


def _names(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
