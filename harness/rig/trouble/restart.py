"""Take the application's server away for a while, and bring it back on the same port.

Only a server that was started for us, from programs on this machine: its reaper is told to stop it
and to start it again, and keeps watching over it in between. Whoever ends while the server is down
leaves nothing behind.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import URL

from harness.database.admin import server_version
from harness.database.owned import OwnedServer
from harness.database.server import PostgresServer, ServerAddress
from harness.errors import ServerStartError, UnreachableTargetError
from harness.rig.trouble.line import connected, refusals_explained
from harness.rig.trouble.own_loop import run_apart
from harness.rig.trouble.refusal import CannotTroubleError

__all__ = ["Outage", "Shutdown", "keep_answered_commits", "restart", "stopped", "why_not_restart"]

_STOP_SECONDS = 25.0  # the reaper gives up on a polite stop after 20, and needs a few more
_START_SECONDS = 60.0  # after an immediate one the server first replays its log
_POLL_SECONDS = 0.01
_KEEP = "SELECT format('ALTER DATABASE %I SET synchronous_commit = on', current_database())"


class Shutdown(StrEnum):
    """How a server is stopped, in the words of ``pg_ctl stop --mode``."""

    FAST = "fast"
    """Transactions are rolled back, connections told (57P01), everything is written."""
    IMMEDIATE = "immediate"
    """As after a crash: nothing is written, and the log is replayed at the next start."""


@dataclass(frozen=True, slots=True)
class Outage:
    """When the server was away, on the clock of `time.monotonic`."""

    from_seconds: float
    """It was told to stop."""
    until_seconds: float
    """It answered again."""


def why_not_restart(server: PostgresServer) -> str | None:
    """Why a server cannot be restarted by us; None if it can."""
    if not isinstance(server, OwnedServer):
        return f"{server.origin} was not started by the harness, which leaves it running"
    if not server.session.is_ready():  # a container's data lies elsewhere
        return f"{server.origin}: its server process is no child of the harness"
    return None


@contextmanager
def stopped(server: PostgresServer, *, how: Shutdown = Shutdown.FAST) -> Iterator[None]:
    """Have no server inside the block, and the same one again after it.

    Databases, rows and settings are those from before; connections and what belongs to them
    (advisory locks, temporary tables, LISTEN) are gone.

    Args:
        server: One that `why_not_restart` has nothing against.
        how: Politely, or like a crash: see `keep_answered_commits`.

    Raises:
        CannotTroubleError: The server is not ours to restart, or does not stop.
        ServerStartError: It does not come back; with the end of its log.
    """
    why_not = why_not_restart(server)
    if why_not is not None or not isinstance(server, OwnedServer):
        remedy = 'postgres = "embedded" in [tool.harness] is a server that can be restarted'
        raise CannotTroubleError(str(why_not), remedy=remedy)
    offset_bytes = server.session.log.stat().st_size
    try:
        server.tell_reaper({"halt": how.value})
        _await_silence(server.address)
        yield
    finally:
        server.tell_reaper({"resume": True})
        _await_answer(server, offset_bytes)


def restart(
    server: PostgresServer, *, how: Shutdown = Shutdown.FAST, down_seconds: float = 0.0
) -> Outage:
    """Stop a server and start it again.

    Args:
        server: As for `stopped`.
        how: As for `stopped`.
        down_seconds: How long to leave it stopped.

    Raises:
        CannotTroubleError: As `stopped`.
        ServerStartError: As `stopped`.
    """
    begin = time.monotonic()
    with stopped(server, how=how):
        time.sleep(down_seconds)
    return Outage(begin, time.monotonic())


def keep_answered_commits(url: URL) -> None:
    """Have a database keep every commit that it has confirmed, even through an immediate stop.

    Our servers confirm a commit before its log is written (``synchronous_commit = off``): after an
    immediate stop the last fifth of a second may be missing, and the application would be blamed.
    For connections that are opened from now on.

    Args:
        url: The application's database, as its owner.

    Raises:
        CannotTroubleError: The role does not own the database.
        UnreachableTargetError: The server does not answer.
    """

    async def keep() -> None:
        async with connected(url) as line:
            with refusals_explained(url, "change the database's settings", remedy="own it"):
                await line.execute(await line.fetchval(_KEEP))

    run_apart(keep)


def _await_silence(address: ServerAddress) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_listening(address):
        if time.monotonic() > deadline:
            what = f"the PostgreSQL did not stop within {_STOP_SECONDS:.0f} s"
            raise CannotTroubleError(what, where=f"{address.host}:{address.port}")
        time.sleep(_POLL_SECONDS)


def _is_listening(address: ServerAddress) -> bool:
    try:
        socket.create_connection((address.host, address.port), timeout=_STOP_SECONDS).close()
    except OSError:
        return False
    return True


def _await_answer(server: OwnedServer, offset_bytes: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.session.is_ready():
            try:
                server_version(server.address)
            except UnreachableTargetError:  # the file of the server that was killed is still there
                pass
            else:
                return
        time.sleep(_POLL_SECONDS)
    log = server.session.last_log_lines(offset_bytes=offset_bytes)
    what = f"the PostgreSQL did not come back within {_START_SECONDS:.0f} s:\n{log}"
    raise ServerStartError(what, where=f"{server.address.host}:{server.address.port}")
