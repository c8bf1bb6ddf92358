"""The check before the first request: is the database there, and is its schema the code's?

A module of its own because it is the only part of the running application that knows Alembic.
"""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

ALEMBIC_INI = Path(__file__).parents[1] / "alembic.ini"


class DatabaseNotReadyError(RuntimeError):
    """The application cannot start on this database; the message says what to do."""


async def check_database(engine: AsyncEngine) -> None:
    """Return when the database answers and stands at the newest migration.

    Raises:
        DatabaseNotReadyError: It cannot be reached, or its schema is not this code's.
    """
    where = engine.url.render_as_string(hide_password=True)
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(_revisions_of_database)
    except (SQLAlchemyError, OSError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        message = (
            f"cannot reach the database {where} ({reason}); "
            "start it, or correct TARGET_APP_DATABASE_URL"
        )
        raise DatabaseNotReadyError(message) from error
    expected = _revisions_of_code()
    if found != expected:
        message = (
            f"the database {where} is not migrated: it is at {_names(found)}, "
            f"the code expects {_names(expected)}; "
            "run: alembic -c target_app/alembic.ini upgrade head"
        )
        raise DatabaseNotReadyError(message)


def _revisions_of_database(connection: Connection) -> frozenset[str]:
    return frozenset(MigrationContext.configure(connection).get_current_heads())


def _revisions_of_code() -> frozenset[str]:
    return frozenset(ScriptDirectory.from_config(Config(ALEMBIC_INI)).get_heads())


def _names(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
