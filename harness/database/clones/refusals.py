"""What a server's refusal to make a database means, and what to do about it.

A module of its own because the reasons have nothing to do with the test that meets them: a right, a
disk, a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import NoDatabaseError

if TYPE_CHECKING:
    import asyncpg

    from harness.database.server import ServerAddress

__all__ = ["explained"]

_EMBEDDED = 'or use postgres = "embedded"'


def explained(error: asyncpg.PostgresError, address: ServerAddress) -> NoDatabaseError:
    """The server's error with a remedy."""
    state: str = getattr(error, "sqlstate", None) or "?"
    return NoDatabaseError(
        f"the PostgreSQL at {address.host}:{address.port} refused: {error} (SQLSTATE {state})",
        where=f"user {address.user!r}",
        remedy=_remedy(state, address),
    )


def _remedy(state: str, address: ServerAddress) -> str:
    match state:
        case "42501":
            return (
                "each run and each test in clone mode needs databases of its own:\n"
                f'ALTER ROLE "{address.user}" CREATEDB, {_EMBEDDED}'
            )
        case "53100" | "58030" | "53200":
            return (
                f"make room where the server keeps its data, {_EMBEDDED};\n"
                "a test's database takes about as much as the base line (SELECT "
                "pg_database_size(…))"
            )
        case "53300":
            return "raise max_connections, or run fewer workers (pytest -n)"
        case "55006":
            return "end what is connected to that database; pg_stat_activity names it"
        case _:
            return f"look into the server's log, {_EMBEDDED}"
