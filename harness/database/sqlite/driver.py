"""Whether the driver is there that awaits: Python has only the one that blocks."""

from __future__ import annotations

from importlib import util

from harness.errors import MissingExtraError

__all__ = ["require_aiosqlite"]


def require_aiosqlite(*, why: str) -> None:
    """Say what to install, and what works without.

    Args:
        why: What needs it.

    Raises:
        MissingExtraError: If it is not installed.
    """
    if util.find_spec("aiosqlite") is None:
        raise MissingExtraError(
            f"{why} on SQLite through aiosqlite, which is not installed",
            remedy="pip install 'fastapi-sqlalchemy-harness[sqlite]'; a blocking application is "
            "tested without it: 'sync_db_session', and a `populate` that is no coroutine",
        )
