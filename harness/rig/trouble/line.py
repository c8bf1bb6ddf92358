"""A connection to the troubled server, for the troubles that are statements.

Straight through asyncpg: an engine of SQLAlchemy's would be led elsewhere by whatever listens to
engines in the same process (a sandbox, the plugin of a database URL).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import asyncpg
from sqlalchemy import URL

from harness.errors import UnreachableTargetError
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["DEFAULT_PORT", "Line", "connected", "new_line", "refusals_explained", "shown"]

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 20.0
DEFAULT_PORT = 5432


class Line(Protocol):
    """The part of asyncpg's connection that troubles use."""

    async def execute(self, query: str, *values: object) -> str:
        """Run a statement."""
        ...

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """Rows of a query."""
        ...

    async def fetchval(self, query: str, *values: object) -> Any:  # noqa: ANN401 - whatever is asked for
        """One value of the first row."""
        ...

    def terminate(self) -> None:
        """Close it without a word."""
        ...

    def is_closed(self) -> bool:
        """Whether either side has ended it."""
        ...


async def new_line(url: URL) -> Line:
    """A connection; whoever calls this terminates it.

    Args:
        url: Of a database, with any driver; options of the driver are left out.

    Raises:
        OSError: Nobody answers within five seconds.
        asyncpg.PostgresError: The server does not let it in.
    """
    line: Line = await asyncpg.connect(
        host=url.host,
        port=url.port or DEFAULT_PORT,
        user=url.username,
        password=url.password,
        database=url.database,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings={"application_name": "harness trouble"},  # nobody's load
    )
    return line


@asynccontextmanager
async def connected(url: URL) -> AsyncIterator[Line]:
    """A connection for the block.

    Raises:
        UnreachableTargetError: Nobody answers, or the server does not let it in.
    """
    try:
        line = await new_line(url)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error) or f"no answer within {CONNECT_SECONDS} s"
        what = f"no connection to the PostgreSQL at {url.host}:{url.port}: {reason}"
        raise UnreachableTargetError(what, where=shown(url)) from error
    try:
        yield line
    finally:
        line.terminate()


@contextmanager
def refusals_explained(url: URL, what: str, *, remedy: str) -> Iterator[None]:
    """Make the server's "permission denied" the error that says what the role lacks.

    Args:
        url: Whose role it is.
        what: What was about to be done: "end other connections".
        remedy: What to grant.
    """
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        told = f"the role {url.username!r} may not {what}: {error}"
        raise CannotTroubleError(told, where=shown(url), remedy=remedy) from error


def shown(url: URL) -> str:
    """The URL without its password and its options."""
    return url.set(query={}).render_as_string(hide_password=True)
