"""Column types that mean the same on PostgreSQL and on SQLite.

A module of its own because the difference between databases ends here: models, queries and
answers never ask which one it is.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

Document = dict[str, Any]

DocumentType = JSON().with_variant(JSONB(), "postgresql")
"""A JSON object: JSONB on PostgreSQL (it can be indexed and searched), text elsewhere."""


class MomentType(TypeDecorator[datetime]):
    """A moment, always given back in UTC.

    asyncpg answers in UTC, psycopg in the time zone of the server, and SQLite keeps text without a
    time zone, so there UTC is what is stored.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Convert to UTC.

        Raises:
            ValueError: The moment has no time zone, so nobody can know which one it is.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Convert to UTC, or name it where the database keeps no time zone."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
