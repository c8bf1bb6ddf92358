"""The folder of one run's files: made for it, gone with it, swept by the next one if it was killed.

In memory where there is room: a commit waits for a disk otherwise. While a run lives it holds a
lock on a file in its folder, which the kernel gives back however the run ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from harness.database.places import MEMORY_FOLDER, is_ours_alone
from harness.errors import NoDatabaseError

__all__ = ["SqlitePlace"]

PREFIX = "harness-sqlite-"
MEMORY_NEEDED_BYTES = 256 << 20
_LOCK = "lives"
_BEFORE_LOCK = "begins"
_MAKING_SECONDS = 3600


@dataclass(slots=True, eq=False)
class SqlitePlace:
    """Where the files of one run are.

    Args:
        folder: Of this run alone.
    """

    folder: Path
    _lock: int

    @classmethod
    def begin(cls, *, base: Path | None = None) -> SqlitePlace:
        """Make a folder, and clear away those of runs that were killed.

        Args:
            base: Where to make it; default: in memory, or the folder for temporary files.

        Raises:
            NoDatabaseError: Nothing can be written there.
        """
        base = base or _base()
        try:
            _sweep(base)
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            return cls(folder, _taken_lock(folder))
        except OSError as error:
            raise NoDatabaseError(
                f"no folder for files of SQLite can be made: {error}",
                remedy="point TMPDIR to a folder that you can write to",
            ) from error

    @property
    def origin(self) -> str:
        """What it is, in a few words: ``"SQLite 3.46.1"``."""
        return f"SQLite {sqlite3.sqlite_version}"

    def url(self, worker: str = "") -> URL:
        """The database of a run, with the asyncio driver.

        Args:
            worker: Which of several parallel runs it belongs to; part of the file's name.
        """
        file = self.folder.resolve() / f"{'_'.join(filter(None, ['harness', worker]))}.db"
        return URL.create("sqlite+aiosqlite", database=str(file))

    def close(self) -> None:
        """Remove the folder. May be called twice."""
        if self._lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _taken_lock(folder: Path) -> int:
    lock = os.open(folder / _BEFORE_LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Under its name only when it is held: nobody who sweeps ever finds a living run's free.
    (folder / _BEFORE_LOCK).rename(folder / _LOCK)
    return lock


def _base() -> Path:
    if MEMORY_FOLDER.is_dir() and os.access(MEMORY_FOLDER, os.W_OK | os.X_OK):
        free = shutil.disk_usage(MEMORY_FOLDER).free
        if free >= MEMORY_NEEDED_BYTES:
            return MEMORY_FOLDER
    return Path(tempfile.gettempdir())


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        if is_ours_alone(folder) and _is_over(folder):
            shutil.rmtree(folder, ignore_errors=True)  # another run may be sweeping, too


def _is_over(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return _is_abandoned(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _is_abandoned(folder: Path) -> bool:
    """A run that is just being made has no lock yet: for less than a second."""
    with suppress(FileNotFoundError):
        return time.time() - folder.stat().st_mtime > _MAKING_SECONDS
    return False
