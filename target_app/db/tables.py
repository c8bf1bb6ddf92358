"""Tables without migrations, for development, and whether there is anything in them.

A module of its own because the running application must never do this: it only checks.
"""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from target_app.db.startup import ALEMBIC_INI, read_schema
from target_app.models import Base


class RefusedError(RuntimeError):
    """The database is not in the state, or not of the kind, in which the command may be used."""


def create_tables(connection: Connection) -> bool:
    """Create all tables and note the newest revision; return whether there was anything to do.

    Noted, because the application only starts on a database that is at this revision, and because
    the next migration has to find its place. Works through the caller's connection, no commit.

    Raises:
        RefusedError: There are tables that this cannot know the origin of, or older ones.
    """
    schema = read_schema(connection)
    if schema.is_current:
        return False
    if schema.found:
        raise RefusedError(
            f"the database is at {schema}; run: alembic -c target_app/alembic.ini upgrade head"
        )
    if foreign := sorted({*inspect(connection).get_table_names()} - {"alembic_version"}):
        raise RefusedError(
            f"the database has tables and no revision ({', '.join(foreign[:5])}); use an empty one"
        )
    Base.metadata.create_all(connection)
    config = Config(ALEMBIC_INI)
    config.attributes["connection"] = connection
    command.stamp(config, "head")
    return True


async def filled_table(session: AsyncSession) -> str | None:
    """Return the name of a table that has rows, or None if all are empty."""
    for name, table in Base.metadata.tables.items():
        if await session.scalar(select(select(table).exists())):
            return name
    return None
