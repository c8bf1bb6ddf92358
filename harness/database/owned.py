"""A server that was started for us: it ends with its last owner, whatever program it is.

What the embedded server, the system's own PostgreSQL and a container have in common once they run:
a session folder that owners hold, and a lease by which other processes become owners.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.database.ownership import Hold
from harness.database.session import SessionFolder

if TYPE_CHECKING:
    from harness.database.lease import Lease
    from harness.database.reaper import Halt, Resume
    from harness.database.server import ServerAddress

__all__ = ["OwnedServer"]


class OwnedServer:
    """A PostgreSQL of our own; satisfies `harness.database.server.PostgresServer`.

    It lives until its last owner closes it or ends, however it ends: the process that started it,
    and every process that joined. Close it with ``contextlib.closing``.
    """

    def __init__(self, lease: Lease, hold: Hold) -> None:
        self._lease = lease
        self._hold = hold

    @classmethod
    def join(cls, lease: Lease) -> Self:
        """Become a further owner of a running server.

        Whoever gave the lease has to keep the server until this returns.

        Raises:
            ServerStartError: The server has ended.
        """
        return cls(lease, Hold(SessionFolder(Path(lease.folder))))

    @property
    def address(self) -> ServerAddress:
        """Where it listens."""
        return self._lease.address

    @property
    def origin(self) -> str:
        """Where it comes from: ``"PostgreSQL 18.4, embedded"``."""
        return self._lease.origin

    @property
    def lease(self) -> Lease:
        """What another process needs to `join`."""
        return self._lease

    @property
    def session(self) -> SessionFolder:
        """Where its files lie."""
        return SessionFolder(Path(self._lease.folder))

    def tell_reaper(self, order: Halt | Resume) -> None:
        """Have the server stopped for a while, or started again; returns at once.

        The reaper is the server's parent: it alone knows which process that is.
        """
        self._hold.send(json.dumps(order).encode() + b"\n")

    def close(self) -> None:
        """Let go of it; the last owner stops it and returns when nothing is left of it."""
        self._hold.release()
