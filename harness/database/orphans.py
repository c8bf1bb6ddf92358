"""Ends servers and containers whose reaper was killed before it could.

The rare second line of defence: a reaper that gets SIGKILL (or a machine that loses power with the
session on a disk) leaves a server or a folder. The last owner that closes, or the next start of an
embedded server, clears it away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING

from harness.database.places import is_ours_alone
from harness.database.reaper import say_farewell
from harness.database.session import SESSION_PREFIX, SessionFolder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["remove_orphan", "sweep_orphans"]

STOP_SECONDS = 3.0


def sweep_orphans(base: Path) -> list[SessionFolder]:
    """Remove every session of ours below `base` that has neither a reaper nor an owner.

    Returns:
        The sessions that were removed.
    """
    found = [SessionFolder(path) for path in base.glob(f"{SESSION_PREFIX}*")]
    orphans = [session for session in found if _is_orphan(session)]
    for session in orphans:
        remove_orphan(session)
    return orphans


def remove_orphan(session: SessionFolder) -> None:
    """Stop the server of a session that nobody else cares for and remove its folder."""
    deadline = time.monotonic() + STOP_SECONDS
    while (pid := _listening_pid(session)) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        time.sleep(0.02)
    say_farewell(str(session.path))
    # Another process may sweep at the same time; what it removes needs no removal by us.
    shutil.rmtree(session.path, ignore_errors=True)


def _is_orphan(session: SessionFolder) -> bool:
    """A session gets its FIFO only when reader and writer are there: a new one is never taken."""
    return (
        is_ours_alone(session.path)
        and session.owners.is_fifo()
        and not session.has_reaper()
        and not session.has_owners()
    )


def _listening_pid(session: SessionFolder) -> int | None:
    """The process that listens on the session's private socket, as the kernel names it.

    A number from a pid file could meanwhile belong to any other process.
    """
    for path in session.socket.glob(".s.PGSQL.*[0-9]"):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(path))
            except OSError:
                continue
            return _peer_pid(connection)
    return None


def _peer_pid(connection: socket.socket) -> int:
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", credentials)[0])
    local_level, local_peer_pid = 0, 2  # macOS: SOL_LOCAL and LOCAL_PEERPID of <sys/un.h>
    return connection.getsockopt(local_level, local_peer_pid)
