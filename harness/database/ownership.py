"""One owner's hold on a server of ours, and the reaper that watches all holds.

Owning means: having the session's FIFO open for writing. The descriptor is not inheritable, so
programs that an owner starts do not own; a process that is forked without ``exec`` does.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.database.account import server_environment
from harness.database.orphans import remove_orphan
from harness.errors import ServerStartError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.database.account import Account
    from harness.database.reaper import ServerRequest
    from harness.database.session import SessionFolder

__all__ = ["Hold", "ReaperLine", "hire_reaper"]

REAPER = Path(__file__).with_name("reaper.py")
LAST_OWNER_WAIT_SECONDS = 8.0


class Hold:
    """Keeps the server of a session alive until it is released, or this process ends.

    Args:
        session: The session to hold.

    Raises:
        ServerStartError: The session has ended.
    """

    def __init__(self, session: SessionFolder) -> None:
        self._session = session
        try:
            self._writer: int | None = os.open(session.owners, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            what = f"The PostgreSQL in {session.path} has ended; it cannot be shared."
            remedy = "Keep the process that started it running until the others have joined."
            raise ServerStartError(what, remedy=remedy) from error

    def send(self, message: bytes) -> None:
        """Send a line to the reaper."""
        if self._writer is not None:
            os.write(self._writer, message)

    def release(self) -> None:
        """Let go. The last owner returns when the server has ended and its folder is gone."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        os.close(writer)
        if self._session.has_owners():
            return
        deadline = time.monotonic() + LAST_OWNER_WAIT_SECONDS
        if self._session.has_reaper():
            while self._session.path.exists() and time.monotonic() < deadline:
                time.sleep(0.005)
        if self._session.path.exists():
            remove_orphan(self._session)


class ReaperLine:
    """The creator's line to a fresh reaper, used until the server is ready."""

    def __init__(self, hold: Hold, status: int, starter: subprocess.Popen[bytes]) -> None:
        self._hold = hold
        self._status = status
        self._starter = starter

    def request_server(self, command: Sequence[str], account: Account) -> None:
        """Ask the reaper to start a server."""
        request: ServerRequest = {
            "command": list(command),
            "environment": server_environment(),
            "uid": account.uid,
            "gid": account.gid,
        }
        self._hold.send(json.dumps(request).encode() + b"\n")

    def failure(self, *, wait_seconds: float) -> str | None:
        """Why there is no server, if the reaper has said so within the time."""
        readable, _, _ = select.select([self._status], [], [], wait_seconds)
        if not readable:
            return None
        return os.read(self._status, 4096).decode().strip() or "its reaper was killed"

    def hang_up(self) -> None:
        """Stop listening."""
        os.close(self._status)
        with suppress(subprocess.TimeoutExpired):  # it forks at once and leaves
            self._starter.wait(LAST_OWNER_WAIT_SECONDS)


def hire_reaper(session: SessionFolder, *, also_remove: Sequence[Path]) -> tuple[Hold, ReaperLine]:
    """Start the reaper of a new session and become its first owner.

    The FIFO gets its name when its reading end is open, and the reaper starts when its writing end
    is: no sweep takes a session that is just being made, no reaper meets an end of file too early.

    Raises:
        ServerStartError: The reaper cannot be started; the caller removes the folder.
    """
    os.mkfifo(session.owners_in_the_making, 0o600)
    reader = os.open(session.owners_in_the_making, os.O_RDONLY | os.O_NONBLOCK)
    session.owners_in_the_making.rename(session.owners)
    hold = Hold(session)
    status, status_for_reaper = os.pipe()
    try:
        with session.log.open("ab") as log:
            starter = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", REAPER, session.path, *also_remove],
                stdin=reader,
                stdout=status_for_reaper,
                stderr=log,
                cwd="/",  # keeps no folder of the user busy
                start_new_session=True,
            )
    except OSError as error:
        os.close(status)
        what = f"The process that watches over the PostgreSQL did not start: {error}"
        raise ServerStartError(what, where=sys.executable) from error
    finally:
        os.close(reader)
        os.close(status_for_reaper)
    return hold, ReaperLine(hold, status, starter)
