"""The folder of one server of ours: what lies where, and who may look.

Everything of a session is below one folder, so that removing it leaves nothing behind. A FIFO in
it stands for "somebody still needs this server": each owner holds it open for writing.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.database.places import base_for_session
from harness.database.reaper import FAREWELL

if TYPE_CHECKING:
    from harness.database.account import Account

__all__ = ["SESSION_PREFIX", "SessionFolder", "make_session_folder"]

SESSION_PREFIX = "harness-pg-"


@dataclass(frozen=True, slots=True)
class SessionFolder:
    """Paths of one session."""

    path: Path

    @property
    def data(self) -> Path:
        """The data directory; belongs to the server's account."""
        return self.path / "data"

    @property
    def socket(self) -> Path:
        """The folder of the unix socket; belongs to the server's account."""
        return self.path / "socket"

    @property
    def log(self) -> Path:
        """What the server and the reaper have to say."""
        return self.path / "server.log"

    @property
    def owners(self) -> Path:
        """The FIFO that every owner holds open for writing and the reaper for reading."""
        return self.path / "owners"

    @property
    def owners_in_the_making(self) -> Path:
        """The FIFO before its reader is there."""
        return self.path / "owners-in-the-making"

    @property
    def farewell(self) -> Path:
        """What has to be run, besides ending processes, when the last owner is gone."""
        return self.path / FAREWELL

    def has_reaper(self) -> bool:
        """Whether a process waits for the owners to go."""
        try:
            os.close(os.open(self.owners, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # ENXIO: no reader; ENOENT: the session is gone
            return False
        return True

    def has_owners(self) -> bool:
        """Whether a process, this one included, holds the session."""
        try:
            reader = os.open(self.owners, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        try:
            return os.read(reader, 1) != b""
        except BlockingIOError:
            return True
        finally:
            os.close(reader)

    def last_log_lines(self, *, count: int = 5, offset_bytes: int = 0) -> str:
        """The end of the log, for error messages."""
        written = self.log.read_bytes()[offset_bytes:].decode(errors="replace")
        return "\n".join(written.strip().splitlines()[-count:])

    def is_ready(self) -> bool:
        """Whether the server accepts connections, as it says itself in its pid file.

        The eighth line of ``postmaster.pid`` is what ``pg_ctl --wait`` reads, too.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[7:8] == ["ready   "]


def make_session_folder(account: Account) -> SessionFolder:
    """A new private folder that the account can walk through, with an empty `data` and `socket`.

    Raises:
        ServerStartError: No temporary folder of this machine will do.
    """
    base = base_for_session(account)
    session = SessionFolder(Path(tempfile.mkdtemp(prefix=SESSION_PREFIX, dir=base)))
    session.data.mkdir(mode=0o700)
    session.socket.mkdir(mode=0o700)
    account.own(session.socket)
    session.log.touch(mode=0o600)
    account.let_through(session.path)
    return session
