"""The folder of one run's files: made for it, gone with it, swept by the next one if it was killed.

In memory where there is room: a commit waits for a disk otherwise.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from harness.database.living import LivingFolder
from harness.database.places import MEMORY_FOLDER
from harness.errors import NoDatabaseError

__all__ = ["SqlitePlace"]

PREFIX = "harness-sqlite-"
MEMORY_NEEDED_BYTES = 256 << 20


@dataclass(slots=True, eq=False)
class SqlitePlace:
    """Where the files of one run are."""

    _living: LivingFolder

    @classmethod
    def begin(cls, *, base: Path | None = None) -> SqlitePlace:
        """Make a folder, and clear away those of runs that were killed.

        Args:
            base: Where to make it; default: in memory, or the folder for temporary files.

        Raises:
            NoDatabaseError: Nothing can be written there.
        """
        try:
            return cls(LivingFolder.begin(PREFIX, base=base or _base()))
        except OSError as error:
            raise NoDatabaseError(
                f"no folder for files of SQLite can be made: {error}",
                remedy="point TMPDIR to a folder that you can write to",
            ) from error

    @property
    def folder(self) -> Path:
        """Of this run alone."""
        return self._living.path

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
        self._living.close()


def _base() -> Path:
    if MEMORY_FOLDER.is_dir() and os.access(MEMORY_FOLDER, os.W_OK | os.X_OK):
        free = shutil.disk_usage(MEMORY_FOLDER).free
        if free >= MEMORY_NEEDED_BYTES:
            return MEMORY_FOLDER
    return Path(tempfile.gettempdir())
