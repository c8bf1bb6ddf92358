"""Says what "database is locked" means in a test.

A module of its own because the words come from deep below the application, five seconds after the
cause, and say nothing of it: an open transaction of the test or the application itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext

__all__ = ["explained_locks"]

_LOCKED = "database is locked"
_NOTE = (
    "SQLite lets one writer in at a time, and another connection of this test has changes that are "
    "not committed: end its transaction before the application writes, as in "
    "'await db_session.commit()'"
)


@contextmanager
def explained_locks() -> Iterator[None]:
    """Add a note to such errors inside the block."""
    event.listen(Engine, "handle_error", _explain)
    try:
        yield
    finally:
        event.remove(Engine, "handle_error", _explain)


def _explain(context: ExceptionContext) -> None:
    is_locked = context.dialect.name == "sqlite" and _LOCKED in str(context.original_exception)
    if is_locked and context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.add_note(_NOTE)
