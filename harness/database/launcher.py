"""Starts a PostgreSQL from programs on this machine, for as long as somebody owns it.

The same for every set of programs, the wheel's and the system's: an account that is not root, a
session folder, a fresh cluster from the cache, a port that is free, and the reaper that ends it all
when the last owner is gone.
"""

from __future__ import annotations

import shutil
import socket
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.database.binaries import postgres_version
from harness.database.cluster import SUPERUSER, provide_cluster
from harness.database.lease import Lease
from harness.database.orphans import sweep_orphans
from harness.database.ownership import Hold, ReaperLine, hire_reaper
from harness.database.server import ServerAddress
from harness.database.session import SessionFolder, make_session_folder
from harness.errors import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from harness.database.account import Account
    from harness.database.binaries import Binaries

__all__ = ["DISPOSABLE", "launch"]

LOOPBACK = "127.0.0.1"
PORT_ATTEMPTS = 5
START_SECONDS = 30.0
POLL_SECONDS = 0.005
ADDRESS_IN_USE = "could not bind"

DISPOSABLE: Mapping[str, str] = MappingProxyType(
    {
        # The data is thrown away: nothing has to survive a crash of the machine.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "256MB",
        # Nothing that happens at its own time may disturb a measurement.
        "autovacuum": "off",
        "jit": "off",
        "log_checkpoints": "off",
        # The same everywhere, and no limit that a slow test would meet.
        "timezone": "UTC",
        "log_timezone": "UTC",
        "idle_in_transaction_session_timeout": "0",
        # Containers give /dev/shm 64 MB; the session's folder has room.
        "dynamic_shared_memory_type": "mmap",
    }
)


def launch(
    binaries: Binaries,
    account: Account,
    *,
    place: str,
    max_connections: int = 200,
    settings: Mapping[str, str] = MappingProxyType({}),
    ports: Iterable[int] | None = None,
    cache: Path | None = None,
) -> tuple[Lease, Hold]:
    """Start a server on the loopback and on a private unix socket.

    Args:
        binaries: Programs that the account can run.
        account: Whom the server runs as.
        place: Where the programs come from, in a word or two, for people.
        max_connections: How many connections it allows at once.
        settings: Server parameters, on top of the ones that make a disposable server fast.
        ports: TCP ports to try in this order; by default five that are free.
        cache: Where initialised clusters are kept; by default the user's cache folder.

    Returns:
        What other processes need to join, and our own hold.

    Raises:
        ServerStartError: The server does not start; the message has the end of its log.
    """
    session = make_session_folder(account)
    hold, line = _hire_or_remove(session, binaries)
    try:
        sweep_orphans(session.path.parent)
        origin = f"PostgreSQL {postgres_version(binaries, account)}, {place}"
        password = provide_cluster(session.data, binaries, account, cache=cache)
        wanted = {**DISPOSABLE, "max_connections": str(max_connections), **settings}
        start = _Start(session, binaries, account, line)
        port = start.on_one_of(ports or _free_ports(), wanted)
    except BaseException:
        hold.release()
        raise
    finally:
        line.hang_up()
    address = ServerAddress(LOOPBACK, port, SUPERUSER, password)
    return Lease(str(session.path), address, origin), hold


class _Start:
    """One attempt after the other to start a server in a session, on one port each."""

    def __init__(
        self, session: SessionFolder, binaries: Binaries, account: Account, line: ReaperLine
    ) -> None:
        self._session = session
        self._binaries = binaries
        self._account = account
        self._line = line

    def on_one_of(self, ports: Iterable[int], settings: Mapping[str, str]) -> int:
        """The port on which the server accepts connections."""
        reason = "no port to try"
        for port in ports:
            offset_bytes = self._session.log.stat().st_size
            self._line.request_server(self._command(port, settings), self._account)
            failed = self._failure()
            if failed is None:
                return port
            log = self._session.last_log_lines(offset_bytes=offset_bytes)
            reason = f"{failed}\n{log}"
            # Between choosing a free port and listening on it, another process may take it.
            if ADDRESS_IN_USE not in log:
                break
        remedy = "Look at the settings you gave, or set HARNESS_POSTGRES=postgresql://…"
        where = self._binaries.program("postgres")
        what = f"The PostgreSQL did not start: {reason}"
        raise ServerStartError(what, where=where, remedy=remedy)

    def _command(self, port: int, settings: Mapping[str, str]) -> list[str]:
        place = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": f'"{self._session.socket}"',
            "logging_collector": "off",
        }
        options = [f"--{name}={value}" for name, value in {**settings, **place}.items()]
        return [self._binaries.program("postgres"), "-D", str(self._session.data), *options]

    def _failure(self) -> str | None:
        """Wait until the server is ready, or tell why it will not be."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            failed = self._line.failure(wait_seconds=POLL_SECONDS)
            if failed is not None or self._session.is_ready():
                return failed
        return f"not ready after {START_SECONDS:.0f} s"


def _hire_or_remove(session: SessionFolder, binaries: Binaries) -> tuple[Hold, ReaperLine]:
    throwaway = [] if binaries.throwaway is None else [binaries.throwaway]
    try:
        return hire_reaper(session, also_remove=throwaway)
    except BaseException:
        for folder in (session.path, *throwaway):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _free_ports() -> Iterator[int]:
    for _ in range(PORT_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        yield port
