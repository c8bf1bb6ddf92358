"""The database: engines, sessions, the unit of work, and `python -m target_app.db`."""

from target_app.db.engines import Database, make_engine, make_sync_engine, open_database
from target_app.db.sessions import (
    BlockingSession,
    DatabaseOfApp,
    ReadingSession,
    Session,
    get_session,
)

__all__ = [
    "BlockingSession",
    "Database",
    "DatabaseOfApp",
    "ReadingSession",
    "Session",
    "get_session",
    "make_engine",
    "make_sync_engine",
    "open_database",
]
