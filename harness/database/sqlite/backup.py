"""A consistent copy of a file of SQLite, whoever has it open.

A module of its own because SQLite's backup, as Python has it, waits for a locked file for ever.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

__all__ = ["WAIT_SECONDS", "back_up"]

WAIT_SECONDS = 5.0
"""How long a reader waits for whoever holds a file locked; what the drivers' default is, too."""
_PAUSE_SECONDS = 0.01


def back_up(source: sqlite3.Connection, file: Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
    """Write what is committed into a new file, in the journal mode of the old one.

    Args:
        source: Connected to the old file.
        file: Replaced, if it is there.
        wait_seconds: How long to wait where the old file is locked.

    Raises:
        sqlite3.Error: It stayed locked, or there is no room.
    """
    deadline = time.monotonic() + wait_seconds

    def give_up_in_time(*_progress: int) -> None:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"it was locked for {wait_seconds:g} s")

    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as target:
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        # In pieces, for the chance to give up.
        source.backup(target, pages=1000, progress=give_up_in_time, sleep=_PAUSE_SECONDS)
