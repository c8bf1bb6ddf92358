"""What an application sees of a trouble: the errors of its own engine."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

__all__ = ["answers", "failure_of", "fill_pool", "sqlstate_of"]


def answers(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.scalar(text("SELECT true")))


def failure_of(engine: Engine) -> DBAPIError | None:
    """The error of one statement; None if it works."""
    try:
        answers(engine)
    except DBAPIError as error:
        return error
    return None


def sqlstate_of(error: DBAPIError | None) -> str | None:
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def fill_pool(engine: Engine, connections: int) -> list[int]:
    """Have so many connections in the pool; returns their server processes."""
    held: list[Connection] = [engine.connect() for _ in range(connections)]
    pids = [int(each.scalar(text("SELECT pg_backend_pid()")) or 0) for each in held]
    for each in held:
        each.close()
    return pids
